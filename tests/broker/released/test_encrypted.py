"""Answers that only one client can read, and requests that only we can: end to end, opened by another library (RFC 7516)."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from jwcrypto import jwe as independent
from jwcrypto import jwk as independent_keys

from broker.database import Database
from broker.endpoints import introspection
from tests.broker.provider import wire
from tests.broker.released.relying import CALLBACK, Website, claims, website
from tests.broker.relying import Key, client
from tests.broker.whole import ISSUER, Whole

EC = independent_keys.JWK.generate(kty="EC", crv="P-256", kid="enc-1", use="enc")
RSA = independent_keys.JWK.generate(kty="RSA", size=2048, kid="enc-2", use="enc")
SIGNS = Key("sig-1")
SET = {"keys": [SIGNS.jwk, json.loads(EC.export_public()), json.loads(RSA.export_public())]}
WAYS = [
    (alg, enc)
    for alg in ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
    for enc in ("A128GCM", "A256GCM")
]


def registered(*answers: str, alg: str = "ECDH-ES", enc: str = "A256GCM", **more: Any) -> dict[str, Any]:
    members = {f"{answer}_encrypted_response_alg": alg for answer in answers}
    members |= {f"{answer}_encrypted_response_enc": enc for answer in answers}
    return {"jwks": SET, **members, **more}


def opened(token: str, alg: str = "ECDH-ES", enc: str = "A256GCM", cty: str | None = "JWT") -> str:
    """What is inside, as the client reads it."""
    read = independent.JWE(algs=[alg, enc])
    read.deserialize(token, RSA if alg.startswith("RSA") else EC)
    header = json.loads(read.objects["protected"])
    assert (header["alg"], header["enc"], header.get("cty")) == (alg, enc, cty)
    assert header["kid"] in {"enc-1", "enc-2"}
    return str(read.payload.decode())


def sealed_to_us(whole: Whole, content: str, header: dict[str, Any] | None = None) -> str:
    """A request object as a client encrypts it: to the published key of its algorithm."""
    given = {"alg": "ECDH-ES", "enc": "A128GCM", "cty": "JWT", **(header or {})}
    keys = whole.client().get("/jwks").json()["keys"]
    (key,) = [one for one in keys if one["use"] == "enc" and one["alg"] == given["alg"]]
    token = independent.JWE(
        content.encode(), json.dumps({"kid": key["kid"], **given}), algs=[given["alg"], given["enc"]]
    )
    token.add_recipient(independent_keys.JWK(**key))
    return str(token.serialize(compact=True))


@pytest.mark.parametrize(("alg", "enc"), WAYS)
def test_id_token_and_userinfo(whole: Whole, alg: str, enc: str) -> None:
    """OpenID Connect Core §10.2: signed, then encrypted; the signature is as for any client."""
    site = website(whole, **registered("id_token", "userinfo", alg=alg, enc=enc, userinfo_signed_response_alg="ES256"))
    wish = claims(id_token={"email": {"essential": True}}, userinfo={"name": {"essential": True}})
    body = site.token(site.signs_in(whole.present(), claims=wish))
    identity = site.verified(opened(body["id_token"], alg, enc))
    assert identity["email"] == "maria@post.example"
    answer = site.userinfo(body["access_token"])
    assert answer.headers["content-type"].startswith("application/jwt")
    told = site.verified(opened(answer.text, alg, enc))
    assert (told["sub"], told["name"]) == (identity["sub"], "Maria O'Møller")
    assert "maria@post.example" not in answer.text + body["id_token"]
    assert whole.types()[-2:] == ["access.released", "access.released"]


def test_userinfo_signed_only_and_encrypted_only(whole: Whole) -> None:
    """Core §5.3.2, §5.3.4: `iss` and `aud` come with the signature; `sub` is the same everywhere."""
    signed = website(whole, name="Signed", userinfo_signed_response_alg="PS256")
    body = signed.token(signed.signs_in(whole.present()))
    answer = signed.userinfo(body["access_token"])
    told = signed.verified(answer.text)
    assert jwt.get_unverified_header(answer.text)["alg"] == "PS256"
    assert told["sub"] == signed.verified(body["id_token"])["sub"]
    lean = website(whole, name="Lean", **registered("userinfo"))
    body = lean.token(lean.signs_in(whole.present()))
    told = json.loads(opened(lean.userinfo(body["access_token"]).text, cty=None))
    assert told == {"sub": lean.verified(body["id_token"])["sub"]}


def test_refreshed_id_tokens_are_encrypted_too(whole: Whole) -> None:
    site = website(whole, **registered("id_token"))
    body = site.token(site.signs_in(whole.present()))
    fresh = site.refresh(body["refresh_token"])
    assert site.verified(opened(fresh["id_token"]))["sub"] == site.verified(opened(body["id_token"]))["sub"]


@pytest.mark.parametrize("press", ["share", "refuse"])
def test_the_response_in_the_address(whole: Whole, press: str) -> None:
    """JARM §2.2: success and error alike."""
    site = website(whole, **registered("authorization", authorization_signed_response_alg="ES256"))
    maria = whole.present()
    page = maria.comes_from(site.address(response_mode="jwt"))
    back = maria.walker.http.post(
        f"{ISSUER}{urlsplit(page.url).path}", data={**maria.fields(page, "consent"), "decision": press}
    )
    location = back.headers["location"]
    (token,) = parse_qs(urlsplit(location).query)["response"]
    told = site.verified(opened(token))
    assert (told["iss"], told["state"]) == (ISSUER, site.asked["state"])
    assert ("code" in told, told.get("error")) == ((True, None) if press == "share" else (False, "access_denied"))
    assert location == f"{CALLBACK}?response={token}", "nothing readable is in the address"


def test_a_refusal_at_once_is_encrypted_too(whole: Whole) -> None:
    """JARM §2.2, RFC 6749 §4.1.2.1."""
    site = website(whole, **registered("authorization", authorization_signed_response_alg="ES256"))
    answer = whole.client().get(site.address(response_mode="query.jwt", prompt="login none"))
    (token,) = parse_qs(urlsplit(answer.headers["location"]).query)["response"]
    assert site.verified(opened(token))["error"] == "invalid_request"


def request_object(whole: Whole, site: Website, **changed: Any) -> str:
    said = {name: values[0] for name, values in parse_qs(urlsplit(site.address()).query).items()}
    now = whole.clock() // 1_000_000
    about = {"iss": site.client_id, "aud": ISSUER, "nbf": now, "exp": now + 60}
    return SIGNS.sign({**said, **about, **changed}, {"kid": "sig-1", "typ": "oauth-authz-req+jwt"})


@pytest.mark.parametrize(("alg", "enc"), [("ECDH-ES", "A128GCM"), ("RSA-OAEP-256", "A256GCM")])
def test_a_request_that_only_we_can_read(whole: Whole, alg: str, enc: str) -> None:
    """RFC 9101 §6.1, by value at the front channel; the person finds the same page."""
    site = website(whole, jwks=SET, request_object_signing_alg="ES256", require_signed_request_object=True)
    token = sealed_to_us(whole, request_object(whole, site), {"alg": alg, "enc": enc})
    page = whole.present().open(f"{ISSUER}/authorize?client_id={site.client_id}&request={token}")
    assert page.heading == "Sign in to Norr library"


# fmt: off
REFUSED = [
    # RFC 9101 §6.1, §6.3; protocol §5 "JWE"
    ("not as registered",        {"request_object_encryption_alg": "RSA-OAEP-256", "request_object_encryption_enc": "A256GCM"}, {}, None),
    ("another content's cipher", {"request_object_encryption_alg": "ECDH-ES", "request_object_encryption_enc": "A256GCM"}, {}, None),
    ("not signed inside",        {}, {}, '{"response_type":"code"}'),
    ("no cty",                   {}, {"cty": "JSON"}, None),
    ("compressed",               {}, {"zip": "DEF"}, None),
    ("another key's name",       {}, {"kid": "x"}, None),
]
# fmt: on


@pytest.mark.parametrize(
    ("members", "header", "content"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_request_that_is_refused(
    whole: Whole, members: dict[str, Any], header: dict[str, Any], content: str | None
) -> None:
    """A page, no redirect, nothing written: an object that cannot be read names nobody to go back to."""
    site = website(whole, jwks=SET, request_object_signing_alg="ES256", **members)
    token = sealed_to_us(whole, content or request_object(whole, site), header)
    answer = whole.client().get(f"/authorize?client_id={site.client_id}&request={token}")
    assert (answer.status_code, answer.headers.get("location")) == (400, None)
    assert 'id="problem"' in answer.text


def test_an_envelope_around_an_envelope(whole: Whole) -> None:
    site = website(whole, jwks=SET, request_object_signing_alg="ES256")
    token = sealed_to_us(whole, sealed_to_us(whole, request_object(whole, site)))
    assert whole.client().get(f"/authorize?client_id={site.client_id}&request={token}").status_code == 400


def test_nothing_is_sent_in_clear_instead(whole: Whole) -> None:
    """A client that wants to be answered in secret and has no key for it gets nothing; its code stays unspent."""
    keys = {"keys": [SIGNS.jwk]}
    site = website(whole, **{**registered("id_token"), "jwks": keys})
    code = site.receives(site.signs_in(whole.present()))["code"]
    answer = site.redeem(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    size = whole.size()
    assert site.redeem(code).status_code == 400
    assert whole.size() == size


def test_keys_change_by_the_clock_and_nothing_is_lost(whole: Whole) -> None:
    """RFC 7517 §5: what was encrypted to the key of before is still read; the new one is published alone."""
    site = website(whole, jwks=SET, request_object_signing_alg="ES256")
    token = sealed_to_us(whole, request_object(whole, site))
    kinds = [(key["use"], key["alg"]) for key in whole.client().get("/jwks").json()["keys"]]
    assert sorted(one for one in kinds if one[0] == "enc") == [("enc", "ECDH-ES"), ("enc", "RSA-OAEP-256")]
    assert len(kinds) == len(set(kinds))
    told = whole.client().get("/.well-known/openid-configuration").json()
    assert told["request_object_encryption_alg_values_supported"] == ["ECDH-ES", "RSA-OAEP-256"]
    assert told["id_token_encryption_enc_values_supported"] == ["A128GCM", "A256GCM"]
    page = whole.present().open(f"{ISSUER}/authorize?client_id={site.client_id}&request={token}")
    assert page.has("consent")


def test_introspection(database: Database, tmp_path: Path, now: int) -> None:
    """RFC 9701 §5: signed, then encrypted to who asked."""
    provider = wire(database, tmp_path, now)
    key = provider.client_key
    inside = json.loads(EC.export_public())
    who = client(key, "other", redirect_uris=["https://other.example/cb"], serves=["https://files.norr.example/"])
    members = {**registered("introspection"), "jwks": {"keys": [key.jwk, inside]}}
    provider.parts.registry._clients["other"] = type(who).model_validate(
        {**who.model_dump(exclude_none=True), **members}
    )
    form = {"token": "x", **provider.credentials(client_id="other")}
    request = provider.form("/introspection", form, [("accept", "application/token-introspection+jwt")])
    answer = provider.raw(introspection, request)
    assert answer.media_type == "application/token-introspection+jwt"
    signed = opened(answer.content.decode())
    assert jwt.get_unverified_header(signed)["typ"] == "token-introspection+jwt"
    told = jwt.decode(signed, options={"verify_signature": False})
    assert told["token_introspection"] == {"active": False}
