"""The end of a session: its row, and a letter to every agency it signed in to, in one act (Back-Channel Logout 1.0 §2.5).

Ended by the person: by signing out here or from an agency, or by somebody else's signing in in the same browser. A session that
only runs out of time is nobody's decision, and the form that is being filled in at an agency goes on.
"""

from __future__ import annotations

from broker import needs
from broker.clients.registry import Client
from broker.database import Tx
from broker.notices import backchannel_logout
from broker.sign_in import relying_parties, session, subject
from broker.sign_in.relying_parties import RelyingParty
from broker.sign_in.session import Session
from keys import errors as keys_errors


def signed_in_to(tx: Tx, wired: needs.Parts, live: Session, client: Client | None) -> bool:
    """Note that a session signs in to a client, if that client is to be told of its end; False when it has ended."""
    party = None if client is None else RelyingParty.of(client)
    if party is None:
        return True
    return relying_parties.note(tx, wired.vault.person(tx, live.person_id), live, party)


def end(tx: Tx, wired: needs.Parts, live: Session, now: int) -> bool:
    """End a session and write the letters; False when it had ended before. `now` in microseconds."""
    ended = session.take(tx, live)
    if ended is None:
        return False
    if ended.relying_parties is not None:
        _tell(tx, wired, ended, now)
    return True


def replaced(tx: Tx, wired: needs.Parts, live: Session | None, person_id: str, now: int) -> Session | None:
    """End the session that a browser had before somebody signed in; return it when it was their own and goes on."""
    if live is None:
        return None
    if live.person_id == person_id:
        return session.take(tx, live)
    end(tx, wired, live, now)
    return None


def _tell(tx: Tx, wired: needs.Parts, ended: Session, now: int) -> None:
    try:
        keys = wired.vault.person(tx, ended.person_id)
    except keys_errors.NoSuchKey:  # erased: nobody knows any more where they signed in to
        return
    for party in relying_parties.read(keys, ended):
        known_as = subject.pairwise(keys.pairwise, party.sector)
        sid = subject.session_id(keys.pairwise, ended.secret, party.client_id)
        wired.signals.session_revoked(tx, party.client_id, known_as, sid, now)
        if party.backchannel is not None:
            backchannel_logout.tell(
                tx,
                wired.outbox,
                client_id=party.client_id,
                destination=party.backchannel,
                alg=party.alg,
                subject=known_as,
                sid=sid,
                now=now,
            )
