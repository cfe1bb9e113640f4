"""Signed tokens: what is made is verified by others, and what others forge is refused."""

import contextlib
import hashlib
import hmac
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from keys import algorithms, base64url, jwk, jws
from keys.errors import InvalidToken, Malformed
from keys.keyring import SigningKey

NOW = 1_790_000_000 * 1_000_000
SECONDS = NOW // 1_000_000
ISSUER = "https://id.example.gov"
KEY = SigningKey.of(algorithms.from_seed("ES256", b"\x01" * 32), purpose="token", stage="signing")
STRANGER = SigningKey.of(algorithms.from_seed("ES256", b"\x02" * 32), purpose="token", stage="signing")
KEYS = jwk.parse_set({"keys": [dict(KEY.public_jwk)]})
PUBLIC = {name: KEY.public_jwk[name] for name in ("kty", "crv", "x", "y")}

ASSERTION = {"iss": "client", "sub": "client", "aud": ISSUER, "exp": SECONDS + 60, "jti": "j1", "iat": SECONDS}
PROOF = {"jti": "j1", "htm": "POST", "htu": ISSUER + "/token", "iat": SECONDS}


def encode(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64url.encode(raw)


def forge(header, claims, key=KEY):
    signed = f"{encode(header)}.{encode(claims)}"
    return f"{signed}.{base64url.encode(key.sign(signed.encode()))}"


def without(claims, *names):
    return {name: value for name, value in claims.items() if name not in names}


def verify_assertion(token, **more):
    arguments = {"keys": KEYS, "issuer": "client", "audience": ISSUER, "now": NOW, "sub": "client", **more}
    return jws.verify(jws.CLIENT_ASSERTION, token, **arguments)


def head(**more):
    return {"alg": "ES256", "typ": "JWT", "kid": KEY.kid, **more}


def test_what_we_sign_an_independent_library_verifies():
    token = jws.sign(KEY, {"iss": ISSUER, "aud": "client", "name": "Zoë"}, typ="at+jwt", header={"x": 1})
    key = jwt.PyJWK.from_dict(dict(KEY.public_jwk))
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="client", issuer=ISSUER)
    assert claims["name"] == "Zoë"
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid, "x": 1}


@pytest.mark.parametrize("member", ["alg", "kid", "typ", "crit"])
def test_the_caller_does_not_replace_our_header(member):
    with pytest.raises(Malformed):
        jws.sign(KEY, {}, typ="JWT", header={member: "x"})


@pytest.mark.parametrize("value", [float("nan"), {1}, "\ud800"])
def test_claims_that_json_cannot_carry(value):
    with pytest.raises(Malformed):
        jws.sign(KEY, {"x": value}, typ="JWT")


def test_a_good_assertion():
    claims = verify_assertion(jws.sign(KEY, ASSERTION, typ="JWT"))
    assert dict(claims) == ASSERTION
    assert claims.header["kid"] == KEY.kid
    assert claims.thumbprint() == KEY.kid
    with pytest.raises(TypeError):
        claims.members["sub"] = "other"


@pytest.mark.parametrize(
    ("typ", "change"),
    [
        ("client-authentication+jwt", {}),
        ("application/client-authentication+jwt", {}),
        ("jwt", {}),
        ("JWT", {"nbf": SECONDS + 8}),  # clocks differ: up to 8 s ahead is accepted
        ("JWT", {"iat": SECONDS + 8}),
        ("JWT", {"exp": SECONDS + 600}),
        ("JWT", {"exp": SECONDS + 59.5}),  # RFC 7519 §2: NumericDate may have a fraction
    ],
)
def test_assertions_that_pass(typ, change):
    assert verify_assertion(forge(head(typ=typ), ASSERTION | change))["iss"] == "client"


def test_an_assertion_without_typ_or_kid_passes_when_the_client_has_one_key():
    assert verify_assertion(forge({"alg": "ES256"}, ASSERTION))["iss"] == "client"


