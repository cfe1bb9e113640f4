"""The device grant: a device asks until the person has decided in a browser (RFC 8628 §3.4, §3.5)."""

from broker.clients.profile import DEVICE
from broker.grants import asking, authorization_code
from broker.grants.asking import Undecided
from broker.tokens.token_request import TokenRequest

ANONYMOUS = False
act = asking.act


async def gather(asked: TokenRequest) -> authorization_code.Facts | Undecided:
    """Look at the device code, as `asking.gather` says."""
    return await asking.gather(asked, DEVICE, "device_code")
