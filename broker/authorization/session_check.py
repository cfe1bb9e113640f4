"""Whether a sign-in serves a request, and what to do where it does not (OpenID Connect Core §3.1.2.1, §3.1.2.3, §5.5.1)."""

from __future__ import annotations

from typing import Literal

from broker.authorization import hints, prompt
from broker.authorization.pushed import PushedRequest
from broker.authorization.request import AuthorizationRequest
from broker.database import Tx
from broker.people import people
from broker.sign_in import acr
from broker.sign_in.session import Session
from consent.intended_use import Uses
from keys.keyring import SealingRing
from keys.vault import Vault

Lacking = Literal["", "login_required", "unmet_authentication_requirements"]
"""What a session lacks: an error code, or nothing of its own (empty) where signing in again mends it."""


Cause = Literal["half", "anew", "another", "stronger"]
"""Why: half done, older than the request allows, another person's, weaker than the request needs."""
Lack = tuple[Lacking, Cause]


def lacking(
    tx: Tx, claimed: PushedRequest, session: Session, *, vault: Vault, ring: SealingRing, uses: Uses, now: int
) -> Lack | None:
    """Name what a session lacks for a request, and why; None where it suffices. `ring` is the one that seals hints, `now` in microseconds.

    Signing in again mends it when the sign-in is half done, too old, weaker than this person's can be by now, or was
    somebody else's and made before the request.
    """
    asked = claimed.request
    if session.state != "full":
        return "", "half"
    if not prompt.is_met(asked, auth_time=session.auth_time, pushed_at=claimed.pushed_at, now=now):
        return "", "anew"
    if not _is_expected(tx, vault, ring, asked, session):
        return "" if session.auth_time < claimed.pushed_at else "login_required", "another"
    minimum = uses.version(asked.data.use_id, asked.data.version).minimum_acr
    if prompt.is_enough(asked, session.acr, minimum):
        return None
    person = people.by_id(tx, session.person_id)
    if person is None or "otp" in session.amr or person.totp_sealed is None:
        return "unmet_authentication_requirements", "stronger"
    could = acr.reached(person.proofing, one_time_code=True)
    return "" if prompt.is_enough(asked, could, minimum) else "unmet_authentication_requirements", "stronger"


def _is_expected(tx: Tx, vault: Vault, ring: SealingRing, asked: AuthorizationRequest, session: Session) -> bool:
    """Whether this is the one person the agency asks for, if it names one."""
    hint = hints.of(asked, ring)
    return hint.subject is None or hint.names(vault.person(tx, session.person_id).pairwise)
