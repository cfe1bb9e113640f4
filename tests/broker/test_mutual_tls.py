"""Mutual TLS: who may be whom by a certificate, what a token bound to one is worth without it (RFC 8705, RFC 9440).

Rows name the section. What comes with a request is a header; whose header counts is the first question.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlalchemy import select

from broker.clients.key_sets import KeySets
from broker.clients.mutual_tls import MutualTls
from broker.clients.registry import Registry
from broker.database import Database
from broker.egress import Egress
from broker.endpoints import discovery, introspection, par, prefill, revocation, token, userinfo
from broker.tables import pushed_request, refresh_token, replay, token_family
from keys.certificates import Authorities
from tests.broker.provider import GRANTS, RESOURCE, Answered, Provider, wire
from tests.broker.relying import CALLBACK, CHALLENGE, ISSUER, VERIFIER, Key, ath, client, proof
from tests.certified import AT, YEAR, Certified, make

PROXY, STRANGER = "192.0.2.1", "198.51.100.7"
ORIGIN = "https://mtls.broker.example"
DN = "CN=rp,O=Norr\\, City,C=XX"
SANS = (
    x509.DNSName("RP.example"),
    x509.UniformResourceIdentifier("spiffe://norr/rp"),
    x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
    x509.RFC822Name("rp@norr.example"),
)
CA, OTHER_CA = make("CN=Agencies", ca=True), make("CN=Agencies", ca=True)
BELOW = make("CN=Below", CA, ca=True)
GOOD = make(DN, CA, names=SANS)
SELF = make("CN=self")
CERTIFICATES: dict[str, Certified] = {
    "good": GOOD,
    "renewed": make(DN, CA, names=SANS),
    "another name": make("CN=other,O=Norr\\, City,C=XX", CA, names=(x509.DNSName("other.example"),)),
    "part of the name": make("CN=rp", CA, names=(x509.DNSName("x.rp.example"),)),
    "expired": make(DN, CA, names=SANS, end=AT - timedelta(days=1)),
    "not yet": make(DN, CA, names=SANS, start=AT + timedelta(days=2), end=AT + YEAR),
    "another authority's": make(DN, OTHER_CA, names=SANS),
    "by itself": make(DN, names=SANS),
    "below": make(DN, BELOW, names=SANS),
    "for a server": make(DN, CA, names=SANS, use=ExtendedKeyUsageOID.SERVER_AUTH),
    "an authority": make(DN, CA, ca=True, names=SANS),
    "signed by a client": make(DN, GOOD, names=SANS),
    "self": SELF,
    "same name by itself": make("CN=self"),
    "self, expired": make("CN=self", end=AT - timedelta(days=1)),
}
PKI = {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": DN}
BOUND = {"tls_client_certificate_bound_access_tokens": True}
SCOPE = {"grant_types": GRANTS, "scope": "openid use:town.permit use:town.benefit files:read", "calls": [RESOURCE]}


@dataclass
class Guarded:
    """A provider behind a proxy; `rp` authenticates by certificate, and its tokens are bound to it."""

    provider: Provider

    def rp(self, **members: Any) -> None:
        """Register `rp` anew, and with it the way it authenticates."""
        key = self.provider.client_key
        one = client(key, **{**SCOPE, **PKI, **BOUND, **members})
        others = [client(key, "other", redirect_uris=["https://other.example/cb"], serves=[RESOURCE])]
        mutual = MutualTls(ORIGIN, Authorities.parse(CA.pem))
        self.provider.parts.registry = Registry([one, *others], KeySets(Egress()), mode="sandbox", mutual_tls=mutual)

    def call(
        self, endpoint: Any, path: str, form: dict[str, str] | None, shown: Certified | None, **more: Any
    ) -> Answered:
        """One request, with a certificate that the proxy hands on; `headers` beside it, `sender` instead of the proxy."""
        headers = [*more.get("headers", [])]
        if shown is not None:
            headers.append(("client-cert", shown.header))
        speaks = "resource" if form is None else "oauth"
        if form is None:
            request = self.provider.request("GET", path, headers)
        else:
            request = self.provider.form(path, form, headers)
        request.scope["client"] = (more.get("sender", PROXY), 1)
        return self.provider.call(endpoint, request, speaks)

    def code(self, **asked: str) -> str:
        """A code for a person of its own."""
        self.provider.clock[0] += 1
        return self.provider.code(self.provider.asked(**asked))

    def redeem(self, shown: Certified | None, code: str | None = None, **more: Any) -> Answered:
        form = {"grant_type": "authorization_code", "code": code or self.code(), "client_id": "rp"}
        form |= {"redirect_uri": CALLBACK, "code_verifier": VERIFIER, **more.pop("form", {})}
        return self.call(token, "/token", form, shown, **more)

    def use(self, text: str, shown: Certified | None, endpoint: Any = userinfo, **more: Any) -> Answered:
        scheme = more.pop("scheme", "Bearer")
        headers = [("authorization", f"{scheme} {text}"), *more.pop("headers", [])]
        return self.call(endpoint, endpoint.PATH, None, shown, headers=headers, **more)

    def written(self) -> int:
        with self.provider.database.read() as tx:
            return sum(len(tx.execute(select(t)).all()) for t in (pushed_request, refresh_token, replay, token_family))


@pytest.fixture
def guarded(database: Database, tmp_path: Path, now: int) -> Guarded:
    made = Guarded(wire(database, tmp_path, now))
    made.provider.parts.trusted_proxies = (PROXY,)
    made.rp()
    return made


def shown(name: str) -> Certified:
    return CERTIFICATES[name]


# fmt: off
BY_NAME: list[tuple[str, dict[str, str]]] = [
    # section                            registered
    ("§2.1.2 subject",                   {"tls_client_auth_subject_dn": DN}),
    ("§2.1.2 subject, attribute as DER", {"tls_client_auth_subject_dn": "2.5.4.3=#0c027270,O=Norr\\, City,C=XX"}),
    ("§2.1.2 DNS name",                  {"tls_client_auth_san_dns": "rp.EXAMPLE"}),
    ("§2.1.2 URI",                       {"tls_client_auth_san_uri": "spiffe://norr/rp"}),
    ("§2.1.2 address",                   {"tls_client_auth_san_ip": "2001:0db8:0::7"}),
    ("§2.1.2 e-mail",                    {"tls_client_auth_san_email": "rp@norr.example"}),
]
WRONG: list[tuple[str, str, dict[str, str]]] = [
    # section                            shown                  registered
    ("§2.1.2 another subject",           "another name",        {"tls_client_auth_subject_dn": DN}),
    ("§2.1.2 a part of the subject",     "part of the name",    {"tls_client_auth_subject_dn": DN}),
    ("§2.1.2 another DNS name",          "another name",        {"tls_client_auth_san_dns": "rp.example"}),
    ("§2.1.2 a name below",              "part of the name",    {"tls_client_auth_san_dns": "rp.example"}),
    ("§2.1.2 CN is no DNS name",         "part of the name",    {"tls_client_auth_san_dns": "rp"}),
    ("§2.1.2 another URI",               "good",                {"tls_client_auth_san_uri": "spiffe://norr/RP"}),
    ("§2.1.2 another address",           "good",                {"tls_client_auth_san_ip": "192.0.2.7"}),
    ("§2.1.2 another e-mail",            "good",                {"tls_client_auth_san_email": "rp@other.example"}),
    ("§2.1.2 DNS name as e-mail",        "good",                {"tls_client_auth_san_email": "rp.example"}),
    ("§2.1 expired",                     "expired",             {"tls_client_auth_subject_dn": DN}),
    ("§2.1 not valid yet",               "not yet",             {"tls_client_auth_subject_dn": DN}),
    ("§2.1 another authority of its name", "another authority's", {"tls_client_auth_subject_dn": DN}),
    ("§2.1 vouched for by itself",       "by itself",           {"tls_client_auth_subject_dn": DN}),
    ("§2.1 the link is missing",         "below",               {"tls_client_auth_subject_dn": DN}),
    ("§2.1 for servers",                 "for a server",        {"tls_client_auth_subject_dn": DN}),
    ("§2.1 an authority's own",          "an authority",        {"tls_client_auth_subject_dn": DN}),
    ("§2.1 a client is no authority",    "signed by a client",  {"tls_client_auth_subject_dn": DN}),
]
# fmt: on


def named(**names: str) -> dict[str, Any]:
    return {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": None, **names}


@pytest.mark.parametrize("names", [row[1] for row in BY_NAME], ids=[row[0] for row in BY_NAME])
def test_by_name(guarded: Guarded, names: dict[str, str]) -> None:
    guarded.rp(**named(**names))
    assert guarded.redeem(GOOD).status == 200


@pytest.mark.parametrize(("which", "names"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_not_by_name(guarded: Guarded, which: str, names: dict[str, str]) -> None:
    guarded.rp(**named(**names))
    code, before = guarded.code(), guarded.written()
    answer = guarded.redeem(shown(which), code)
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")
    assert guarded.written() == before
    guarded.rp()
    assert guarded.redeem(GOOD, code).status == 200


def test_a_chain_comes_along(guarded: Guarded) -> None:
    """RFC 9440 §2.3; it leads on from the certificate, and vouches for nobody by itself."""
    chain = ("client-cert-chain", BELOW.header)
    assert guarded.redeem(shown("below"), headers=[chain]).status == 200
    assert guarded.redeem(shown("below"), headers=[chain], sender=STRANGER).status == 401
    alone = ("client-cert-chain", OTHER_CA.header)
    assert guarded.redeem(shown("another authority's"), headers=[alone]).status == 401


def test_a_chain_that_was_good_ends_with_its_shortest_link(guarded: Guarded) -> None:
    """RFC 5280 §6.1: what was found out once is not believed for longer than it holds."""
    short = make("CN=Short", CA, ca=True, end=AT + timedelta(days=2))
    below, chain = make(DN, short), ("client-cert-chain", short.header)
    assert guarded.redeem(below, headers=[chain]).status == 200
    assert guarded.redeem(below, headers=[chain]).status == 200
    assert guarded.redeem(below).status == 401  # the link is not remembered beyond its own chain
    guarded.provider.clock[0] = int((AT + timedelta(days=3)).timestamp()) * 1_000_000
    assert guarded.redeem(below, headers=[chain]).status == 401


# fmt: off
SELF_SIGNED: list[tuple[str, str | None, int]] = [
    ("§2.2 registered",                          "self",                200),
    ("§2.2 another of the same name",            "same name by itself", 401),
    ("§2.2 an authority's word does not count",  "good",                401),
    ("§2.2 expired",                             "self, expired",       401),
    ("§2.2 none",                                None,                  401),
]
# fmt: on


@pytest.mark.parametrize(("which", "status"), [row[1:] for row in SELF_SIGNED], ids=[row[0] for row in SELF_SIGNED])
def test_self_signed(guarded: Guarded, which: str | None, status: int) -> None:
    keys = {"keys": [SELF.jwk, CERTIFICATES["self, expired"].jwk]}
    guarded.rp(token_endpoint_auth_method="self_signed_tls_client_auth", tls_client_auth_subject_dn=None, jwks=keys)
    answer = guarded.redeem(None if which is None else shown(which))
    assert answer.status == status
    assert status == 200 or answer.body["error"] == "invalid_client"


@pytest.mark.parametrize(
    "key",
    [
        pytest.param({**SELF.jwk, "x5c": [GOOD.jwk["x5c"][0]]}, id="RFC 7517 §4.7 a certificate of another key"),
        pytest.param({**SELF.jwk, "x5c": []}, id="RFC 8705 §2.2.2 no certificate"),
        pytest.param({**SELF.jwk, "x5c": "x"}, id="RFC 7517 §4.7 no list"),
        pytest.param({**SELF.jwk, "x5c": ["AAAA"]}, id="RFC 7517 §4.7 no certificate in it"),
    ],
)
def test_a_key_without_its_certificate(guarded: Guarded, key: dict[str, Any]) -> None:
    members = {"token_endpoint_auth_method": "self_signed_tls_client_auth", "tls_client_auth_subject_dn": None}
    guarded.rp(**members, jwks={"keys": [key]})
    assert guarded.redeem(SELF).status == 401
    assert guarded.redeem(GOOD).status == 401


# fmt: off
SPOOFED: list[tuple[str, dict[str, Any], int, str]] = [
    ("RFC 9440 §4 from outside",         {"sender": STRANGER},                                           401, "invalid_client"),
    ("RFC 9440 §4 from nobody known",    {"sender": ""},                                                 401, "invalid_client"),
    ("RFC 9440 §2.2 twice",              {"headers": [("client-cert", SELF.header)]},                    400, "invalid_request"),
]
UNREADABLE: list[tuple[str, str]] = [
    ("RFC 9440 §2.2 PEM",                GOOD.pem.decode().replace("\n", " ")),
    ("RFC 9440 §2.2 no colons",          GOOD.header.strip(":")),
    ("RFC 9440 §2.2 no certificate",     ":AAAA:"),
    ("RFC 9440 §2.2 cut",                GOOD.header[:-9] + ":"),
    ("RFC 9440 §2.2 more behind it",     GOOD.header + ";x=1"),
    ("RFC 9440 §2.2 empty",              "::"),
    ("RFC 9440 §2.2 base64url",          GOOD.header.replace("+", "-").replace("/", "_")),
    ("house: huge",                      ":" + "A" * 20_000 + ":"),
]
# fmt: on


@pytest.mark.parametrize(("more", "status", "code"), [row[1:] for row in SPOOFED], ids=[row[0] for row in SPOOFED])
def test_spoofed(guarded: Guarded, more: dict[str, Any], status: int, code: str) -> None:
    issued, before = guarded.code(), guarded.written()
    answer = guarded.redeem(GOOD, issued, **more)
    assert (answer.status, answer.body["error"]) == (status, code)
    assert guarded.written() == before


@pytest.mark.parametrize("header", [row[1] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE])
def test_unreadable(guarded: Guarded, header: str) -> None:
    answer = guarded.redeem(None, headers=[("client-cert", header)])
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")
    assert guarded.redeem(None, headers=[("client-cert", header)], sender=STRANGER).status == 401


def test_a_long_chain(guarded: Guarded) -> None:
    chain = [("client-cert-chain", ", ".join([BELOW.header] * 5))]
    assert guarded.redeem(GOOD, headers=chain).status == 400
    assert guarded.redeem(GOOD, headers=[("client-cert-chain", ", ".join([BELOW.header] * 4))]).status == 200


def test_where_certificates_are_not_asked_for(guarded: Guarded) -> None:
    """Without its setting the header means nothing, whoever sends it."""
    guarded.provider.parts.registry.mutual_tls = None
    assert guarded.redeem(GOOD).status == 401


def test_without_an_authority_names_mean_nothing(guarded: Guarded) -> None:
    guarded.provider.parts.registry.mutual_tls = MutualTls(ORIGIN)
    assert guarded.redeem(GOOD).status == 401


def test_one_method_and_no_other(guarded: Guarded) -> None:
    """RFC 6749 §2.3: a certificate is not enough for who registered an assertion, an assertion not beside a certificate."""
    assertion = guarded.provider.credentials()
    assert guarded.redeem(GOOD, form=assertion).status == 401
    guarded.rp(token_endpoint_auth_method="private_key_jwt", tls_client_auth_subject_dn=None)
    assert guarded.redeem(GOOD).status == 401
    assert guarded.redeem(GOOD, form=guarded.provider.credentials()).status == 200
    guarded.rp()
    assert guarded.redeem(GOOD, form={"client_id": "nobody"}).status == 401
    guarded.rp(disabled=True)
    assert guarded.redeem(GOOD).status == 401


def bound(guarded: Guarded, which: Certified = GOOD, code: str | None = None) -> dict[str, Any]:
    answer = guarded.redeem(which, code or guarded.code(scope="openid use:town.benefit"))
    assert answer.status == 200, answer.body
    return dict(answer.body)


def test_a_token_is_bound(guarded: Guarded) -> None:
    """RFC 8705 §3.1."""
    body = bound(guarded)
    assert body["token_type"] == "Bearer"
    assert jwt.decode(body["access_token"], options={"verify_signature": False})["cnf"] == {"x5t#S256": GOOD.x5t}
    assert guarded.use(body["access_token"], GOOD).status == 200


# fmt: off
AT_RESOURCE: list[tuple[str, str | None, dict[str, Any]]] = [
    ("RFC 8705 §3 no certificate",              None,      {}),
    ("RFC 8705 §3 another",                     "self",    {}),
    ("RFC 8705 §3 another of the same client",  "renewed", {}),
    ("RFC 9440 §4 its own word for it",         "good",    {"sender": STRANGER}),
    ("RFC 9449 §7.1 the other scheme",          "good",    {"scheme": "DPoP"}),
]
# fmt: on


@pytest.mark.parametrize("endpoint", [userinfo, prefill])
@pytest.mark.parametrize(("which", "more"), [row[1:] for row in AT_RESOURCE], ids=[row[0] for row in AT_RESOURCE])
def test_not_at_a_resource(guarded: Guarded, endpoint: Any, which: str | None, more: dict[str, Any]) -> None:
    text, before = bound(guarded)["access_token"], guarded.written()
    answer = guarded.use(text, None if which is None else shown(which), endpoint, **more)
    assert (answer.status, answer.body["error"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert guarded.written() == before


def test_expired_between_two_uses(guarded: Guarded) -> None:
    short = make(DN, CA, end=AT + timedelta(days=1))
    guarded.provider.parts.durations = type(guarded.provider.parts.durations)(token=3600)
    guarded.provider.clock[0] = int((AT + timedelta(hours=23, minutes=50)).timestamp()) * 1_000_000
    text = bound(guarded, short)["access_token"]
    assert guarded.use(text, short).status == 200
    guarded.provider.later(1200)
    answer = guarded.use(text, short)
    assert (answer.status, answer.body["error_description"]) == (
        401,
        "the client certificate has expired or is not valid yet",
    )


def test_bound_whatever_the_method(guarded: Guarded) -> None:
    """RFC 8705 §3: binding and authentication are two things. Without a certificate nothing is issued, and nothing spent."""
    guarded.rp(token_endpoint_auth_method="private_key_jwt", tls_client_auth_subject_dn=None)
    code, before = guarded.code(), guarded.written()
    for which in (None, shown("expired")):
        answer = guarded.redeem(which, code, form=guarded.provider.credentials())
        assert (answer.status, answer.body["error"]) == (400, "invalid_request")
    assert guarded.written() == before
    body = guarded.redeem(SELF, code, form=guarded.provider.credentials()).body
    assert guarded.use(body["access_token"], SELF).status == 200
    assert guarded.use(body["access_token"], GOOD).status == 401


def test_refreshed(guarded: Guarded) -> None:
    """RFC 8705 §3, §6.1: the new token is bound to what is shown now; a client that authenticates may renew its certificate."""
    first = bound(guarded)
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "client_id": "rp"}
    assert guarded.call(token, "/token", form, None).status == 401
    assert guarded.call(token, "/token", form, SELF).status == 401
    renewed = shown("renewed")
    second = guarded.call(token, "/token", form, renewed).body
    assert guarded.use(second["access_token"], GOOD).status == 401
    assert guarded.use(second["access_token"], renewed).status == 200


def test_refreshed_by_who_cannot_authenticate(guarded: Guarded) -> None:
    """RFC 8705 §4: the certificate is all that ties a public client's refresh token to it."""
    public = {"profile": "baseline", "token_endpoint_auth_method": "none", "grant_types": GRANTS[:2]}
    code = guarded.code(scope="openid use:town.benefit")
    guarded.rp(**public, id_token_signed_response_alg="ES256", tls_client_auth_subject_dn=None)
    first = bound(guarded, SELF, code)
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "client_id": "rp"}
    for which, error in (
        (GOOD, "invalid_grant"),
        (None, "invalid_request"),
        (shown("same name by itself"), "invalid_grant"),
    ):
        answer = guarded.call(token, "/token", form, which)
        assert (answer.status, answer.body["error"]) == (400, error)
    second = guarded.call(token, "/token", form, SELF)
    assert second.status == 200
    form["refresh_token"] = second.body["refresh_token"]
    assert guarded.call(token, "/token", form, GOOD).body["error"] == "invalid_grant"


