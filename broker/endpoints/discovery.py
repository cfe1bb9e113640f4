"""What this server is and can do, in one computed document under both its names (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).

Only what works is in it; what a reader would otherwise have to assume is said (`…_supported: false`). Ours beyond the
registered names: `prefill_endpoint`, `ledger_checkpoint_uri`. Where clients are asked for certificates at another host, the
endpoints of the back channel are named there too (RFC 8705 §5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from starlette.requests import Request

from broker import needs
from broker.answers import Raw
from broker.authorization import (
    backchannel,
    claim_values,
    grant_management,
    pkce,
    prompt,
    request_object,
    response,
    words,
)
from broker.clients import authentication, profile
from broker.clients.mutual_tls import MutualTls
from broker.endpoints import (
    challenge,
    ciba,
    details_schema,
    device,
    grants,
    introspection,
    jwks,
    logout,
    par,
    registration,
    revocation,
    token,
    userinfo,
)
from broker.evidence import assured
from broker.evidence.assured import Assurance
from broker.notices import streams
from broker.sign_in import browser_state
from broker.tokens import access_token
from consent import intended_use
from consent.catalogue import Catalogue
from consent.intended_use import Uses
from keys import algorithms, canonical, jwe, jws

OPENID_CONFIGURATION = "/.well-known/openid-configuration"
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
MAX_AGE = 300  # seconds
AUTHORIZE, PREFILL, CHECKPOINT = "/authorize", "/prefill", "/ledger/checkpoint"


#: What clients call themselves, as far as the document has it.
BACK_CHANNEL = (
    "token_endpoint", "pushed_authorization_request_endpoint", "revocation_endpoint", "introspection_endpoint",
    "userinfo_endpoint", "prefill_endpoint", "device_authorization_endpoint", "backchannel_authentication_endpoint",
    "grant_management_endpoint",
)  # fmt: skip


def document(
    issuer: str,
    scopes: Iterable[str],
    mutual_tls: MutualTls | None = None,
    *,
    claims: Iterable[str] = (),
    verified: Mapping[str, Any] | None = None,
    legacy: Collection[str] = (),
) -> dict[str, Any]:
    """Compute the document of an issuer; `scopes` are the values a client may send, `mutual_tls` what is offered of it.

    `claims` are those about a person, `verified` is what is said of verified ones, `legacy` what the operator asked for.
    """
    told = _plain(issuer, scopes, claims) | _logout(issuer, legacy) | dict(verified or {})
    if mutual_tls is None:
        return told
    for name in (name for name in told if name.endswith("_auth_methods_supported")):
        told[name] = [*told[name], *mutual_tls.methods]
    told["tls_client_certificate_bound_access_tokens"] = True
    if mutual_tls.origin != issuer:
        named = {name: told[name] for name in BACK_CHANNEL if name in told}
        told["mtls_endpoint_aliases"] = {
            name: mutual_tls.origin + address.removeprefix(issuer) for name, address in named.items()
        }
    return told


def _plain(issuer: str, scopes: Iterable[str], claims: Iterable[str]) -> dict[str, Any]:
    return {"issuer": issuer, **_endpoints(issuer), **_requests(issuer, scopes), **_answers(claims)}


def _endpoints(issuer: str) -> dict[str, Any]:
    """Where everything is, and how a client says who it is there."""
    algs = [*sorted(jws.ASYMMETRIC), "RS256"]
    return {
        "authorization_endpoint": issuer + AUTHORIZE,
        "pushed_authorization_request_endpoint": issuer + par.PATH,
        "token_endpoint": issuer + token.PATH,
        **_elsewhere(issuer),
        "token_endpoint_auth_methods_supported": list(authentication.METHODS),
        "token_endpoint_auth_signing_alg_values_supported": algs,
        "userinfo_endpoint": issuer + userinfo.PATH,
        "revocation_endpoint": issuer + revocation.PATH,
        "revocation_endpoint_auth_methods_supported": list(authentication.METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": algs,
        "introspection_endpoint": issuer + introspection.PATH,
        "introspection_endpoint_auth_methods_supported": [m for m in authentication.METHODS if m != "none"],
        "introspection_endpoint_auth_signing_alg_values_supported": algs,
        "introspection_signing_alg_values_supported": [access_token.ALG],
        "challenge_endpoint": issuer + challenge.PATH,
        "client_attestation_signing_alg_values_supported": sorted(jws.ASYMMETRIC),
        "client_attestation_pop_signing_alg_values_supported": sorted(jws.ASYMMETRIC),
        "grant_management_endpoint": issuer + grants.PATH,
        "grant_management_actions_supported": list(grants.ACTIONS),
        "grant_management_action_required": False,
        "registration_endpoint": issuer + registration.PATH,
        "jwks_uri": issuer + jwks.PATH,
        "prefill_endpoint": issuer + PREFILL,
        "ledger_checkpoint_uri": issuer + CHECKPOINT,
    }


def _requests(issuer: str, scopes: Iterable[str]) -> dict[str, Any]:
    """What may be asked, and how."""
    return {
        "require_pushed_authorization_requests": False,
        "scopes_supported": [*scopes, *streams.SCOPES],
        "response_types_supported": ["code"],
        "response_modes_supported": list(response.MODES),
        "grant_types_supported": list(token.GRANTS),
        **_anonymous(),
        "code_challenge_methods_supported": [pkce.METHOD],
        "dpop_signing_alg_values_supported": sorted(jws.ASYMMETRIC),
        "acr_values_supported": list(intended_use.ACR[:2]),
        "prompt_values_supported": sorted(prompt.VALUES),
        "claims_parameter_supported": True,
        "authorization_details_types_supported": [issuer + details_schema.PATH],
        "display_values_supported": ["page", "touch"],
        "request_parameter_supported": True,
        "request_object_signing_alg_values_supported": request_object.ANY,
        "request_object_encryption_alg_values_supported": list(algorithms.ENCRYPTION),
        "request_object_encryption_enc_values_supported": list(jwe.ENCS),
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "ui_locales_supported": list(needs.LANGUAGES),
    }


def _answers(claims: Iterable[str]) -> dict[str, Any]:
    """What comes back."""
    encrypted = {
        f"{answer}_encryption_{part}_values_supported": values
        for answer in profile.ANSWERS
        for part, values in (("alg", list(jwe.ALGS)), ("enc", list(jwe.ENCS)))
    }
    return {
        **encrypted,
        "subject_types_supported": ["pairwise", "public"],
        "id_token_signing_alg_values_supported": list(jws.FOR_CLIENTS),
        "userinfo_signing_alg_values_supported": list(jws.FOR_CLIENTS),
        "authorization_response_iss_parameter_supported": True,
        "authorization_signing_alg_values_supported": list(jws.FOR_CLIENTS),
        "claim_types_supported": ["normal"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "acr", "auth_time", "sid", *claims],
    }


def scopes_of(uses: Uses) -> tuple[str, ...]:
    """Name the scope values a client may send: `openid`, `offline_access`, the two for its grants, and one for each use of the agencies."""
    asked = sorted(use.id for use in uses.current.values() if use.mode == "consent")
    alone = () if uses.sign_in is None else tuple(uses.sign_in.words)
    return ("openid", words.OFFLINE, *alone, *sorted(grant_management.SCOPES), *(f"use:{use_id}" for use_id in asked))


def claims_of(uses: Uses, known: Catalogue) -> tuple[str, ...]:
    """Name the claims about a person that can be delivered: of what agencies ask under a use, and of the account."""
    asked = {item for use in uses.current.values() if use.mode == "consent" for item in use.item_ids}
    named = {name for name, item in uses.claims.items() if item in asked and _carried(known, item)}
    alone = () if uses.sign_in is None else (*uses.sign_in.claims, claim_values.UPDATED_AT)
    return tuple(sorted({*named, *alone}))


def assured_of(uses: Uses, known: Catalogue, assurance: Assurance | None) -> dict[str, Any]:
    """Say what there is of verified claims (OpenID Connect for Identity Assurance 1.0 §7); nothing without a framework."""
    asked = {item for use in uses.current.values() if use.mode == "consent" for item in use.item_ids}
    if assurance is None:
        return {}
    named = {name: item for name, item in uses.claims.items() if item in asked and _carried(known, item)}
    held = assurance.claims(known, named)
    return {
        "verified_claims_supported": True,
        "trust_frameworks_supported": [assurance.trust_framework],
        "evidence_supported": [assured.EVIDENCE],
        "electronic_records_supported": sorted({assurance.records[known.attribute(i).source] for i in held.values()}),
        "claims_in_verified_claims_supported": sorted(held),
    }


def _carried(known: Catalogue, item: str) -> bool:
    return known.attribute(item).type not in claim_values.NO_CLAIM


def _elsewhere(issuer: str) -> dict[str, Any]:
    """Where clients ask whose people decide elsewhere (RFC 8628 §4, CIBA Core §4)."""
    return {
        "device_authorization_endpoint": issuer + device.PATH,
        "backchannel_authentication_endpoint": issuer + ciba.PATH,
        "backchannel_token_delivery_modes_supported": list(backchannel.MODES),
        "backchannel_authentication_request_signing_alg_values_supported": request_object.ANY,
        "backchannel_user_code_parameter_supported": False,
    }


def _logout(issuer: str, legacy: Collection[str]) -> dict[str, Any]:
    """How clients end a session, and hear of its end.

    RP-Initiated Logout 1.0 §2.1, Back-Channel Logout 1.0 §2.1; Front-Channel Logout 1.0 §3, Session Management 1.0 §3.3.
    """
    told: dict[str, Any] = {
        "end_session_endpoint": issuer + logout.PATH,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }
    if "frontchannel_logout" in legacy:
        told |= {"frontchannel_logout_supported": True, "frontchannel_logout_session_supported": True}
    if "session_management" in legacy:
        told["check_session_iframe"] = issuer + browser_state.PATH
    return told


def _anonymous() -> dict[str, Any]:
    """Whether a wallet may redeem an offer without being a registered client (OpenID4VCI 1.0 §12.3)."""
    offer = token.GRANTS.get(token.PRE_AUTHORIZED_CODE)
    return {} if offer is None else {"pre-authorized_grant_anonymous_access_supported": offer.anonymous}


def computed(
    issuer: str,
    uses: Uses,
    known: Catalogue,
    *,
    assurance: Assurance | None,
    mutual_tls: MutualTls | None,
    legacy: Collection[str] = (),
) -> dict[str, Any]:
    """Compute the document from what the operator declared."""
    verified = assured_of(uses, known, assurance)
    claims = claims_of(uses, known)
    return document(issuer, scopes_of(uses), mutual_tls, claims=claims, verified=verified, legacy=legacy)


@lru_cache(maxsize=4)
def _rendered(wired: _ById) -> bytes:
    parts = wired.parts
    told = computed(
        parts.issuer,
        parts.uses,
        parts.catalogue,
        assurance=parts.registers.assurance,
        mutual_tls=parts.registry.mutual_tls,
        legacy=parts.legacy,
    )
    return canonical.dumps(told)


@dataclass(frozen=True, eq=False)
class _ById:
    """The wired parts, told from others by what they are."""

    parts: needs.Parts

    def __hash__(self) -> int:
        return id(self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and other.parts is self.parts


async def gather(request: Request) -> bytes:
    """Take the document, computed once."""
    return _rendered(_ById(needs.parts(request)))


def act(content: bytes, _now: int) -> Raw:
    """Publish it."""
    return Raw(
        content,
        "application/json",
        headers={"Cache-Control": f"public, max-age={MAX_AGE}", "Access-Control-Allow-Origin": "*"},
    )