BAD_HEADERS = [
    ("RFC 8725 §3.1", {"alg": "none", "typ": "JWT"}, "algorithm"),
    ("RFC 8725 §3.1", head(alg="None"), "algorithm"),
    ("RFC 8725 §2.1", head(alg="HS256"), "algorithm"),
    ("RFC 8725 §3.2", head(alg="ES384"), "algorithm"),
    ("RFC 7515 §4.1.1", {"typ": "JWT", "kid": KEY.kid}, "algorithm"),
    ("RFC 7515 §4.1.1", head(alg=["ES256"]), "algorithm"),
    ("RFC 7515 §4.1.1", head(alg={}), "algorithm"),
    ("RFC 8725 §3.11", head(typ="at+jwt"), "type"),
    ("RFC 8725 §3.11", head(typ="dpop+jwt"), "type"),
    ("RFC 8725 §3.11", head(typ=["JWT"]), "type"),
    ("RFC 7515 §4.1.11", head(crit=["exp"]), "critical"),
    ("RFC 7515 §4.1.11", head(crit=[]), "critical"),
    ("RFC 7797 §6", head(crit=["b64"], b64=False), "critical"),
    ("RFC 7797 §6", head(b64=False), "critical"),
    ("RFC 7515 §4.1.4", head(kid="other"), "unknown_key"),
    ("RFC 7515 §4.1.4", head(kid=5), "unknown_key"),
    ("RFC 7515 §4.1.4", head(kid=["x"]), "unknown_key"),
    ("RFC 7518 §3.3", head(alg="RS256"), "unknown_key"),
]


@pytest.mark.parametrize(("spec", "header", "reason"), BAD_HEADERS)
def test_headers_refused(spec, header, reason):
    with pytest.raises(InvalidToken) as refusal:
        verify_assertion(forge(header, ASSERTION))
    assert refusal.value.reason == reason


BAD_CLAIMS = [
    *[("RFC 7523 §3", without(ASSERTION, name), f"missing_{name}") for name in ("iss", "sub", "aud", "exp", "jti")],
    ("RFC 7523 §3", ASSERTION | {"iss": "other"}, "wrong_iss"),
    ("RFC 7523 §3", ASSERTION | {"sub": "other"}, "wrong_sub"),
    ("RFC 7523 §3", ASSERTION | {"sub": ["client"]}, "wrong_sub"),
    ("RFC 7523 §3", ASSERTION | {"jti": ""}, "wrong_jti"),
    ("RFC 7523 §3", ASSERTION | {"jti": 5}, "wrong_jti"),
    ("FAPI 2.0 §5.3.2.1", ASSERTION | {"aud": [ISSUER]}, "wrong_aud"),
    ("FAPI 2.0 §5.3.2.1", ASSERTION | {"aud": [ISSUER, "https://stranger.example"]}, "wrong_aud"),
    ("FAPI 2.0 §5.3.2.1", ASSERTION | {"aud": ISSUER + "/"}, "wrong_aud"),
    ("FAPI 2.0 §5.3.2.1", ASSERTION | {"aud": ISSUER + "/token"}, "wrong_aud"),
    ("RFC 7519 §4.1.4", ASSERTION | {"exp": SECONDS}, "expired"),
    ("RFC 7519 §4.1.4", ASSERTION | {"exp": SECONDS - 1}, "expired"),
    ("RFC 7519 §4.1.4", ASSERTION | {"exp": str(SECONDS + 60)}, "wrong_exp"),
    ("RFC 7519 §4.1.4", ASSERTION | {"exp": True}, "wrong_exp"),
    ("RFC 7519 §4.1.4", ASSERTION | {"exp": None}, "wrong_exp"),
    ("RFC 7519 §4.1.4", ASSERTION | {"exp": 10**400}, "malformed"),
    ("RFC 7523 §3", ASSERTION | {"exp": SECONDS + 3600}, "too_long"),
    ("RFC 7519 §4.1.5", ASSERTION | {"nbf": SECONDS + 61}, "not_yet"),
    ("RFC 7519 §4.1.5", ASSERTION | {"nbf": "soon"}, "wrong_nbf"),
    ("RFC 7519 §4.1.6", ASSERTION | {"iat": SECONDS + 61}, "not_yet"),
    ("RFC 7519 §4.1.6", ASSERTION | {"iat": []}, "wrong_iat"),
    ("RFC 8725 §2.4", json.dumps(ASSERTION)[:-1].encode() + b',"sub":"other"}', "malformed"),
    ("RFC 7519 §7.2", b"[]", "malformed"),
    ("RFC 7519 §7.2", b"not json", "malformed"),
    ("RFC 7519 §7.2", b'{"exp":NaN}', "malformed"),
    ("RFC 7519 §7.2", b"\xff\xfe", "malformed"),
]


