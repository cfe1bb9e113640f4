"""DPoP proofs: what RFC 9449 §4.3 refuses, what it accepts, and nonces without rows (§8, §9)."""

from typing import Any

import pytest

from broker import freshness
from broker.database import Database
from broker.errors import Wire
from broker.tokens import dpop
from broker.tokens.dpop import VerifiedProof
from broker.tokens.replay import Replayed
from keys.errors import Mismatch
from keys.keyring import RootKeyring
from tests.broker.relying import ISSUER, Key, ath, proof

SECOND = 1_000_000
URL = f"{ISSUER}/token"
RING = RootKeyring.generate().ring("dpop-nonce")
KEY = Key()
TOKEN = "the.access.token"


def made(now: int, **changed: Any) -> str:
    given: dict[str, Any] = {"method": "POST", "url": URL, "nonce": freshness.make(RING, now), **changed}
    return proof(KEY, now, **given)


def verify(header: str, now: int, **also: Any) -> VerifiedProof:
    return dpop.verify([header], method="POST", url=URL, ring=RING, now=now, **also)


def test_a_good_proof(now: int) -> None:
    verified = verify(made(now), now)
    assert verified.jkt == KEY.jkt
    assert not verified.at_resource


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"url": "HTTPS://Broker.Example/token"}, id="case of scheme and host"),
        pytest.param({"url": "https://broker.example:443/token"}, id="default port"),
        pytest.param({"url": f"{URL}?a=b"}, id="query"),
        pytest.param({"url": f"{URL}#f"}, id="fragment"),
        pytest.param({"url": "https://broker.example/%74oken"}, id="needless escape"),
        pytest.param({"extra": {"a": 1}}, id="extra claims"),
        pytest.param({"header": {"typ": "application/dpop+jwt"}}, id="long typ"),
    ],
)
def test_accepted(now: int, changed: dict[str, Any]) -> None:
    assert verify(made(now, **changed), now).jkt == KEY.jkt


