"""Encrypted tokens against a library that did not make them (jwcrypto): what is read, what is refused (RFC 7516, RFC 7518 §4, §5)."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto import jwe as independent
from jwcrypto import jwk as independent_keys

from keys import algorithms, base64url, jwe, jwk
from keys.errors import InvalidKey, InvalidToken, Malformed
from keys.jwe import Recipient
from keys.keyring import Keyring, SigningKey

OURS = {
    alg: SigningKey.of(algorithms.generate(alg), purpose="encryption", stage="signing") for alg in algorithms.ENCRYPTION
}
RING = Keyring(tuple(OURS.values())).decryption_keys()
THEIRS = {
    "EC": independent_keys.JWK.generate(kty="EC", crv="P-256", kid="e"),
    "RSA": independent_keys.JWK.generate(kty="RSA", size=2048, kid="r"),
}
INNER = "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"
EVERY = [(alg, enc) for alg in jwe.ALGS for enc in jwe.ENCS]


def ours(alg: str) -> SigningKey:
    return OURS["RSA-OAEP-256" if jwe.ALGS[alg] == "RSA" else "ECDH-ES"]


def made(header: dict[str, Any], content: str = INNER, key: Any = None, allowed: tuple[str, ...] = ()) -> str:
    """A token that a client encrypted to us with another library."""
    given = {"alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT", **header}
    given = {name: value for name, value in given.items() if value is not None}
    whom = key or independent_keys.JWK(**dict(ours(given["alg"] if given["alg"] in jwe.ALGS else "ECDH-ES").public_jwk))
    token = independent.JWE(content.encode(), json.dumps(given), algs=[given["alg"], given["enc"], *allowed])
    token.add_recipient(whom)
    return str(token.serialize(compact=True))


def header_of(token: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(base64url.decode(token.split(".", maxsplit=1)[0]))
    return read


def with_header(token: str, **changed: Any) -> str:
    """The token with another header: it was not encrypted under that one."""
    members = {name: value for name, value in {**header_of(token), **changed}.items() if value is not None}
    return ".".join([base64url.encode(json.dumps(members).encode()), *token.split(".")[1:]])


@pytest.mark.parametrize(("alg", "enc"), EVERY)
def test_they_read_what_we_encrypt(alg: str, enc: str) -> None:
    key = THEIRS[jwe.ALGS[alg]]
    token = jwe.encrypt(Recipient(alg, enc, json.loads(key.export_public())), INNER)
    assert header_of(token).keys() - {"epk"} == {"alg", "enc", "kid", "cty"}
    opened = independent.JWE(algs=[alg, enc])
    opened.deserialize(token, key)
    assert opened.payload.decode() == INNER


@pytest.mark.parametrize(("alg", "enc"), EVERY)
def test_we_read_what_they_encrypt(alg: str, enc: str) -> None:
    assert jwe.decrypt(made({"alg": alg, "enc": enc}), RING) == INNER
    assert jwe.decrypt(made({"alg": alg, "enc": enc, "kid": ours(alg).kid}), RING) == INNER


def test_nothing_is_equal_twice() -> None:
    """RFC 7516 §5.1: a new key, ephemeral key and initialization vector every time."""
    to = Recipient("ECDH-ES", "A128GCM", OURS["ECDH-ES"].public_jwk)
    one, two = jwe.encrypt(to, INNER), jwe.encrypt(to, INNER)
    assert not set(one.split(".")) & set(two.split(".")) - {""}


OTHER = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
P384 = {
    "kty": "EC",
    "crv": "P-384",
    "x": base64url.encode(OTHER.x.to_bytes(48, "big")),
    "y": base64url.encode(OTHER.y.to_bytes(48, "big")),
}
OFF_CURVE = {"kty": "EC", "crv": "P-256", "x": base64url.encode(b"\x01" * 32), "y": base64url.encode(b"\x02" * 32)}
PASSWORD = independent_keys.JWK(kty="oct", k=base64url.encode(b"p" * 32))
BOMB = base64url.encode(zlib.compress(b"a" * 50_000_000))

# fmt: off
REFUSED: list[tuple[str, Callable[[], str], str]] = [
    # protocol §5 "JWE" and what goes with it                                                                                      reason
    ("size",                             lambda: "a" * (jwe.MAX_SIZE + 1),                                                         "too_large"),
    ("header size",                      lambda: with_header(made({}), kid="k" * 2100),                                            "too_large"),
    ("four parts",                       lambda: made({}).rpartition(".")[0],                                                      "malformed"),
    ("six parts",                        lambda: made({}) + ".e30",                                                                "malformed"),
    ("not base64url",                    lambda: made({}) + "=",                                                                   "malformed"),
    ("header is no JSON",                lambda: base64url.encode(b"{") + "." + made({}).partition(".")[2],                        "malformed"),
    ("header says a member twice",       lambda: base64url.encode(b'{"alg":"ECDH-ES","alg":"ECDH-ES","enc":"A128GCM"}') + "." + made({}).partition(".")[2], "malformed"),
    ("RFC 7518 §4.2 RSA1_5",             lambda: made({"alg": "RSA1_5"}, key=THEIRS["RSA"]), "algorithm"),
    ("RFC 7518 §4.3 RSA-OAEP with SHA-1", lambda: with_header(made({"alg": "RSA-OAEP-256"}), alg="RSA-OAEP"),                      "algorithm"),
    ("RFC 7518 §4.5 dir",                lambda: made({"alg": "dir"}, key=PASSWORD),                                               "algorithm"),
    ("RFC 7518 §4.4 A256KW",             lambda: made({"alg": "A256KW"}, key=PASSWORD),                                            "algorithm"),
    ("RFC 7518 §4.8 PBES2, a huge p2c",  lambda: with_header(made({"alg": "PBES2-HS256+A128KW"}, key=PASSWORD), p2c=2**31 - 1),     "algorithm"),
    ("p2c beside another algorithm",     lambda: with_header(made({}), p2c=2**31 - 1),                                             "critical"),
    ("alg none",                         lambda: with_header(made({}), alg="none"),                                                "algorithm"),
    ("alg that is no text",              lambda: with_header(made({}), alg=["ECDH-ES"]),                                           "algorithm"),
    ("RFC 7518 §5.2.3 CBC",              lambda: made({"enc": "A128CBC-HS256"}),                                                   "algorithm"),
    ("RFC 7518 §5.3 A192GCM",            lambda: made({"enc": "A192GCM"}),                                                         "algorithm"),
    ("RFC 7516 §4.1.3 zip",              lambda: made({"zip": "DEF"}),                                                             "critical"),
    ("a bomb",                           lambda: ".".join([*with_header(made({}), zip="DEF").split(".")[:3], BOMB[:30_000], made({}).split(".")[4]]), "critical"),
    ("RFC 7516 §4.1.13 crit",            lambda: with_header(made({}), crit=["exp"], exp=1),                                       "critical"),
    ("a key in the header",              lambda: with_header(made({}), jwk={"kty": "EC"}),                                         "critical"),
    ("RFC 7519 §5.2 no cty",             lambda: made({"cty": None}),                                                              "content_type"),
    ("wrong cty",                        lambda: made({"cty": "json"}),                                                            "content_type"),
    ("another key",                      lambda: made({"kid": "x"}),                                                               "unknown_key"),
    ("a key of another type",            lambda: with_header(made({}), kid=OURS["RSA-OAEP-256"].kid),                              "unknown_key"),
    ("encrypted to somebody else",       lambda: made({}, key=THEIRS["EC"]),                                                       "encryption"),
    ("RSA to somebody else",             lambda: made({"alg": "RSA-OAEP-256"}, key=THEIRS["RSA"]),                                 "encryption"),
    ("no ephemeral key",                 lambda: with_header(made({}), epk=None),                                                  "encryption"),
    ("a point off the curve",            lambda: with_header(made({}), epk=OFF_CURVE),                                             "encryption"),
    ("a point of another curve",         lambda: with_header(made({}), epk=P384),                                                  "encryption"),
    ("an ephemeral RSA key",             lambda: with_header(made({}), epk=dict(OURS["RSA-OAEP-256"].public_jwk)),                 "encryption"),
    ("an ephemeral private key",         lambda: with_header(made({}), epk={**header_of(made({}))["epk"], "d": "AA"}),             "encryption"),
    ("another header",                   lambda: with_header(made({}), typ="JWT"),                                                 "encryption"),
    ("another content",                  lambda: ".".join([*made({}).split(".")[:3], *made({}).split(".")[3:]]),                   "encryption"),
    ("ECDH-ES with a wrapped key",       lambda: ".".join([made({}).split(".")[0], "AAAA", *made({}).split(".")[2:]]),             "malformed"),
    ("a short vector",                   lambda: ".".join([*made({}).split(".")[:2], "AAAA", *made({}).split(".")[3:]]),           "malformed"),
    ("a short tag",                      lambda: made({}).rpartition(".")[0] + ".AAAA",                                            "malformed"),
    ("an envelope in an envelope",       lambda: made({}, made({})),                                                               "nested"),
    ("nothing signed inside",            lambda: made({}, '{"client_id":"rp"}'),                                                   "nested"),
]
# fmt: on


@pytest.mark.parametrize(("make", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
@pytest.mark.filterwarnings("ignore")  # the other library warns of what it is asked to make
def test_refused(make: Callable[[], str], reason: str) -> None:
    token = make()
    with pytest.raises(InvalidToken) as refused:
        jwe.decrypt(token, RING)
    assert refused.value.reason == reason
    assert INNER not in str(refused.value)


def test_what_a_client_registered_and_no_other() -> None:
    """OpenID Connect Registration §2 `request_object_encryption_alg`."""
    token = made({"alg": "ECDH-ES", "enc": "A128GCM"})
    assert jwe.decrypt(token, RING, algs=["ECDH-ES"], encs=["A128GCM"]) == INNER
    for narrowed in ({"algs": ["RSA-OAEP-256"]}, {"encs": ["A256GCM"]}):
        with pytest.raises(InvalidToken, match="algorithm"):
            jwe.decrypt(token, RING, **narrowed)


@pytest.mark.parametrize("stage", ["upcoming", "signing", "retiring"])
def test_every_stage_opens_and_only_what_goes_on_is_published(stage: Any) -> None:
    """RFC 7517: who read an older set is understood; nobody begins with a key that is going away."""
    key = SigningKey.of(algorithms.generate("ECDH-ES"), purpose="encryption", stage=stage)
    ring = Keyring((*OURS.values(), key))
    token = jwe.encrypt(Recipient("ECDH-ES", "A128GCM", key.public_jwk), INNER)
    assert jwe.decrypt(token, ring.decryption_keys()) == INNER
    published = {one["kid"]: one for one in ring.jwks("encryption")["keys"]}
    assert (key.kid in published) is (stage != "retiring")
    assert all(one["use"] == "enc" and "d" not in one for one in published.values())


@pytest.mark.parametrize("alg", algorithms.ENCRYPTION)
def test_a_key_to_encrypt_to_signs_nothing(alg: Any) -> None:
    with pytest.raises(InvalidKey):
        OURS[alg].sign(b"x")
    again = algorithms.from_seed(alg, OURS[alg].pair.seed())
    assert again.public_jwk() == OURS[alg].pair.public_jwk()


# fmt: off
UNFIT: list[tuple[str, Recipient]] = [
    ("RSA for an EC key",     Recipient("RSA-OAEP-256", "A128GCM", OURS["ECDH-ES"].public_jwk)),
    ("EC for an RSA key",     Recipient("ECDH-ES", "A128GCM", OURS["RSA-OAEP-256"].public_jwk)),
    ("another curve",         Recipient("ECDH-ES", "A128GCM", P384)),
    ("off the curve",         Recipient("ECDH-ES", "A128GCM", OFF_CURVE)),
    ("RSA1_5",                Recipient("RSA1_5", "A128GCM", OURS["RSA-OAEP-256"].public_jwk)),
    ("dir",                   Recipient("dir", "A128GCM", {"kty": "oct", "k": "AAAA"})),
    ("CBC",                   Recipient("ECDH-ES", "A128CBC-HS256", OURS["ECDH-ES"].public_jwk)),
    ("a short RSA key",       Recipient("RSA-OAEP-256", "A128GCM", json.loads(independent_keys.JWK.generate(kty="RSA", size=1024).export_public()))),
]
# fmt: on


@pytest.mark.parametrize("to", [row[1] for row in UNFIT], ids=[row[0] for row in UNFIT])
def test_nothing_is_encrypted_to_a_key_that_does_not_fit(to: Recipient) -> None:
    with pytest.raises(InvalidKey):
        jwe.encrypt(to, INNER)


def test_too_long_to_be_encrypted() -> None:
    with pytest.raises(Malformed):
        jwe.encrypt(Recipient("ECDH-ES", "A128GCM", OURS["ECDH-ES"].public_jwk), "a" * (jwe.MAX_PLAIN + 1))


def test_which_key_of_a_set_is_encrypted_to() -> None:
    """RFC 7517 §4.2 to §4.4: one for signatures never, one made for the algorithm first."""
    point = {name: OURS["ECDH-ES"].public_jwk[name] for name in ("kty", "crv", "x", "y")}
    listed = [
        {**point, "kid": "sig", "use": "sig"},
        {**point, "kid": "ops", "key_ops": ["verify"]},
        {**point, "kid": "any"},
        {**point, "kid": "own", "use": "enc", "alg": "ECDH-ES+A128KW"},
        {**{n: OURS["RSA-OAEP-256"].public_jwk[n] for n in ("kty", "n", "e")}, "kid": "rsa", "use": "enc"},
    ]
    found = jwk.parse_set({"keys": listed})
    chosen = {alg: found.recipient(alg, kty) for alg, kty in jwe.ALGS.items()}
    assert {alg: key and key["kid"] for alg, key in chosen.items()} == {
        "RSA-OAEP-256": "rsa",
        "ECDH-ES": "any",
        "ECDH-ES+A128KW": "own",
        "ECDH-ES+A256KW": "any",
    }
    assert [key["kid"] for key in found.keys] == ["sig", "ops", "any"]


@given(st.text(alphabet='abcdefgABC012-_.={}"', max_size=200))
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(InvalidToken):
        jwe.decrypt(text, RING)


GOOD = made({})


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("AQgw_-09."))
def test_one_changed_character_opens_nothing(at: int, instead: str) -> None:
    changed = GOOD[:at] + instead + GOOD[at + 1 :]
    if changed == GOOD:
        return
    with pytest.raises(InvalidToken):
        jwe.decrypt(changed, RING)


@given(
    st.dictionaries(
        st.sampled_from(
            ["alg", "enc", "zip", "cty", "epk", "kid", "p2c", "p2s", "apu", "apv", "crit", "typ", "iv", "tag"]
        ),
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from(["ECDH-ES", "dir", "A256GCM", "JWT", "AA", ""])
        | st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "d"]), st.sampled_from(["EC", "P-256", "AA", ""])),
        min_size=1,
    )
)
def test_any_header_is_refused_and_nothing_else_happens(changed: dict[str, Any]) -> None:
    token = with_header(GOOD, **changed)
    if header_of(token) == header_of(GOOD):
        return
    with pytest.raises(InvalidToken):
        jwe.decrypt(token, RING)
