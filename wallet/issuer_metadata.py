"""The documents a wallet and a verifier read about the issuer (OpenID4VCI 1.0 §12.2; SD-JWT VC §4, JWT VC Issuer Metadata)."""

from collections.abc import Iterable, Mapping
from typing import Any

from wallet.credential_type import Claim, CredentialType, Display, Label

CREDENTIAL_ISSUER = "/.well-known/openid-credential-issuer"
JWT_VC_ISSUER = "/.well-known/jwt-vc-issuer"
REISSUE_SECONDS_LEFT = 3600


def build(
    types: Mapping[str, CredentialType],
    *,
    issuer: str,
    display: Iterable[Label],
    credential_endpoint: str,
    nonce_endpoint: str,
) -> dict[str, Any]:
    """Return the credential issuer metadata, complete and truthful.

    `authorization_servers` is left out: the issuer is its own. `batch_credential_issuance`, encryption, deferred
    issuance and notification are left out because they are not offered.
    """
    return {
        "credential_issuer": issuer,
        "credential_endpoint": credential_endpoint,
        "nonce_endpoint": nonce_endpoint,
        "display": [{"name": one.name, "locale": one.locale} for one in display],
        "credential_configurations_supported": {name: _configuration(one) for name, one in types.items()},
    }


def _configuration(one: CredentialType) -> dict[str, Any]:
    return {
        "format": one.format,
        "scope": one.scope,
        "vct": one.vct,
        "credential_signing_alg_values_supported": list(one.credential_signing_alg_values_supported),
        "cryptographic_binding_methods_supported": ["jwk"],
        "proof_types_supported": {
            "jwt": {"proof_signing_alg_values_supported": list(one.proof_signing_alg_values_supported)}
        },
        "credential_metadata": {
            "display": [_display(shown) for shown in one.display],
            "claims": [_claim(claim) for claim in one.claims],
            "credential_reuse_policy": _reuse_policy(),
        },
    }


def _reuse_policy() -> dict[str, Any]:
    """Say how often the one copy may be shown (an extension of the EUDI reference framework; its wallets fail without)."""
    option = {"details": ["limited_time"], "batch_size": 1, "reissue_trigger_lifetime_left": REISSUE_SECONDS_LEFT}
    return {"id": "arf_annex_ii", "options": [option]}


def _display(shown: Display) -> dict[str, Any]:
    return shown.model_dump(exclude_none=True)


def _claim(claim: Claim) -> dict[str, Any]:
    mandatory = claim.mandatory or claim.fixed is not None
    return {
        "path": list(claim.path),
        "mandatory": mandatory,
        "display": [{"name": one.name, "locale": one.locale} for one in claim.display],
    }


def jwt_vc_issuer(*, issuer: str, keys: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the JWT VC Issuer Metadata: the public keys that sign credentials, by value."""
    return {"issuer": issuer, "jwks": {"keys": [dict(key) for key in keys]}}
