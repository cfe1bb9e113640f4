"""Where a session signed in to: those that are told when it ends (OpenID Connect Back-Channel Logout 1.0 §2.3).

The list is one box beside the session, sealed with the person's own key and filled up to whole kilobytes: without that key
no row leads from a person to an agency, and erasing the person destroys it (`docs/decisions`, 0006). It goes with the session.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from sqlalchemy import select, update

from broker.clients import profile
from broker.clients.metadata import ClientMetadata
from broker.database import Tx
from broker.sign_in.session import Session
from broker.tables import session
from keys import canonical, sealing
from keys.algorithms import Alg
from keys.vault import PersonKeys

FILLED = 1024  # bytes: how many agencies a person uses does not show
MOST = 50  # the latest of a session


@dataclass(frozen=True)
class RelyingParty:
    """An agency as it was registered when the session signed in to it, with how it wants to be told.

    `frontchannel`: an address to show in a frame, with the session's name where that is required.
    """

    client_id: str
    sector: str
    alg: Alg
    backchannel: str | None
    frontchannel: str | None = None
    session_required: bool = False

    @classmethod
    def of(cls, client: ClientMetadata) -> RelyingParty | None:
        """Return what is remembered of a client; None for one that is not told when a session ends.

        It is told by a logout token, by a security event (SSF 1.0) if it may have a stream of them, in a frame, or by several.
        """
        addresses = client.backchannel_logout_uri, client.frontchannel_logout_uri
        if addresses == (None, None) and profile.SIGNALS[0] not in client.scope.split():
            return None
        return cls(
            client.client_id,
            client.pairwise_sector,
            client.id_token_signed_response_alg,
            *addresses,
            client.frontchannel_logout_session_required,
        )


def note(tx: Tx, keys: PersonKeys, live: Session, party: RelyingParty) -> bool:
    """Remember that a session signed in there; False, and nothing is remembered, when it has ended."""
    row = session.c
    mine = row.id_hash == live.id_hash, row.closed == 0
    found = tx.execute(select(row.relying_parties).where(*mine).with_for_update()).first()
    if found is None:
        return False
    known = read(keys, replace(live, relying_parties=found.relying_parties))
    if party not in known:
        others = [one for one in known if one.client_id != party.client_id]
        box = _seal(keys, live, [*others, party][-MOST:])
        tx.execute(update(session).where(*mine).values(relying_parties=box))
    return True


def read(keys: PersonKeys, ended: Session) -> tuple[RelyingParty, ...]:
    """Return where a session signed in to, the earliest first."""
    if ended.relying_parties is None:
        return ()
    listed = canonical.loads(sealing.decrypt(keys.data, ended.relying_parties, _belongs(ended)))
    return tuple(RelyingParty(**one) for one in listed)


def _seal(keys: PersonKeys, live: Session, parties: Iterable[RelyingParty]) -> bytes:
    text = canonical.dumps([asdict(one) for one in parties])
    return sealing.encrypt(keys.data, text.ljust(-(-len(text) // FILLED) * FILLED), _belongs(live))


def _belongs(live: Session) -> bytes:
    """What stays the same when a person proves again who they are and the session goes on."""
    return b"semel/relying-parties/v1\x00" + live.secret
