"""Client authentication: each client's one way in, and every way that is refused (RFC 6749 §2.3, RFC 7523 §3, FAPI 2.0 §5.3.2.1)."""

import asyncio
import base64
from typing import Any

import pytest

from broker.clients import authentication, secret
from broker.clients.attestation import Attested
from broker.clients.key_sets import KeySets
from broker.clients.metadata import ClientMetadata
from broker.clients.registry import Registry
from broker.egress import Egress
from broker.errors import Wire
from broker.parameters import Parameters
from keys.keyring import RootKeyring
from tests.broker.relying import ISSUER, Key, assertion, client, credentials, parameters

KEY, OTHER = Key("k1"), Key("k1")
SECRET = "s-3_cret" * 6
BASIC, POST = "client-secret-basic", "client-secret-post"
SECOND = 1_000_000


def registry() -> Registry:
    clients = [client(KEY), client(OTHER, "other"), client(KEY, "off", disabled=True)]
    clients.append(client(KEY, "ps", token_endpoint_auth_signing_alg="PS256"))
    for method in ("client_secret_basic", "client_secret_post"):
        clients += [
            by_secret(method),
            by_secret(method, "-old", client_secret_expires_at=1),
            by_secret(method, "-off", disabled=True),
        ]
    clients.append(client(KEY, "app", profile="baseline", token_endpoint_auth_method="none"))
    clients.append(client(KEY, "wallet", profile="haip"))
    return Registry(clients, KeySets(Egress()), mode="sandbox")


def by_secret(method: str, name: str = "", **members: Any) -> ClientMetadata:
    about = {"profile": "baseline", "token_endpoint_auth_method": method, "client_secret_hash": secret.kept(SECRET)}
    return client(KEY, method.replace("_", "-") + name, **about, **members)