@pytest.mark.parametrize(("spec", "claims", "reason"), BAD_CLAIMS)
def test_claims_refused(spec, claims, reason):
    with pytest.raises(InvalidToken) as refusal:
        verify_assertion(forge(head(), claims))
    assert refusal.value.reason == reason


GOOD = jws.sign(KEY, ASSERTION, typ="JWT")
H, P, S = GOOD.split(".")
TWICE = encode(b'{"alg":"ES256","alg":"none"}')
BAD_TEXTS = [
    ("RFC 7515 §7.1", "", "malformed"),
    ("RFC 7515 §7.1", "a.b", "malformed"),
    ("RFC 7515 §7.1", GOOD + ".", "malformed"),
    ("RFC 7515 §5.2", f"{H}.{P}.", "signature"),
    ("RFC 7515 §5.2", f"{H}.{P}.{S[:-6]}", "signature"),
    ("RFC 7515 §5.2", f"{H}.{P}.{encode(bytes(64))}", "signature"),
    ("RFC 7515 §5.2", f"{H}.{P}.{encode(b'x' * 5000)}", "signature"),
    ("RFC 7515 §2", f"{H}.{P}.{S}==", "malformed"),
    ("RFC 7515 §2", f"{H}=.{P}.{S}", "malformed"),
    ("RFC 7515 §2", f"{H}\n.{P}.{S}", "malformed"),
    ("RFC 7515 §2", f"é.{P}.{S}", "malformed"),
    ("RFC 7515 §5.2", f"{H}.{encode(ASSERTION | {'sub': 'admin'})}.{S}", "signature"),
    ("RFC 7515 §10.12", f"{TWICE}.{P}.{S}", "malformed"),
    ("RFC 8725 §3.12", f"{H}.{encode({'pad': 'x' * 20_000})}.{S}", "too_large"),
    ("RFC 8725 §3.12", f"{encode({'alg': 'ES256', 'x': 'x' * 9_000})}.{P}.{S}", "too_large"),
]


@pytest.mark.parametrize(("spec", "token", "reason"), BAD_TEXTS)
def test_texts_refused(spec, token, reason):
    with pytest.raises(InvalidToken) as refusal:
        verify_assertion(token)
    assert refusal.value.reason == reason
    assert token not in str(refusal.value) or not token


@pytest.mark.parametrize(
    "header",
    [
        head(jwk={name: STRANGER.public_jwk[name] for name in ("kty", "crv", "x", "y")}),
        head(jku="https://stranger.example/jwks"),
        head(x5u="https://stranger.example/chain"),
        head(x5c=["MIIB"]),
    ],
)
def test_a_key_in_the_header_is_never_the_key(header):
    with pytest.raises(InvalidToken) as refusal:
        verify_assertion(forge(header, ASSERTION, STRANGER))
    assert refusal.value.reason == "signature"


