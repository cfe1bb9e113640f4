"""The grant of the back channel, for clients that poll or are pinged (CIBA Core §10.1, §11)."""

from broker.clients.profile import CIBA
from broker.errors import Wire
from broker.grants import asking, authorization_code
from broker.grants.asking import Undecided
from broker.tokens.token_request import TokenRequest

ANONYMOUS = False
act = asking.act


async def gather(asked: TokenRequest) -> authorization_code.Facts | Undecided:
    """Look at the request's id, as `asking.gather` says; a client that proves nothing is none of this grant."""
    if asked.client is None or not asked.client.confidential:
        raise Wire("unauthorized_client", "the client is not registered for this grant")
    return await asking.gather(asked, CIBA, "auth_req_id")