@pytest.mark.parametrize("seconds", [-10, 10, -60])
def test_clocks_a_little_apart(now: int, seconds: int) -> None:
    issued = now // SECOND + seconds
    assert verify(made(now, iat=issued, nbf=issued, exp=now // SECOND + 60), now)


# fmt: off
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("(3) no jti",            {"jti": None}),
    ("(3) no htm",            {"htm": None}),
    ("(3) no htu",            {"htu": None}),
    ("(3) no iat",            {"iat": None}),
    ("(3) jti no string",     {"jti": 5}),
    ("(4) typ JWT",           {"header": {"typ": "JWT"}}),
    ("(4) typ at+jwt",        {"header": {"typ": "at+jwt"}}),
    ("(4) typ client auth",   {"header": {"typ": "client-authentication+jwt"}}),
    ("(6) no jwk",            {"header": {"jwk": None}}),
    ("(6) other key in jwk",  {"header": {"jwk": Key().public}}),
    ("(7) private key",       {"header": {"jwk": {**KEY.public, "d": "AA"}}}),
    ("(7) symmetric key",     {"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}}),
    ("(8) GET",               {"htm": "GET"}),
    ("(8) lower case",        {"htm": "post"}),
    ("(9) other path",        {"htu": f"{ISSUER}/par"}),
    ("(9) trailing slash",    {"htu": f"{URL}/"}),
    ("(9) case of the path",  {"htu": f"{ISSUER}/Token"}),
    ("(9) other host",        {"htu": "https://other.example/token"}),
    ("(9) other port",        {"htu": "https://broker.example:8443/token"}),
    ("(9) other scheme",      {"htu": "http://broker.example/token"}),
    ("(9) user name",         {"htu": "https://x@broker.example/token"}),
    ("(9) no string",         {"htu": [URL]}),
    ("(9) bad port",          {"htu": "https://broker.example:sent/token"}),
    ("(9) port nought",       {"htu": "https://broker.example:0/token"}),
    ("(9) bad host",          {"htu": "https://[broker/token"}),
    ("(11) an hour ago",      {"iat": 1_795_302_000 - 3600}),
    ("(11) an hour ahead",    {"iat": 1_795_302_000 + 3600}),
    ("(11) iat as text",      {"iat": "1795302000"}),
    ("(11) iat infinite",     {"iat": 10**400}),
    ("(11) expired",          {"exp": 1_795_302_000 - 60}),
    ("(11) nbf an hour off",  {"nbf": 1_795_302_000 + 3600}),
]
# fmt: on


@pytest.mark.parametrize("changed", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(now: int, changed: dict[str, Any]) -> None:
    """RFC 9449 §4.3; 400 `invalid_dpop_proof` at the authorization server (§5)."""
    with pytest.raises(Wire) as refused:
        verify(made(now, **changed), now)
    assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_dpop_proof", 400)
    assert "sent" not in refused.value.refusal.description, "the sender's words come back, and into the log"


@pytest.mark.parametrize("headers", [[], ["x", "y"], [""], ["a.b"], ["a" * 9000], ["é.é.é"]])
def test_refused_headers(now: int, headers: list[str]) -> None:
    """RFC 9449 §4.3 (1), (2)."""
    with pytest.raises(Wire) as refused:
        dpop.verify(headers, method="POST", url=URL, ring=RING, now=now)
    assert refused.value.refusal.code == "invalid_dpop_proof"


def test_two_good_headers(now: int) -> None:
    """RFC 9449 §4.3 (1)."""
    with pytest.raises(Wire):
        dpop.verify([made(now), made(now)], method="POST", url=URL, ring=RING, now=now)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256"])
def test_refused_algorithms(now: int, algorithm: str) -> None:
    """RFC 9449 §4.3 (5), §11.6."""
    import jwt
    from cryptography.hazmat.primitives.asymmetric import rsa

    rs = rsa.generate_private_key(65537, 2048)
    key: Any = {"none": None, "HS256": "s" * 32, "RS256": rs}[algorithm]
    public = jwt.algorithms.RSAAlgorithm.to_jwk(rs.public_key(), as_dict=True)
    claims = {"jti": "1", "htm": "POST", "htu": URL, "iat": now // SECOND, "nonce": freshness.make(RING, now)}
    forged = jwt.encode(claims, key, algorithm=algorithm, headers={"typ": "dpop+jwt", "jwk": public})
    with pytest.raises(Wire) as refused:
        verify(forged, now)
    assert refused.value.refusal.code == "invalid_dpop_proof"


# fmt: off
AT_RESOURCE: list[tuple[str, dict[str, Any], str]] = [
    ("(12) no ath",          {},                       KEY.jkt),
    ("(12) wrong ath",       {"ath": ath("another")},  KEY.jkt),
    ("(12) ath padded",      {"ath": ath(TOKEN) + "="}, KEY.jkt),
    ("(12) another's token", {"ath": ath(TOKEN)},      Key().jkt),
]
# fmt: on


@pytest.mark.parametrize(("changed", "jkt"), [row[1:] for row in AT_RESOURCE], ids=[row[0] for row in AT_RESOURCE])
def test_refused_at_a_resource(now: int, changed: dict[str, Any], jkt: str) -> None:
    """RFC 9449 §7.1: 401."""
    with pytest.raises(Wire) as refused:
        verify(made(now, **changed), now, access_token=TOKEN, jkt=jkt)
    assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_dpop_proof", 401)


def test_at_a_resource(now: int) -> None:
    assert verify(made(now, ath=ath(TOKEN)), now, access_token=TOKEN, jkt=KEY.jkt).at_resource


@pytest.mark.parametrize(
    "nonce",
    [
        pytest.param(None, id="missing"),
        pytest.param("x", id="not one"),
        pytest.param(7, id="no string"),
        pytest.param("A" * 54, id="forged"),
        pytest.param(freshness.make(RootKeyring.generate().ring("dpop-nonce"), 1_795_302_000 * SECOND), id="foreign"),
        pytest.param(freshness.make(RING, (1_795_302_000 - 301) * SECOND), id="old"),
        pytest.param(freshness.make(RING, (1_795_302_000 + 3600) * SECOND), id="of the future"),
    ],
)
@pytest.mark.parametrize(("also", "status"), [({}, 400), ({"access_token": TOKEN, "jkt": KEY.jkt}, 401)])
def test_a_nonce_is_asked_for(now: int, nonce: Any, also: dict[str, str], status: int) -> None:
    """RFC 9449 §8, §9: the refusal brings the nonce that then works."""
    with pytest.raises(Wire) as refused:
        verify(made(now, nonce=nonce, ath=ath(TOKEN)), now, **also)
    said = refused.value.refusal
    assert (said.code, said.status) == ("use_dpop_nonce", status)
    assert verify(made(now, nonce=said.headers["DPoP-Nonce"], ath=ath(TOKEN)), now, **also)


def test_a_nonce_lasts_at_least_a_window(now: int) -> None:
    given = freshness.make(RING, now)
    freshness.check(RING, given, now + 150 * SECOND)
    with pytest.raises(Mismatch):
        freshness.check(RING, given, now + 300 * SECOND)


def test_a_proof_counts_once(database: Database, now: int) -> None:
    """RFC 9449 §11.1: also across workers, the marker is a row; also between token endpoint and resource."""
    verified = verify(made(now, jti="once", ath=ath(TOKEN)), now)
    at_resource = verify(made(now, jti="once", ath=ath(TOKEN)), now, access_token=TOKEN, jkt=KEY.jkt)
    with database.write() as tx:
        verified.spend(tx)
    for again, status in ((verified, 400), (at_resource, 401)):
        with pytest.raises(Replayed) as refused, database.write() as tx:
            again.spend(tx)
        assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_dpop_proof", status)


def test_the_marker_outlives_every_nonce(now: int) -> None:
    verified = verify(made(now), now)
    with pytest.raises(Mismatch):
        freshness.check(RING, freshness.make(RING, now), verified.expires)
