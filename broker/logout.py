"""The end of a session: its row, and a letter to every agency it signed in to, in one act (Back-Channel Logout 1.0 §2.5).

Ended by the person: by signing out here or from an agency, or by somebody else's signing in in the same browser. A session that
only runs out of time is nobody's decision, and the form that is being filled in at an agency goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from broker import needs
from broker.answers import Answer, Cookie, Page, Redirect
from broker.clients import web_address
from broker.clients.registry import Client
from broker.database import Tx
from broker.notices import backchannel_logout
from broker.notices.outbox import Outbox
from broker.notices.security_events import Signals
from broker.sign_in import browser_state, handover, relying_parties, session, subject
from broker.sign_in.relying_parties import RelyingParty
from broker.sign_in.session import Session
from keys import errors as keys_errors
from keys.vault import PersonKeys, Vault

SIGNED_OUT = "/signed-out"


class Announcer(Protocol):
    """What it takes to tell agencies that a session has ended: of `needs.Parts` these three."""

    @property
    def vault(self) -> Vault:
        """Opens where a session signed in to."""

    @property
    def outbox(self) -> Outbox:
        """Takes the letters."""

    @property
    def signals(self) -> Signals:
        """Takes the security events."""


def signed_in_to(tx: Tx, wired: needs.Parts, live: Session, client: Client | None) -> bool:
    """Note that a session signs in to a client, if that client is to be told of its end; False when it has ended."""
    party = None if client is None else RelyingParty.of(client)
    if party is None:
        return True
    return relying_parties.note(tx, wired.vault.person(tx, live.person_id), live, party)


def end(tx: Tx, wired: Announcer, live: Session, now: int) -> bool:
    """End a session and write the letters; False when it had ended before. `now` in microseconds."""
    ended = session.take(tx, live)
    if ended is None:
        return False
    if ended.relying_parties is not None:
        _tell(tx, wired, ended, now)
    return True


def end_all(
    tx: Tx,
    wired: Announcer,
    person_id: str,
    now: int,
    *,
    kept: Session | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> int:
    """End every session of a person but `kept`, and what waits to become one; return how many were whole.

    `now` in microseconds; `progress(done, of)` is called after each.
    """
    handover.withdraw(tx, person_id)
    live = [one for one in session.of_person(tx, person_id, now) if kept is None or one.id_hash != kept.id_hash]
    ended = 0
    for done, one in enumerate(live, 1):
        ended += end(tx, wired, one, now) and one.state == "full"
        progress(done, len(live))
    return ended


def replaced(tx: Tx, wired: needs.Parts, live: Session | None, person_id: str, now: int) -> Session | None:
    """End the session that a browser had before somebody signed in; return it when it was their own and goes on."""
    if live is None:
        return None
    if live.person_id == person_id:
        return session.take(tx, live)
    end(tx, wired, live, now)
    return None


def frames(wired: needs.Parts, live: Session | None) -> tuple[str, ...]:
    """Return the addresses to show in frames when a session ends (OpenID Connect Front-Channel Logout 1.0 §2, §3).

    None unless the operator asked for it. Browsers that keep sites apart show them without the agency's cookies: the letters
    are the promise.
    """
    if live is None or live.relying_parties is None or "frontchannel_logout" not in wired.legacy:
        return ()
    with wired.database.read() as tx:
        keys = _keys(tx, wired, live)
    if keys is None:
        return ()
    shown = []
    for party in relying_parties.read(keys, live):
        if party.frontchannel is None or wired.registry.active(party.client_id) is None:
            continue
        sid = subject.session_id(keys.pairwise, live.secret, party.client_id)
        said = {"iss": wired.issuer, "sid": sid} if party.session_required else {}
        shown.append(web_address.append(party.frontchannel, said))
    return tuple(shown)


def gone(wired: needs.Parts, shown: tuple[str, ...], location: str) -> Answer:
    """Answer a sign-out: on to `location`, by way of a page with frames where there are any; our cookies go."""
    cookies = (needs.drop_cookie(wired, "semel"), *forgotten(wired, None))
    if not shown:
        return Redirect(location, cookies=cookies)
    origins = tuple(sorted({web_address.origin(address) for address in shown}))
    context = {"frames": shown, "onward": None if location == SIGNED_OUT else location, "signed_in": False}
    return Page("signed_out.html", context, frames=origins, cookies=cookies)


def forgotten(wired: needs.Parts, before: Session | None) -> tuple[Cookie, ...]:
    """The cookies that tell of a session that is over, to be taken away unless it goes on (`before`)."""
    if before is not None or "session_management" not in wired.legacy:
        return ()
    return (browser_state.cookie(needs.cookie_name(wired.secure, browser_state.NAME), None),)


def _keys(tx: Tx, wired: Announcer, ended: Session) -> PersonKeys | None:
    """The person's keys; none for one who was erased: nobody knows any more where they signed in to."""
    try:
        return wired.vault.person(tx, ended.person_id)
    except keys_errors.NoSuchKey:
        return None


def _tell(tx: Tx, wired: Announcer, ended: Session, now: int) -> None:
    keys = _keys(tx, wired, ended)
    if keys is None:
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
