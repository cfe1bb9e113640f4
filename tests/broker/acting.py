"""One agency that lets another act for it: both registered, the use names the second, the person read it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import httpx2
import jwt

from broker.clients.key_sets import KeySets
from broker.clients.metadata import ClientMetadata
from broker.clients.registry import Registry
from consent import intended_use
from consent.intended_use import IntendedUse, Processor, Uses
from examples import holder
from tests.actors import Agency, Citizen
from tests.broker import whole as wholes
from tests.broker.whole import Whole

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ACTOR = "norr-processing"
USES = {"norr.childcare-allowance": "norr-childcare", "norr.building-permit": "norr-planning"}
OFFICE = Processor(
    client_id=ACTOR,
    name={"en": "Norr Processing", "ar": "معالجة نور"},
    reason={"en": "It checks the form.", "ar": "تتحقق من النموذج."},
)


def named(use: IntendedUse, *processors: Processor) -> IntendedUse:
    return use.model_copy(update={"processors": processors})


def give_uses(whole: Whole, *changed: IntendedUse) -> None:
    """These uses in the place of those of the same id and version, or beside them; the highest version is in force."""
    uses: Uses = whole.parts.uses
    kept = [one for one in uses.versions.values() if one.purpose_id not in {use.purpose_id for use in changed}]
    made = intended_use.collect([*kept, *changed])
    whole.give(uses=replace(uses, versions=made.versions, current=made.current))


def give_clients(whole: Whole, **changed: dict[str, Any]) -> None:
    """The registered clients, some of them changed (`norr_childcare` for `norr-childcare`)."""
    members = {name.replace("_", "-"): update for name, update in changed.items()}
    clients = [one.model_copy(update=members.get(one.client_id, {})) for one in whole.parts.registry.all()]
    whole.give(registry=Registry(clients, KeySets(whole.parts.outbound.client_addresses), mode="sandbox"))


def prepare(whole: Whole) -> None:
    """Register the acting agency, let both others exchange, and name it in both their uses."""
    jwk = wholes._public_jwk(whole.folder / f"{ACTOR}.pem")
    about = {
        "client_id": ACTOR,
        "client_name": "Norr Processing",
        "redirect_uris": [f"https://{ACTOR}.example/callback"],
    }
    acting = ClientMetadata.model_validate({**about, "jwks": {"keys": [jwk]}})
    whole.give(
        registry=Registry(
            [*whole.parts.registry.all(), acting], KeySets(whole.parts.outbound.client_addresses), mode="sandbox"
        )
    )
    grants = ("authorization_code", "refresh_token", GRANT)
    give_clients(whole, norr_childcare={"grant_types": grants}, norr_planning={"grant_types": grants})
    give_uses(whole, *(named(whole.parts.uses.get(use), OFFICE) for use in USES))


def actor(whole: Whole, client_id: str = ACTOR) -> Agency:
    return Agency(
        client_id,
        "",
        f"https://{client_id}.example",
        whole.settings.issuer,
        whole.folder / f"{client_id}.pem",
        whole.client(),
        whole.clock.seconds,
        [],
    )


def given(agency: Agency, person: Citizen, **asked: str) -> dict[str, Any]:
    """What the agency gets when the person shares what it asks."""
    return agency.token(person.shares(person.open(agency.asks(**asked))))


def lends(acting: Agency, to: str, header: dict[str, Any] | None = None, **changed: Any) -> str:
    """An actor token: the acting agency says that it works for `to`; a change to None leaves a claim out."""
    key, kid = acting.key()
    claims = {
        "iss": acting.client_id,
        "sub": acting.client_id,
        "aud": acting.issuer,
        "client_id": to,
        "exp": int(acting.clock()) + 120,
        "jti": secrets.token_urlsafe(32),
        "cnf": {"jkt": Agency.kid(holder.public_jwk(acting.dpop))},
    }
    told = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    return jwt.encode(told, key, "ES256", headers={"kid": kid, "typ": "actor-token+jwt", **(header or {})})


def exchange(agency: Agency, token: dict[str, Any], lent: str, /, **changed: str | None) -> httpx2.Response:
    """The controller asks for a token for whoever signed `lent`; `changed` replaces, adds, or (None) leaves out."""
    said: dict[str, str | None] = {
        "grant_type": GRANT,
        "subject_token": token["access_token"],
        "subject_token_type": ACCESS_TOKEN,
        "actor_token": lent,
        "actor_token_type": JWT,
    }
    return agency.post("/token", {name: value for name, value in (said | changed).items() if value is not None})


def read(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))