def test_bound_to_both(guarded: Guarded) -> None:
    """A client may be held to a DPoP key as well; then both count (RFC 9449 §7.1, RFC 8705 §3)."""
    guarded.rp(dpop_bound_access_tokens=True)
    provider, code = guarded.provider, guarded.code()
    assert guarded.redeem(GOOD, code).body["error"] == "invalid_dpop_proof"
    body = guarded.redeem(GOOD, code, headers=[("dpop", provider.proof("/token"))]).body
    assert body["token_type"] == "DPoP"
    text = body["access_token"]
    for which, status in ((GOOD, 200), (None, 401), (SELF, 401)):
        key = [("dpop", provider.proof("/userinfo", "GET", ath=ath(text)))]
        assert guarded.use(text, which, scheme="DPoP", headers=key).status == status
    assert guarded.use(text, GOOD).status == 401


def test_at_the_other_address(guarded: Guarded) -> None:
    """RFC 8705 §5, RFC 9449 §4.3: a proof names the address that was called, whichever of the two; no third one."""
    guarded.rp(**PKI, tls_client_certificate_bound_access_tokens=False, dpop_bound_access_tokens=True)
    provider = guarded.provider

    def key(url: str) -> list[tuple[str, str]]:
        return [("dpop", proof(provider.dpop_key, provider.now, method="POST", url=url, nonce=provider.nonce()))]

    for origin, status in ((ORIGIN, 200), (ISSUER, 200), ("https://other.example", 400)):
        assert guarded.redeem(GOOD, headers=key(f"{origin}/token")).status == status
    provider.parts.registry.mutual_tls = None
    guarded.rp(
        token_endpoint_auth_method="private_key_jwt", tls_client_auth_subject_dn=None, dpop_bound_access_tokens=True
    )
    provider.parts.registry.mutual_tls = None
    answer = guarded.redeem(None, form=provider.credentials(), headers=key(f"{ORIGIN}/token"))
    assert answer.body["error"] == "invalid_dpop_proof"