def test_our_public_key_is_not_a_shared_secret():
    """RFC 8725 §2.1: an HMAC keyed with the published key."""
    signed = f"{encode(head(alg='HS256'))}.{encode(ASSERTION)}"
    for secret in (json.dumps(dict(KEY.public_jwk)).encode(), base64url.decode(PUBLIC["x"])):
        token = f"{signed}.{encode(hmac.digest(secret, signed.encode(), hashlib.sha256))}"
        with pytest.raises(InvalidToken, match="algorithm"):
            verify_assertion(token)


def test_no_purpose_allows_none_or_a_shared_secret():
    rows = [value for value in vars(jws).values() if isinstance(value, jws.Purpose)]
    assert len(rows) >= 6
    for row in rows:
        assert not any(alg.lower() == "none" or alg.startswith("HS") for alg in row.algs)


def test_several_keys_need_a_name():  # OpenID Connect Core §10.1
    both = jwk.KeySet((KEY.public_jwk, STRANGER.public_jwk))
    assert verify_assertion(forge(head(), ASSERTION), keys=both)["iss"] == "client"
    with pytest.raises(InvalidToken, match="unknown_key"):
        verify_assertion(forge({"alg": "ES256"}, ASSERTION), keys=both)


def test_the_registered_algorithm_narrows_the_purpose():
    key = RSAKey.generate_key(2048)
    keys = jwk.parse_set({"keys": [key.as_dict(private=False)]})
    for alg in ("PS256", "RS256"):
        token = jwt.encode(ASSERTION, jwt.PyJWK.from_dict(key.as_dict(private=True), alg).key, algorithm=alg)
        assert verify_assertion(token, keys=keys)["iss"] == "client"
        with pytest.raises(InvalidToken, match="algorithm"):
            verify_assertion(token, keys=keys, algorithms=["ES256"])


def test_ed25519_under_both_its_names():
    key = SigningKey.of(algorithms.from_seed("Ed25519", bytes(32)), purpose="token", stage="signing")
    keys = jwk.KeySet((key.public_jwk,))
    for alg in ("EdDSA", "Ed25519"):
        assert verify_assertion(forge(head(alg=alg, kid=key.kid), ASSERTION, key), keys=keys)["iss"] == "client"


def proof_header(**more):
    return {"alg": "ES256", "typ": "dpop+jwt", "jwk": PUBLIC, **more}


def test_a_proof_brings_its_own_key():
    proof = jws.verify(jws.DPOP_PROOF, forge(proof_header(), PROOF), now=NOW, htm="POST")
    assert proof.thumbprint() == KEY.kid


BAD_PROOFS = [
    *[("RFC 9449 §4.3", proof_header(), without(PROOF, name), f"missing_{name}") for name in PROOF],
    ("RFC 9449 §4.3 (4)", proof_header(typ="JWT"), PROOF, "type"),
    ("RFC 9449 §4.3 (4)", without(proof_header(), "typ"), PROOF, "type"),
    ("RFC 9449 §4.3 (5)", proof_header(alg="none"), PROOF, "algorithm"),
    ("RFC 9449 §4.3 (5)", proof_header(alg="HS256"), PROOF, "algorithm"),
    ("RFC 9449 §4.3 (5)", proof_header(alg="RS256"), PROOF, "algorithm"),
    ("RFC 9449 §4.3 (5)", proof_header(alg="EdDSA"), PROOF, "key"),
    ("RFC 9449 §4.3 (7)", proof_header(jwk=PUBLIC | {"d": "AA"}), PROOF, "key"),
    ("RFC 9449 §4.3 (7)", proof_header(jwk={"kty": "oct", "k": "AAAA"}), PROOF, "key"),
    ("RFC 9449 §4.2", without(proof_header(), "jwk"), PROOF, "key"),
    ("RFC 9449 §4.2", proof_header(jwk="key"), PROOF, "key"),
    ("RFC 9449 §4.3 (6)", proof_header(jwk={**PUBLIC, "x": PUBLIC["y"], "y": PUBLIC["x"]}), PROOF, "key"),
    (
        "RFC 9449 §4.3 (6)",
        proof_header(jwk=algorithms.from_seed("ES256", b"\x02" * 32).public_jwk()),
        PROOF,
        "signature",
    ),
    ("RFC 9449 §4.3 (8)", proof_header(), PROOF | {"htm": "GET"}, "wrong_htm"),
    ("RFC 9449 §4.3 (11)", proof_header(), PROOF | {"iat": SECONDS - 3600}, "too_old"),
    ("RFC 9449 §4.3 (11)", proof_header(), PROOF | {"iat": SECONDS + 3600}, "not_yet"),
]


