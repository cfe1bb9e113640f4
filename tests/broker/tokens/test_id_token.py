"""ID tokens as PyJWT reads them (OpenID Connect Core §2)."""

from typing import Any

import jwt
import pytest

from broker.tokens import id_token
from keys import algorithms
from keys.keyring import Keyring, SigningKey
from tests.broker.relying import ISSUER, keyring

RING = keyring()
SECOND = 1_000_000


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA", "RS256"])
def test_the_algorithm_is_the_clients(now: int, alg: Any) -> None:
    """OpenID Connect Registration §2: signed as registered, by a published key of that algorithm."""
    made = Keyring((*RING.keys, *(SigningKey.of(algorithms.generate(alg), purpose="token", stage="signing"),)))
    token = id_token.mint(made, issuer=ISSUER, subject="s", client_id="rp", acr="a", now=now, alg=alg)
    header = jwt.get_unverified_header(token)
    assert header["alg"] == alg
    published = {key["kid"]: key for key in made.jwks("token")["keys"]}[header["kid"]]
    assert (published["alg"], published["use"]) == (alg, "sig")
    key = jwt.PyJWK.from_dict(published)
    options: Any = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token, key, algorithms=[alg], audience="rp", issuer=ISSUER, options=options)["sub"] == "s"


@pytest.mark.parametrize(
    ("given", "beyond"),
    [
        ({}, {}),
        ({"nonce": "n" * 384}, {"nonce": "n" * 384}),
        ({"auth_time": 1_795_301_999_999_999}, {"auth_time": 1_795_301_999}),
    ],
)
def test_claims(now: int, given: dict[str, Any], beyond: dict[str, Any]) -> None:
    """`auth_time` and `nonce` only when there are any: two agencies can compare what they both get."""
    token = id_token.mint(RING, issuer=ISSUER, subject="s", client_id="rp", acr="a", now=now, **given)
    header = jwt.get_unverified_header(token)
    key = jwt.PyJWKSet.from_dict(RING.jwks("token"))[header["kid"]]
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="rp", issuer=ISSUER, options=options)
    expected = {"iss": ISSUER, "aud": "rp", "sub": "s", "acr": "a", "iat": now // SECOND, "exp": now // SECOND + 300}
    assert claims == expected | beyond