def test_everywhere_a_client_authenticates(guarded: Guarded) -> None:
    """RFC 8705 §2: PAR, revocation and introspection too."""
    request = {"client_id": "rp", "response_type": "code", "redirect_uri": CALLBACK, "scope": "openid use:town.permit"}
    request |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    about = {"client_id": "rp", "token": "x"}
    for endpoint, form, good in ((par, request, 201), (revocation, about, 200), (introspection, about, 200)):
        assert guarded.call(endpoint, endpoint.PATH, form, GOOD).status == good
        for which in (None, SELF):
            answer = guarded.call(endpoint, endpoint.PATH, form, which)
            assert (answer.status, answer.body["error"]) == (401, "invalid_client")


def test_for_itself_and_introspected(guarded: Guarded) -> None:
    """RFC 8705 §3.2: whoever is shown the token learns what it is bound to."""
    form = {"grant_type": "client_credentials", "client_id": "rp", "resource": RESOURCE}
    body = guarded.call(token, "/token", form, GOOD).body
    assert body["token_type"] == "Bearer"
    asked = {"token": body["access_token"], **guarded.provider.credentials(iss="other", sub="other")}
    told = guarded.call(introspection, "/introspection", asked, None).body
    assert (told["active"], told["token_type"], told["cnf"]) == (True, "Bearer", {"x5t#S256": GOOD.x5t})