def basic(client_id: str, given: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{client_id}:{given}'.encode()).decode()}"


def authenticate(
    given: Parameters, now: int, authorization: tuple[str, ...] = ()
) -> authentication.AuthenticatedClient:
    return asyncio.run(authentication.authenticate(given, authorization, registry=registry(), issuer=ISSUER, now=now))


def test_a_good_assertion(now: int) -> None:
    given = authenticate(parameters(**credentials(KEY, now), client_id="rp"), now)
    assert given.client_id == "rp"
    assert given.assertion_expires > now + 60 * SECOND
    without = authenticate(parameters(**credentials(KEY, now, iat=now // SECOND, nbf=now // SECOND + 8)), now)
    assert without.client_id == "rp"
    assert without.assertion_id != given.assertion_id


def test_the_same_jti_of_two_clients_is_two_assertions(now: int) -> None:
    one = authenticate(parameters(**credentials(KEY, now, jti="1")), now)
    two = authenticate(parameters(**credentials(OTHER, now, "other", jti="1")), now)
    assert one.assertion_id != two.assertion_id


# fmt: off
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("rfc7523bis §4 aud = token endpoint",  {"aud": f"{ISSUER}/token"}),
    ("rfc7523bis §4 aud = PAR endpoint",    {"aud": f"{ISSUER}/par"}),
    ("rfc7523bis §4 aud = array",           {"aud": [ISSUER]}),
    ("rfc7523bis §4 aud = array of two",    {"aud": [ISSUER, "https://other.example"]}),
    ("rfc7523bis §4 aud = other issuer",    {"aud": "https://other.example"}),
    ("rfc7523bis §4 aud with slash",        {"aud": f"{ISSUER}/"}),
    ("RFC 7523 §3 no aud",                  {"aud": None}),
    ("RFC 7523 §3 no jti",                  {"jti": None}),
    ("RFC 7523 §3 jti no string",           {"jti": 7}),
    ("RFC 7523 §3 no exp",                  {"exp": None}),
    ("RFC 7523 §3 exp as text",             {"exp": "4102444800"}),
    ("protocol §2 exp too far",             {"exp": 4_102_444_800}),
    ("RFC 7523 §3 expired",                 {"exp": 1}),
    ("RFC 7523 §3 iss is not sub",          {"iss": "other"}),
    ("RFC 7523 §3 no iss",                  {"iss": None}),
    ("RFC 7523 §3 sub is another client",   {"sub": "other"}),
    ("RFC 7523 §3 sub is unknown",          {"iss": "nobody", "sub": "nobody"}),
    ("RFC 7523 §3 sub no string",           {"sub": 5}),
    ("protocol §4 disabled client",         {"iss": "off", "sub": "off"}),
    ("protocol §2 alg not the registered",  {"iss": "ps", "sub": "ps"}),
    ("protocol §2 kid of another's key",    {"iss": "other", "sub": "other"}),
    ("RFC 8725 §3.11 other typ",            {"header": {"typ": "dpop+jwt"}}),
    ("RFC 8725 §3.11 a logout token",       {"header": {"typ": "logout+jwt"}}),
    ("RFC 7515 §4.1.11 crit",               {"header": {"crit": ["exp"], "b64": True}}),
    ("RFC 7515 §4.1.4 unknown kid",         {"header": {"kid": "other"}}),
    ("RFC 7515 §4.1.3 jwk is no key source", {"header": {"kid": "x", "jwk": KEY.public}}),
]
# fmt: on


@pytest.mark.parametrize("changed", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(now: int, changed: dict[str, Any]) -> None:
    given = {**credentials(KEY, now), "client_assertion": assertion(KEY, now, **changed)}
    with pytest.raises(Wire) as refused:
        authenticate(parameters(**given), now)
    assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_client", 401)


@pytest.mark.parametrize("ahead", [61, 3600])
def test_not_yet(now: int, ahead: int) -> None:
    """RFC 7523 §3: `nbf` over a minute ahead."""
    with pytest.raises(Wire):
        authenticate(parameters(**credentials(KEY, now, nbf=now // SECOND + ahead)), now)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"client_assertion": None}, id="RFC 7521 §4.2 no assertion"),
        pytest.param({"client_assertion": "a.b.c"}, id="RFC 7515 §7.1 malformed"),
        pytest.param({"client_assertion": "a" * 70_000}, id="protocol §5 huge"),
        pytest.param({"client_assertion_type": None}, id="RFC 7521 §4.2 no type"),
        pytest.param({"client_assertion_type": "saml"}, id="RFC 7521 §4.2 other type"),
        pytest.param({"client_secret": "x"}, id="RFC 6749 §2.3 two methods"),
        pytest.param({"client_id": "other"}, id="RFC 7521 §4.2 client_id of another"),
    ],
)
def test_refused_parameters(now: int, changed: dict[str, str | None]) -> None:
    given = {name: value for name, value in {**credentials(KEY, now), **changed}.items() if value is not None}
    with pytest.raises(Wire) as refused:
        authenticate(parameters(**given), now)
    assert refused.value.refusal.code == "invalid_client"


def test_basic_beside_an_assertion(now: int) -> None:
    """RFC 6749 §2.3: one method a request."""
    with pytest.raises(Wire):
        authenticate(parameters(**credentials(KEY, now)), now, ("Basic eDp5",))


def test_alg_none_and_a_shared_secret(now: int) -> None:
    """RFC 8725 §3.1: no signature, and the public key as an HMAC secret."""
    import jwt

    claims = {"iss": "rp", "sub": "rp", "aud": ISSUER, "jti": "1", "exp": now // SECOND + 60}
    unsigned = jwt.encode(claims, None, algorithm="none")  # type: ignore[arg-type]  # none takes no key
    mac = jwt.encode(claims, "s" * 32, algorithm="HS256", headers={"kid": "k1"})
    for forged in (unsigned, mac):
        with pytest.raises(Wire):
            authenticate(parameters(**{**credentials(KEY, now), "client_assertion": forged}), now)


def test_attempted() -> None:
    ring = RootKeyring.generate().ring("attestation")
    nothing = Attested([], [], ring)
    assert not authentication.is_attempted(parameters(client_id="rp"), [], nothing)
    assert authentication.is_attempted(parameters(client_secret="x"), [], nothing)
    assert authentication.is_attempted(parameters(), ["Basic x"], nothing)
    assert authentication.is_attempted(parameters(), [], Attested(["x"], [], ring))


def test_the_other_methods(now: int) -> None:
    """RFC 6749 §2.3.1: by secret, in the header or in the body; a public client says who it is."""
    by_header = authenticate(parameters(), now, (basic(BASIC, SECRET),))
    assert (by_header.client_id, by_header.confidential, by_header.assertion_id) == (BASIC, True, None)
    assert authenticate(parameters(client_id=BASIC), now, (basic(BASIC, SECRET, "bAsIc"),)).client_id == BASIC
    by_body = authenticate(parameters(client_id=POST, client_secret=SECRET), now)
    assert (by_body.client_id, by_body.confidential) == (POST, True)
    public = authenticate(parameters(client_id="app"), now)
    assert (public.client_id, public.confidential) == ("app", False)


# fmt: off
REFUSED_BY_NAME: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    ("RFC 6749 §2.3.1 wrong secret in the header",  {},                                             (basic(BASIC, "x" * 48),)),
    ("RFC 6749 §2.3.1 wrong secret in the body",    {"client_id": POST, "client_secret": "x" * 48}, ()),
    ("RFC 6749 §2.3.1 empty secret",                {},                                             (basic(BASIC, ""),)),
    ("RFC 6749 §2.3.1 the hash is no secret",       {"client_id": POST, "client_secret": secret.kept(SECRET)}, ()),
    ("RFC 6749 §2.3.1 unknown client",              {},                                             (basic("nobody", SECRET),)),
    ("RFC 6749 §2.3.1 not base64",                  {},                                             ("Basic ???",)),
    ("RFC 6749 §2.3.1 no colon",                    {},                                             ("Basic YWJj",)),
    ("RFC 6749 §2.3.1 a stray per cent sign",       {},                                             (basic(BASIC, SECRET + "%"),)),
    ("RFC 7617 §2 not ASCII",                       {},                                             (basic(BASIC, SECRET + "ä"),)),
    ("RFC 6749 §2.3 another scheme",                {},                                             (basic(BASIC, SECRET, "Bearer"),)),
    ("RFC 6749 §2.3 two headers",                   {},                                             (basic(BASIC, SECRET),) * 2),
    ("RFC 6749 §2.3 header and body",               {"client_secret": SECRET},                      (basic(BASIC, SECRET),)),
    ("RFC 6749 §2.3.1 client_id of another",        {"client_id": POST},                            (basic(BASIC, SECRET),)),
    ("RFC 7591 §2 post where basic is registered",  {"client_id": BASIC, "client_secret": SECRET},  ()),
    ("RFC 7591 §2 basic where post is registered",  {},                                             (basic(POST, SECRET),)),
    ("RFC 7591 §2 none where a secret is registered", {"client_id": BASIC},                         ()),
    ("RFC 7591 §2 none where keys are registered",  {"client_id": "rp"},                            ()),
    ("RFC 7591 §2 a secret for a public client",    {"client_id": "app", "client_secret": SECRET},  ()),
    ("RFC 7591 §3.2.1 expired secret",              {},                                             (basic(f"{BASIC}-old", SECRET),)),
    ("protocol §4 disabled client",                 {},                                             (basic(f"{BASIC}-off", SECRET),)),
    ("RFC 6749 §2.3 nothing at all",                {},                                             ()),
    ("protocol §5 huge secret",                     {"client_id": POST, "client_secret": "s" * 60_000}, ()),
    ("protocol §5 huge header",                     {},                                             ("Basic " + "A" * 60_000,)),
    ("HAIP 1.0 §4.4.1 a wallet without attestation", {"client_id": "wallet"},                       ()),
]
# fmt: on


@pytest.mark.parametrize(("given", "headers"), [r[1:] for r in REFUSED_BY_NAME], ids=[r[0] for r in REFUSED_BY_NAME])
def test_refused_by_name(now: int, given: dict[str, str], headers: tuple[str, ...]) -> None:
    with pytest.raises(Wire) as refused:
        authenticate(parameters(**given), now, headers)
    assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_client", 401)
    assert SECRET not in refused.value.refusal.description
    assert ("WWW-Authenticate" in refused.value.refusal.headers) is bool(headers)


def test_an_assertion_does_not_serve_a_client_with_a_secret(now: int) -> None:
    """RFC 7591 §2: the registered method and no other, also where keys would verify."""
    with pytest.raises(Wire):
        authenticate(parameters(**credentials(KEY, now, BASIC)), now)


def test_unknown_and_wrong_look_alike(now: int) -> None:
    def said(client_id: str) -> str:
        with pytest.raises(Wire) as refused:
            authenticate(parameters(), now, (basic(client_id, "x" * 43),))
        return refused.value.refusal.description

    assert said("nobody") == said(BASIC)
