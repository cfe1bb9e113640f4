"""Access tokens: what PyJWT reads in them, and which texts are none (RFC 9068 §2, §4)."""

from typing import Any

import jwt
import pytest

from broker.errors import Wire
from broker.tokens import access_token, id_token
from keys.keyring import Keyring
from tests.broker.relying import ISSUER, keyring

SECOND = 1_000_000
RING = keyring()


def mint(now: int, ring: Keyring = RING, **changed: Any) -> str:
    members: dict[str, Any] = {
        "issuer": ISSUER,
        "subject": "s",
        "client_id": "rp",
        "scope": ("openid", "use:town.permit"),
        "acr": "http://eidas.europa.eu/LoA/substantial",
        "cnf": {"jkt": "j" * 43},
        "grant_id": "g",
        "family": "f",
        "now": now,
    }
    return access_token.mint(ring, **{**members, **changed})


def test_another_library_reads_it(now: int) -> None:
    token = mint(now)
    header = jwt.get_unverified_header(token)
    key = jwt.PyJWKSet.from_dict(RING.jwks("token"))[header["kid"]]
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=ISSUER, issuer=ISSUER, options=options)
    assert header["typ"] == "at+jwt"
    assert claims["aud"] == ISSUER
    assert claims["exp"] - claims["iat"] == 300
    assert claims["cnf"] == {"jkt": "j" * 43}
    assert (claims["grant_id"], claims["family"], claims["scope"]) == ("g", "f", "openid use:town.permit")
    assert len(claims["jti"]) == 43
    assert set(claims) == {
        "iss",
        "aud",
        "sub",
        "client_id",
        "iat",
        "exp",
        "jti",
        "scope",
        "acr",
        "cnf",
        "grant_id",
        "family",
    }


def test_round_trip(now: int) -> None:
    told = access_token.verify(mint(now), RING, issuer=ISSUER, now=now)
    assert (told.subject, told.client_id, told.scope) == ("s", "rp", ("openid", "use:town.permit"))
    assert (told.jkt, told.grant_id, told.family) == ("j" * 43, "g", "f")
    assert told.expires == now // SECOND * SECOND + 300 * SECOND


def test_two_tokens_differ(now: int) -> None:
    assert mint(now) != mint(now)


def test_the_end(now: int) -> None:
    token = mint(now)
    access_token.verify(token, RING, issuer=ISSUER, now=now + 299 * SECOND)
    with pytest.raises(Wire):
        access_token.verify(token, RING, issuer=ISSUER, now=now + 300 * SECOND)


# fmt: off
REFUSED = [
    ("RFC 9068 §4 typ: an ID token",   lambda now: id_token.mint(RING, issuer=ISSUER, subject="s", client_id=ISSUER, acr="a", now=now)),
    ("RFC 9068 §4 another's key",      lambda now: mint(now, keyring())),
    ("RFC 9068 §4 another issuer",     lambda now: mint(now, issuer="https://other.example")),
    ("RFC 9068 §4 from the future",    lambda now: mint(now + 3600 * SECOND)),
    ("RFC 9068 §4 changed",            lambda now: mint(now)[:-2] + "AA"),
    ("RFC 9068 §4 unsigned",           lambda now: mint(now).rpartition(".")[0] + "."),
    ("RFC 8725 §3.1 alg none",         lambda now: jwt.encode({"iss": ISSUER}, "", algorithm="none", headers={"typ": "at+jwt"})),
    ("RFC 6750 §3.1 no token",         lambda _: "x"),
]
# fmt: on


@pytest.mark.parametrize("forge", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(now: int, forge: Any) -> None:
    with pytest.raises(Wire) as refused:
        access_token.verify(forge(now), RING, issuer=ISSUER, now=now)
    assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_token", 401)