# fmt: off
NEVER: list[tuple[str, dict[str, Any]]] = [
    ("§2.1.2 no name",                {"tls_client_auth_subject_dn": None}),
    ("§2.1.2 two names",              {"tls_client_auth_san_dns": "rp.example"}),
    ("§2.1.2 no distinguished name",  {"tls_client_auth_subject_dn": "rp"}),
    ("§2.1.2 not as RFC 4514 §2.1",   {"tls_client_auth_subject_dn": "CN=rp, O=Norr"}),
    ("§2.1.2 an empty one",           {"tls_client_auth_subject_dn": ""}),
    ("§2.1.2 no address",             named(tls_client_auth_san_ip="rp.example")),
    ("§2.1.2 no ASCII",               named(tls_client_auth_san_dns="rp.exämple")),
    ("§2.2 no keys",                  {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": None}),
    ("FAPI 2.0 §5.3.2.1 unbound",     {**PKI, "tls_client_certificate_bound_access_tokens": False, "dpop_bound_access_tokens": False}),
]
# fmt: on


@pytest.mark.parametrize("members", [row[1] for row in NEVER], ids=[row[0] for row in NEVER])
def test_never_registered(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        client(Key(), **{**PKI, **BOUND, **members})


def test_what_is_offered(guarded: Guarded) -> None:
    """RFC 8705 §5, §3.3, §7.1 of discovery: nothing without the setting, names at the other host with it."""
    plain = discovery.document(ISSUER, ["openid"])
    told = discovery.document(ISSUER, ["openid"], guarded.provider.parts.registry.mutual_tls)
    assert told["tls_client_certificate_bound_access_tokens"] is True
    aliases = told["mtls_endpoint_aliases"]
    assert aliases["token_endpoint"] == f"{ORIGIN}/token"
    assert {"pushed_authorization_request_endpoint", "userinfo_endpoint", "prefill_endpoint"} <= set(aliases)
    assert "authorization_endpoint" not in aliases
    assert {told[name].removeprefix(ISSUER) for name in aliases} == {a.removeprefix(ORIGIN) for a in aliases.values()}
    changed = {name for name in told if told[name] != plain.get(name)}
    methods = {name for name in told if name.endswith("_auth_methods_supported")}
    assert changed == {"tls_client_certificate_bound_access_tokens", "mtls_endpoint_aliases", *methods}
    assert all(told[name] == [*plain[name], "tls_client_auth", "self_signed_tls_client_auth"] for name in methods)
    here = discovery.document(ISSUER, ["openid"], MutualTls(ISSUER))
    assert "mtls_endpoint_aliases" not in here
    assert "tls_client_auth" not in here["token_endpoint_auth_methods_supported"]
