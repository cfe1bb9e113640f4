"""ID tokens: who signed in, how and for whom (OpenID Connect Core §2, §3.1.3.6)."""

from collections.abc import Mapping
from typing import Any

from keys import jws
from keys.algorithms import Alg
from keys.keyring import Keyring

ALG: Alg = "ES256"
LIFETIME = 300  # seconds
SECOND = 1_000_000  # microseconds


def mint(
    keyring: Keyring,
    *,
    issuer: str,
    subject: str,
    client_id: str,
    acr: str,
    now: int,
    nonce: str | None = None,
    auth_time: int | None = None,
    sid: str | None = None,
    lifetime: int = LIFETIME,
    alg: Alg = ALG,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """Sign an ID token with the algorithm its client registered. `auth_time` (microseconds) only where the client may know it: two agencies could compare it.

    `nonce` is the request's, exactly; `sid` the session as this client knows it (OpenID Connect Back-Channel Logout 1.0 §2.1);
    `lifetime` in seconds.
    `claims` about the person never take the place of ours.
    """
    issued = now // SECOND
    ours: dict[str, Any] = {
        "iss": issuer,
        "sub": subject,
        "aud": client_id,
        "iat": issued,
        "exp": issued + lifetime,
        "acr": acr,
    }
    if nonce is not None:
        ours["nonce"] = nonce
    if auth_time is not None:
        ours["auth_time"] = auth_time // SECOND
    if sid is not None:
        ours["sid"] = sid
    return jws.sign(keyring.signer(purpose="token", alg=alg), {**(claims or {}), **ours}, typ="JWT")