@pytest.mark.parametrize(("spec", "header", "claims", "reason"), BAD_PROOFS)
def test_proofs_refused(spec, header, claims, reason):
    with pytest.raises(InvalidToken) as refusal:
        jws.verify(jws.DPOP_PROOF, forge(header, claims), now=NOW, htm="POST")
    assert refusal.value.reason == reason


@pytest.mark.parametrize("change", [{}, {"iat": SECONDS - 10}, {"iat": SECONDS + 10}, {"nbf": SECONDS}, {"extra": 1}])
def test_proofs_that_pass(change):
    assert jws.verify(jws.DPOP_PROOF, forge(proof_header(), PROOF | change), now=NOW, htm="POST")["jti"] == "j1"


def test_a_token_for_one_purpose_is_refused_for_another():
    claims = {**ASSERTION, "client_id": "client", "htm": "POST", "htu": ISSUER}
    typs = {
        "at+jwt": jws.ACCESS_TOKEN,
        "dpop+jwt": jws.DPOP_PROOF,
        "openid4vci-proof+jwt": jws.CREDENTIAL_PROOF,
        "prefill-receipt+jwt": jws.RECEIPT,
        "JWT": jws.ID_TOKEN,
    }
    for typ, own in typs.items():
        token = forge(head(typ=typ, jwk=PUBLIC), claims)
        for purpose in typs.values():
            if purpose is own:
                jws.verify(purpose, token, keys=KEYS, audience=ISSUER, now=NOW)
                continue
            with pytest.raises(InvalidToken, match="type"):
                jws.verify(purpose, token, keys=KEYS, audience=ISSUER, now=NOW)


def test_an_audience_cannot_be_forgotten():
    with pytest.raises(TypeError):
        jws.verify(jws.CLIENT_ASSERTION, GOOD, keys=KEYS, now=NOW)


def test_without_keys_nothing_verifies():
    with pytest.raises(InvalidToken, match="unknown_key"):
        verify_assertion(GOOD, keys=None)


def test_what_a_sender_wrote_can_be_looked_at():
    assert jws.unverified_header(GOOD)["kid"] == KEY.kid
    assert jws.unverified_claims(GOOD)["iss"] == "client"
    assert jws.unverified_header(H + "." + "x" * 100_000)["kid"] == KEY.kid


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "x" * 100_000, encode(b"[]") + ".."])
def test_and_is_bounded(token):
    for look in (jws.unverified_header, jws.unverified_claims):
        with pytest.raises(InvalidToken):
            look(token)


@given(st.text(max_size=300) | st.builds("{}.{}.{}".format, *[st.binary(max_size=99).map(base64url.encode)] * 3))
def test_no_text_crashes_the_verifier(text):
    with pytest.raises(InvalidToken):
        verify_assertion(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["alg", "typ", "kid", "jwk", "crit", "b64", "iss", "sub", "aud", "exp", "iat", "nbf", "jti"])


@given(st.dictionaries(names, json_values), st.dictionaries(names, json_values))
def test_no_signed_json_crashes_the_verifier(header, claims):
    token = forge({"alg": "ES256", **header}, {**ASSERTION, **claims})
    for purpose in (jws.CLIENT_ASSERTION, jws.DPOP_PROOF):
        with contextlib.suppress(InvalidToken):
            jws.verify(purpose, token, keys=KEYS, audience=ISSUER, now=NOW)
