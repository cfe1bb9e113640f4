"""Clients that register themselves: what they get, what they cannot say, and that a refusal writes nothing (RFC 7591, RFC 7592)."""

import asyncio
import json
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from sqlalchemy import select

from broker import errors
from broker.answers import Json, Raw, Refusal
from broker.clients import authentication, registered, registration, software
from broker.clients.key_sets import KeySets
from broker.clients.metadata import ClientMetadata
from broker.clients.mutual_tls import MutualTls
from broker.clients.registry import Registry
from broker.database import Database
from broker.egress import Egress, EgressRefused, Reply
from broker.endpoints import registration as endpoint
from broker.errors import Wire
from broker.tables import initial_access, registered_client
from keys.certificates import Authorities
from tests.broker.provider import Provider
from tests.broker.relying import ISSUER, Key, assertion, client, parameters
from tests.certified import make

SECOND = 1_000_000
KEY, VOUCHER = Key(), Key("v1")
CALLBACK = "https://new.example/cb"
GOOD: dict[str, Any] = {"client_name": "New", "redirect_uris": [CALLBACK], "jwks": {"keys": [KEY.jwk]}}
SECRET = {"redirect_uris": [CALLBACK], "client_name": "New"}
VOUCHERS = {"issuer": "https://software.example", "jwks": {"keys": [VOUCHER.jwk]}}
LIST = "https://group.example/sector.json"


@dataclass
class Told:
    """An answer: its status, error or body, and headers."""

    status: int
    body: Any
    headers: Any

    @property
    def error(self) -> Any:
        return self.body["error"]


@dataclass
class Site:
    """Somebody's web site, as the egress guard gives it."""

    pages: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def request(self, method: str, url: str, **_: Any) -> Reply:
        self.asked.append(url)
        if url not in self.pages:
            raise EgressRefused("unreachable")
        return Reply(200, {"content-type": "application/json"}, self.pages[url])


@dataclass
class Office:
    """The registration endpoints of a provider."""

    provider: Provider
    site: Site

    @property
    def registry(self) -> Registry:
        found: Registry = self.provider.parts.registry
        return found

    def token(self, profile: str = "fapi2", uses: int = 1, days: int = 1) -> str:
        with self.provider.database.write() as tx:
            return registered.issue(tx, profile=profile, uses=uses, expires=self.provider.now + days * 86_400 * SECOND)

    def send(self, method: str, token: str | None, body: Any = None, client_id: str = "", **headers: str) -> Told:
        wanted = {"content-type": "application/json", **headers}
        if token is not None:
            wanted["authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        request = self.provider.request(method, f"/register/{client_id}", list(wanted.items()), content)
        request.scope["path_params"] = {"id": client_id}
        gather, act = {
            "POST": (endpoint.gather, endpoint.act),
            "GET": (endpoint.gather_own, lambda _tx, facts, now: endpoint.act_read(facts, now)),
            "PUT": (endpoint.gather_replace, endpoint.act_replace),
            "DELETE": (endpoint.gather_own, endpoint.act_remove),
        }[method]
        try:
            facts = asyncio.run(gather(request))
            with self.provider.database.write() as tx:
                answer: Any = act(tx, facts, self.provider.now)
        except Wire as problem:
            answer = problem.refusal
        rendered = errors.render(answer, "oauth", "x") if isinstance(answer, Refusal) else answer
        assert isinstance(rendered, Json | Raw)
        return Told(rendered.status, rendered.body if isinstance(rendered, Json) else None, rendered.headers)

    def register(self, body: Any, profile: str = "fapi2") -> Told:
        return self.send("POST", self.token(profile), body)

    def rows(self) -> list[Any]:
        with self.provider.database.read() as tx:
            return [tuple(row) for table in (registered_client, initial_access) for row in tx.execute(select(table))]


@pytest.fixture
def office(provider: Provider) -> Office:
    site = Site({LIST: json.dumps([CALLBACK, "https://second.example/cb"]).encode()})
    rules = software.Registration.model_validate({"software_statement_issuers": (VOUCHERS,)})
    provider.parts.outbound = SimpleNamespace(client_addresses=site)
    provider.parts.registry = Registry(
        provider.parts.registry.all(),
        KeySets(Egress()),
        mode="sandbox",
        database=provider.database,
        registration=rules,
        own=(provider.parts.issuer,),
    )
    return Office(provider, site)


def test_a_client_registers_and_acts_at_once(office: Office) -> None:
    """RFC 7591 §3.2.1: 201, what is stored and no more; the client is known to every process from then on."""
    told = office.register({**GOOD, "client_name#ar": "جديد", "scope": "openid email", "colour": "blue"})
    assert (told.status, told.headers["Cache-Control"]) == (201, "no-store")
    client_id = told.body["client_id"]
    assert told.body["registration_client_uri"] == f"{ISSUER}/register/{client_id}"
    assert told.body["client_id_issued_at"] == office.provider.now // SECOND
    assert told.body["client_name#ar"] == "جديد"
    assert told.body["token_endpoint_auth_method"] == "private_key_jwt"
    assert told.body["dpop_bound_access_tokens"] is True
    assert not {"colour", "client_secret", "profile", "disabled", "sector", "client_secret_hash"} & told.body.keys()
    given = {
        "client_assertion_type": authentication.TYPE,
        "client_assertion": assertion(KEY, office.provider.now, client_id),
    }
    for registry in (
        office.registry,
        Registry([], KeySets(Egress()), mode="sandbox", database=office.provider.database),
    ):
        known = authentication.authenticate(
            parameters(**given), [], registry=registry, issuer=ISSUER, now=office.provider.now
        )
        assert asyncio.run(known).client_id == client_id


def test_a_secret_is_told_once_and_kept_as_a_hash(office: Office) -> None:
    """RFC 7591 §3.2.1, RFC 7592 §2.1: the specification's defaults under `baseline`."""
    told = office.register(SECRET, "baseline")
    assert (told.status, told.body["token_endpoint_auth_method"]) == (201, "client_secret_basic")
    assert told.body["id_token_signed_response_alg"] == "RS256"
    assert told.body["client_secret_expires_at"] == 0
    assert len(told.body["client_secret"]) >= 43
    secrets = told.body["client_secret"], told.body["registration_access_token"]
    assert not any(text in repr(office.rows()) for text in secrets)
    client_id, own = told.body["client_id"], told.body["registration_access_token"]
    again = office.send("GET", own, client_id=client_id)
    assert (again.status, "client_secret" in again.body) == (200, False)
    assert again.body["registration_access_token"] == own
    kept = office.registry.active(client_id)
    assert kept is not None
    changed = {**SECRET, "client_id": client_id, "client_name": "Renamed"}
    replaced = office.send("PUT", own, {**changed, "client_secret": secrets[0]}, client_id)
    assert (replaced.status, replaced.body["client_name"], "client_secret" in replaced.body) == (200, "Renamed", False)
    now = office.registry.active(client_id)
    assert now is not None
    assert (now.client_name, now.client_secret_hash) == ("Renamed", kept.client_secret_hash)
    moved = office.send("PUT", own, {**changed, "token_endpoint_auth_method": "none"}, client_id)
    assert moved.status == 200
    assert ClientMetadata.model_validate(office.registry.get(client_id)).client_secret_hash is None
    back = office.send("PUT", own, {**changed, "token_endpoint_auth_method": "client_secret_post"}, client_id)
    assert back.body["client_secret"] != secrets[0]
    assert office.send("DELETE", own, client_id=client_id).status == 204
    assert office.registry.get(client_id) is None
    assert office.send("GET", own, client_id=client_id).status == 401


def test_what_is_left_out_of_a_change_is_gone_and_what_the_operator_said_stays(office: Office) -> None:
    """RFC 7592 §2.2."""
    told = office.register({**GOOD, "client_uri": "https://new.example/", "tos_uri": "https://new.example/tos"})
    client_id, own = told.body["client_id"], told.body["registration_access_token"]
    with office.provider.database.write() as tx:
        assert registered.disable(tx, client_id, disabled=True)
    assert office.registry.active(client_id) is None
    replaced = office.send("PUT", own, {**GOOD, "client_id": client_id, "tos_uri": None, "disabled": False}, client_id)
    assert replaced.status == 200
    assert not {"client_uri", "tos_uri"} & replaced.body.keys()
    assert office.registry.active(client_id) is None
    with office.provider.database.write() as tx:
        assert registered.disable(tx, client_id, disabled=False)
    assert office.registry.active(client_id) is not None


def test_by_certificate_where_that_is_offered(office: Office) -> None:
    """RFC 8705 §2.1.2, §2.2.2, §3.4: what is registered is told again; the method only where the operator asks for certificates."""
    named = {**SECRET, "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "new.example"}
    named["tls_client_certificate_bound_access_tokens"] = True
    own = {**GOOD, "token_endpoint_auth_method": "self_signed_tls_client_auth"}
    assert office.register(named).error == "invalid_client_metadata"
    office.registry.mutual_tls = MutualTls("https://mtls.example", Authorities(()))
    told = office.register(named)
    assert told.status == 201
    assert named.items() <= told.body.items()
    assert told.body["dpop_bound_access_tokens"] is False
    assert office.register(own).error == "invalid_client_metadata"  # keys without a certificate
    assert office.register({**own, "jwks": {"keys": [make("CN=new").jwk]}}).status == 201
    office.registry.mutual_tls = MutualTls("https://mtls.example")
    assert office.register(named).error == "invalid_client_metadata"  # nobody vouches for names


def test_two_hosts_without_a_word_of_pairwise(office: Office) -> None:
    """OpenID Connect Core §8.1: registered, stored and read again."""
    told = office.register({**GOOD, "redirect_uris": [CALLBACK, "https://second.example/cb"]})
    assert told.status == 201, told.body
    kept = office.registry.get(told.body["client_id"])
    assert kept
    assert kept.pairwise_sector == kept.client_id


def test_a_shared_sector_is_listed_by_its_owner(office: Office) -> None:
    """OpenID Connect Core §8.1: two hosts, one sector; a second client listed there shares it."""
    hosts = {"redirect_uris": [CALLBACK, "https://second.example/cb"], "sector_identifier_uri": LIST}
    one = office.register({**GOOD, **hosts})
    two = office.register({**GOOD, "sector_identifier_uri": LIST})
    assert (one.status, two.status, office.site.asked) == (201, 201, [LIST, LIST])
    sectors = [office.registry.get(told.body["client_id"]) for told in (one, two)]
    assert [one and one.pairwise_sector for one in sectors] == ["group.example"] * 2
    alone = office.registry.get(office.register(GOOD).body["client_id"])
    assert alone is not None
    assert alone.pairwise_sector == alone.client_id


DEVICE = {"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "response_types": [], "redirect_uris": []}
BESIDE = "https://second.example/cb"


def sub_sector(office: Office, told: Told) -> str:
    kept = office.registry.get(told.body["client_id"])
    assert kept is not None
    return kept.pairwise_sector


def test_a_sector_is_proven_for_both_or_for_neither(office: Office) -> None:
    """OpenID Connect Core §8.1: whoever joins a sector brings a list with everybody who is in it already."""
    one = office.register({**GOOD, "sector_identifier_uri": LIST})
    assert (one.status, sub_sector(office, one)) == (201, "group.example")
    other_list = "https://group.example/elsewhere.json"
    office.site.pages[other_list] = json.dumps([BESIDE]).encode()
    second = {**GOOD, "client_name": "Beside", "redirect_uris": [BESIDE], "sector_identifier_uri": other_list}
    refused = office.register(second)
    assert (refused.status, refused.error) == (400, META)
    assert "ask the operator" in refused.body["error_description"]
    office.site.pages[other_list] = json.dumps([BESIDE, CALLBACK]).encode()
    two = office.register(second)
    assert (two.status, sub_sector(office, two)) == (201, "group.example")


def test_the_operators_sector_is_joined_by_nobody_else(office: Office) -> None:
    """A sector of the files, and one named as a client is, count as taken, too."""
    taken = office.registry.all()[0].model_copy(update={"client_id": "taken", "sector": "group.example"})
    named = taken.model_copy(update={"client_id": "group.example", "sector": None})
    for held in (taken, named):
        office.registry._clients = {held.client_id: held}
        refused = office.register({**GOOD, "sector_identifier_uri": LIST})
        assert (refused.status, refused.error) == (400, META)


def test_a_client_without_an_address_joins_no_sector(office: Office) -> None:
    """CIBA Core §4: what stands in the list is the key set or the notification endpoint; nothing is proven by nothing."""
    token = office.token("baseline")
    refused = office.send("POST", token, {**GOOD, **DEVICE, "sector_identifier_uri": LIST})
    assert (refused.status, refused.error) == (400, META)
    assert "needs a jwks_uri" in refused.body["error_description"]


CIBA = {
    "grant_types": ["urn:openid:params:grant-type:ciba"],
    "response_types": [],
    "redirect_uris": [],
    "backchannel_authentication_request_signing_alg": "ES256",
}
THEIRS = "https://second.example/notify"
PINGED = {**CIBA, "backchannel_token_delivery_mode": "ping", "backchannel_client_notification_endpoint": THEIRS}
POLLS = {**CIBA, "backchannel_token_delivery_mode": "poll"}
BOTH = {"grant_types": ["authorization_code", *DEVICE["grant_types"]]}
KEYS = "https://second.example/jwks"
BEHIND = {"jwks": None, "jwks_uri": KEYS}
SHARED_SECRET = {"token_endpoint_auth_method": "client_secret_basic"}


@pytest.mark.parametrize(
    "members",
    [
        pytest.param(PINGED, id="their notification endpoint, own keys"),
        pytest.param(POLLS, id="own keys inline"),
        pytest.param(BOTH, id="their redirect URI beside the device grant"),
        pytest.param({**BOTH, **BEHIND, **SHARED_SECRET}, id="their keys, a secret of one's own"),
        pytest.param(
            {**BOTH, "jwks_uri": "https://evil.example/jwks", "jwks": None}, id="keys that are not in the list"
        ),
    ],
)
def test_who_fetches_answers_joins_a_sector_by_its_keys(office: Office, members: dict[str, Any]) -> None:
    """CIBA Core §4, RFC 8628 §3.4: an address of theirs gets nothing there, so writing it down proves nothing."""
    office.site.pages[LIST] = json.dumps([CALLBACK, THEIRS, KEYS]).encode()
    refused = office.register({**GOOD, "sector_identifier_uri": LIST, **members}, "baseline")
    assert (refused.status, refused.error) == (400, META)
    assert "sector_identifier_uri" in refused.body["error_description"]
    proven = {"sector_identifier_uri": LIST, **BEHIND, "token_endpoint_auth_method": "private_key_jwt"}
    for name, own in (("Polls", POLLS), ("Pinged", PINGED), ("Both", BOTH)):
        told = office.register({**GOOD, **proven, **own, "client_name": name}, "baseline")
        assert told.status == 201, told.body
        assert sub_sector(office, told) == "group.example"


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"sector_identifier_uri": LIST}, id="another sector"),
        pytest.param({"subject_type": "public"}, id="another kind of name"),
    ],
)
def test_a_change_after_which_people_have_other_names(office: Office, changed: dict[str, Any]) -> None:
    """RFC 7592 §2.2: what people are known by is compared with what was; there and back."""
    for before, after in (({}, changed), (changed, {})):
        own = office.register({**GOOD, **before}, "baseline")
        assert own.status == 201, own.body
        client_id, rows = own.body["client_id"], office.rows()
        told = office.send(
            "PUT", own.body["registration_access_token"], {**GOOD, **after, "client_id": client_id}, client_id
        )
        assert (told.status, told.error) == (400, META)
        assert "names that would change" in told.body["error_description"]
        assert office.rows() == rows
        same = office.send(
            "PUT", own.body["registration_access_token"], {**GOOD, **before, "client_id": client_id}, client_id
        )
        assert same.status == 200


def test_a_sector_list_that_is_slow(office: Office) -> None:
    office.provider.parts.outbound = SimpleNamespace(client_addresses=Busy())
    refused = office.register({**GOOD, "sector_identifier_uri": LIST})
    assert (refused.status, refused.error) == (503, "temporarily_unavailable")


@pytest.mark.parametrize(
    "taken", ["Norr Taxes", "NORR TAXES", "N0rr-Taxes", "Norr \u0422\u0430\u0445es".replace("es", "\u0435\u0455")]
)
def test_an_agencys_name_is_taken_by_nobody_else(office: Office, taken: str) -> None:
    """RFC 7591 §5: not as it is, not in another language's wording, not in letters that look alike, and not by a change later."""
    elsewhere = {"redirect_uris": ["https://evil.example/cb"]}
    assert office.register({**GOOD, "client_name": "Norr Taxes"}).status == 201
    for members in ({"client_name": taken}, {"client_name": "Own", "client_name#ar": taken}):
        refused = office.register({**GOOD, **elsewhere, **members})
        assert (refused.status, refused.error) == (400, META)
    for pretended in ([CALLBACK, "https://evil.example/cb"], ["https://evil.example/cb", CALLBACK]):
        refused = office.register({**GOOD, "redirect_uris": pretended, "client_name": taken})
        assert (refused.status, refused.error) == (400, META), "an address of theirs beside one's own"
    fetching = {"grant_types": ["authorization_code", *DEVICE["grant_types"]], "client_name": taken}
    refused = office.register({**GOOD, **fetching}, "baseline")
    assert (refused.status, refused.error) == (400, META), "their address, but answers go to who fetches them"
    own = office.register({**GOOD, **elsewhere, "client_name": "Own"})
    client_id, token = own.body["client_id"], own.body["registration_access_token"]
    refused = office.send("PUT", token, {**GOOD, **elsewhere, "client_name": taken, "client_id": client_id}, client_id)
    assert (refused.status, refused.error) == (400, META)
    assert office.register({**GOOD, "client_name": "Norr Taxes"}).status == 201, "the same people's second client"


class Busy(Egress):
    async def request(self, *_args: Any, **_bounds: Any) -> Any:
        raise EgressRefused("busy")


def statement(key: Key = VOUCHER, **claims: Any) -> str:
    return jwt.encode({"iss": VOUCHERS["issuer"], **claims}, key.private, algorithm="ES256", headers={"kid": "v1"})


def test_a_software_statement_wins(office: Office) -> None:
    """RFC 7591 §2.3, §3.2.1: over what the client says, within what it may say; it comes back unchanged."""
    signed = statement(software_id="s-1", client_name="Vouched", profile="baseline", disabled=True, sector="rp")
    told = office.register({**GOOD, "software_statement": signed})
    assert (told.status, told.body["client_name"], told.body["software_id"]) == (201, "Vouched", "s-1")
    assert told.body["software_statement"] == signed
    kept = office.registry.active(told.body["client_id"])
    assert kept is not None
    assert (kept.profile, kept.sector) == ("fapi2", None)


# fmt: off
ASSIGNED: list[dict[str, Any]] = [
    {"client_id": "rp"}, {"client_secret": "mine"}, {"client_secret_hash": "A" * 43}, {"profile": "baseline"}, {"disabled": True},
    {"sector": "rp"}, {"serves": ["https://broker.example/"]}, {"calls": ["https://files.example/"]}, {"trusted": True},
    {"skip_consent": True}, {"verified": True}, {"tenant_id": "t"}, {"owner": "me"}, {"wordings": {"client_name": "X"}},
    {"client_id_issued_at": 1}, {"client_secret_expires_at": 9_999_999_999}, {"registration_access_token": "t"},
]
# fmt: on


@pytest.mark.parametrize("member", ASSIGNED, ids=[next(iter(member)) for member in ASSIGNED])
def test_what_only_the_operator_says_is_ignored(office: Office, member: dict[str, Any]) -> None:
    """RFC 7591 §2, protocol §5: as if it had not been sent; the answer echoes only what is stored."""
    told = office.register({**GOOD, **member})
    assert told.status == 201
    kept = office.registry.get(told.body["client_id"])
    plain = office.registry.get(office.register(GOOD).body["client_id"])
    assert kept is not None
    assert plain is not None
    assert kept.model_copy(update={"client_id": plain.client_id}) == plain
    name, value = next(iter(member.items()))
    assert told.body.get(name) != value


def test_every_member_is_the_clients_to_say_or_the_operators() -> None:
    """A new member of the metadata must be put on one side on purpose."""
    assert set(ClientMetadata.model_fields) == registration.ALLOWED | registration.OURS
    assert not registration.ALLOWED & registration.OURS


OWN = f"{ISSUER}/callback"
META, REDIRECT = "invalid_client_metadata", "invalid_redirect_uri"
PRIVATE = {**KEY.jwk, "d": "AAAA"}
OCT = {"kty": "oct", "k": "c2VjcmV0"}
SCRIPTS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "ftp://new.example/",
    "http://new.example/",
]
# fmt: off
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("RFC 7591 §2 no redirect URI",                 {"redirect_uris": None},                                   META),
    ("RFC 7591 §2 redirect_uris is no list",        {"redirect_uris": CALLBACK},                               REDIRECT),
    ("protocol §5 ten thousand redirect URIs",      {"redirect_uris": [CALLBACK] * 1500},                      REDIRECT),
    ("RFC 9700 §4.1 fragment",                      {"redirect_uris": [CALLBACK + "#x"]},                      REDIRECT),
    ("RFC 9700 §4.1 user name",                     {"redirect_uris": ["https://rp@evil.example/cb"]},         REDIRECT),
    ("RFC 9700 §4.1 dot segments",                  {"redirect_uris": ["https://new.example/a/%2e%2e/cb"]},    REDIRECT),
    ("RFC 9700 §4.1 backslash",                     {"redirect_uris": ["https://new.example\\@evil.example"]}, REDIRECT),
    ("RFC 9700 §4.1 homograph",                     {"redirect_uris": ["https://n\u0435w.example/cb"]},             REDIRECT),
    *[(f"RFC 9700 §4.1 {name} at our own origin",   {name: [OWN] if name.endswith("s") else OWN},              REDIRECT if name == "redirect_uris" else META)
      for name in ("redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri")],
    *[(f"RFC 6749 §3.1 {query}",                    {"redirect_uris": [f"{CALLBACK}?{query}"]},                REDIRECT)
      for query in ("code=x", "state=x", "iss=x", "error=x", "response=x", "session_state=x", "%73tate=x")],
    ("RFC 6874 zone id",                            {"redirect_uris": ["https://[fe80::1%25eth0]/cb"]},        REDIRECT),
    ("OIDC Core §8.1 two hosts, no sector",         {"redirect_uris": [CALLBACK, "https://b.example/cb"], "subject_type": "pairwise"}, META),
    ("OIDC Registration §5 not in the list",        {"redirect_uris": ["https://c.example/cb"], "sector_identifier_uri": LIST}, META),
    ("OIDC Registration §5 list not there",         {"sector_identifier_uri": "https://none.example/s"},       META),
    ("OIDC Registration §5 list over http",         {"sector_identifier_uri": "http://group.example/s"},       META),
    ("RFC 7591 §2 jwks and jwks_uri",               {"jwks_uri": "https://new.example/jwks"},                  META),
    ("RFC 7591 §2 neither",                         {"jwks": None},                                            META),
    ("RFC 7591 §5 private key",                     {"jwks": {"keys": [PRIVATE]}},                             META),
    ("RFC 7591 §5 symmetric key",                   {"jwks": {"keys": [KEY.jwk, OCT]}},                        META),
    ("RFC 7517 §5 empty set",                       {"jwks": {"keys": []}},                                    META),
    ("RFC 7517 §5 no set",                          {"jwks": []},                                              META),
    ("RFC 7517 §5 too many keys",                   {"jwks": {"keys": [KEY.jwk] * 33}},                        META),
    ("RFC 7591 §2 no key of the algorithm",         {"token_endpoint_auth_signing_alg": "PS256"},              META),
    ("FAPI 2.0 §5.3.2.1 secret",                    {"token_endpoint_auth_method": "client_secret_basic"},     META),
    ("FAPI 2.0 §5.3.2.1 public client",             {"token_endpoint_auth_method": "none"},                    META),
    ("FAPI 2.0 §5.3.2.1 bearer tokens",             {"dpop_bound_access_tokens": False},                       META),
    ("FAPI 2.0 §5.3.2.2 no PAR",                    {"require_pushed_authorization_requests": False},          META),
    ("FAPI 2.0 §5.4.1 RS256",                       {"token_endpoint_auth_signing_alg": "RS256"},              META),
    ("FAPI 2.0 §5.4.1 RS256 ID tokens",             {"id_token_signed_response_alg": "RS256"},                 META),
    ("RFC 8725 §3.2 unsigned ID tokens",            {"id_token_signed_response_alg": "none"},                  META),
    ("RFC 7591 §2 unknown method",                  {"token_endpoint_auth_method": "client_secret_jwt"},       META),
    ("HAIP 1.0 §4.4.1 attested agency",             {"token_endpoint_auth_method": "attest_jwt_client_auth"},  META),
    ("RFC 9700 §2.1.2 implicit",                    {"response_types": ["code", "token"]},                     META),
    ("RFC 9700 §2.4 password grant",                {"grant_types": ["authorization_code", "password"]},       META),
    ("OpenID4VCI §6.1 a wallet's grant",            {"grant_types": ["urn:ietf:params:oauth:grant-type:pre-authorized_code"]}, META),
    ("RFC 7591 §2 no grant",                        {"grant_types": []},                                       META),
    ("house: another agency's use",                 {"scope": "openid use:town.permit"},                       META),
    ("RFC 6749 §3.3 unknown scope",                 {"scope": "openid admin"},                                 META),
    ("OIDC Core §8.1 one subject for all",          {"subject_type": "public"},                                META),
    ("protocol §5 direction override",              {"client_name": "Tax\u202eoffice"},                        META),
    ("protocol §5 zero width in a wording",         {"client_name#ar": "a\u200bb"},                            META),
    ("RFC 7591 §2 wrong type",                      {"client_name": 7},                                        META),
    ("RFC 7591 §2 wrong type inside",               {"contacts": [{"a": 1}]},                                  META),
    ("RFC 7591 §2 number as text",                  {"default_max_age": "60"},                                 META),
    ("house: placeholder",                          {"client_uri": "https://${agency}/"},                      META),
    ("RFC 7591 §2.3 statement of nobody",           {"software_statement": "e30.e30."},                        "unapproved_software_statement"),
    ("RFC 7591 §2.3 statement is no token",         {"software_statement": {"a": 1}},                          "invalid_software_statement"),
    ("RFC 7591 §2.3 garbage",                       {"software_statement": "x"},                               "invalid_software_statement"),
    ("RFC 7591 §2.3 signed by another",             {"software_statement": statement(KEY)},                    "invalid_software_statement"),
    ("RFC 7591 §2.3 of another issuer",             {"software_statement": statement(iss="https://x.example")}, "unapproved_software_statement"),
    ("RFC 7519 §4.1.4 expired",                     {"software_statement": statement(exp=1)},                  "invalid_software_statement"),
    *[(f"protocol §5 {name} {text}", {name: [text] if name.endswith("s") else text}, REDIRECT if name == "redirect_uris" else META)
      for name in ("redirect_uris", "client_uri", "logo_uri", "tos_uri", "policy_uri", "post_logout_redirect_uris", "jwks_uri") for text in SCRIPTS],
]
# fmt: on


@pytest.mark.parametrize(("members", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(office: Office, members: dict[str, Any], code: str) -> None:
    """RFC 7591 §3.2.2: 400, and neither a client nor a use of the token is written."""
    token = office.token()
    before = office.rows()
    told = office.send("POST", token, {**GOOD, **members})
    assert (told.status, told.error) == (400, code)
    assert told.headers["Cache-Control"] == "no-store"
    assert told.body["error_description"].isprintable()
    assert office.rows() == before
    if members.get("redirect_uris", ...) is not None:
        own = office.register(GOOD)
        client_id = own.body["client_id"]
        changed = {**GOOD, **members, "client_id": client_id}
        before = office.rows()
        told = office.send("PUT", own.body["registration_access_token"], changed, client_id)
        assert (told.status, told.error) == (400, code)
        assert office.rows() == before


# fmt: off
MALFORMED: list[tuple[str, bytes, dict[str, str], int]] = [
    ("RFC 7591 §3.1 no JSON",           b"{",                                {}, 400),
    ("RFC 7591 §3.1 a list",            b"[]",                               {}, 400),
    ("RFC 8259 §4 a name twice",        b'{"client_name":"a","client_name":"b"}', {}, 400),
    ("RFC 8259 §8.1 not UTF-8",         b'{"client_name":"\xff"}',           {}, 400),
    ("protocol §5 depth",               b'{"jwks":' + b"[" * 5000 + b"]" * 5000 + b"}", {}, 400),
    ("RFC 7591 §3.1 a form",            b"client_name=a",                    {"content-type": "application/x-www-form-urlencoded"}, 415),
    ("RFC 7591 §3.1 no type",           b"{}",                               {"content-type": ""}, 415),
]
# fmt: on


@pytest.mark.parametrize(("body", "headers", "status"), [r[1:] for r in MALFORMED], ids=[r[0] for r in MALFORMED])
def test_malformed(office: Office, body: bytes, headers: dict[str, str], status: int) -> None:
    token = office.token()
    before = office.rows()
    told = office.send("POST", token, body, **headers)
    assert (told.status, told.error) == (status, META)
    assert office.rows() == before


def test_a_body_too_large(office: Office) -> None:
    with pytest.raises(errors.Malformed):
        office.send("POST", office.token(), {**GOOD, "client_name": "x" * 70_000})


@pytest.mark.parametrize("token", [None, "", "x" * 43, "x" * 5000])
def test_no_good_token_registers_nothing_and_fetches_nothing(office: Office, token: str | None) -> None:
    """RFC 7591 §3, RFC 6750 §3.1: 401 with a challenge, before anything that was sent is looked at."""
    told = office.send("POST", token, {**GOOD, "sector_identifier_uri": LIST})
    assert (told.status, told.error) == (401, "invalid_token")
    assert told.headers["WWW-Authenticate"].startswith("Bearer")
    assert (office.rows(), office.site.asked) == ([], [])


def test_an_initial_access_token_ends(office: Office) -> None:
    token = office.token(uses=2)
    assert [office.send("POST", token, GOOD).status for _ in range(3)] == [201, 201, 401]
    old = office.token()
    office.provider.later(86_400)
    assert office.send("POST", old, GOOD).status == 401
    assert len(office.rows()) == 4


def test_a_race_for_the_last_use(office: Office, database: Database) -> None:
    """Keycloak #27294: sixteen at once, one registration."""
    token, now, won = office.token(), office.provider.now, []

    def take() -> None:
        with database.write() as tx:
            won.append(registered.spend(tx, token, now))

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 15 + [True]


def test_another_clients_token_opens_nothing(office: Office) -> None:
    """RFC 7592 §2: 401 for a wrong token, an unknown client and a client of the files alike; nothing changes."""
    one, two = office.register(GOOD), office.register(GOOD)
    before = office.rows()
    foreign = two.body["registration_access_token"]
    for client_id in (one.body["client_id"], "rp", "c-" + "0" * 32, "../" + two.body["client_id"]):
        for method in ("GET", "PUT", "DELETE"):
            told = office.send(method, foreign, {**GOOD, "client_id": client_id}, client_id)
            assert (told.status, told.error) == (401, "invalid_token")
    assert office.rows() == before


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"client_id": "rp"}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"registration_access_token": "t"}, "invalid_request"),
        ({"registration_client_uri": "https://x.example"}, "invalid_request"),
        ({"client_id_issued_at": 1}, "invalid_request"),
        ({"client_secret": "guessed"}, META),
        ({"client_secret": 7}, META),
    ],
    ids=str,
)
def test_a_change_says_who_and_not_what_only_the_server_says(
    office: Office, members: dict[str, Any], code: str
) -> None:
    """RFC 7592 §2.2."""
    own = office.register(GOOD)
    client_id = own.body["client_id"]
    before = office.rows()
    told = office.send(
        "PUT", own.body["registration_access_token"], {**GOOD, "client_id": client_id, **members}, client_id
    )
    assert (told.status, told.error) == (400, code)
    assert office.rows() == before


def test_a_change_that_lost_a_race_is_told_so(office: Office) -> None:
    own = office.register(GOOD)
    client_id = own.body["client_id"]
    kept = office.registry.get(client_id)
    assert kept is not None
    with office.provider.database.write() as tx:
        assert registered.replace(tx, kept, 1)
        assert not registered.replace(tx, kept, 1)


def test_where_statements_are_needed_none_is_refused(office: Office) -> None:
    office.registry.registration = software.Registration(software_statement_required=True)
    assert office.register(GOOD).error == "invalid_software_statement"


@pytest.mark.parametrize("mode", ["sandbox", "production"])
def test_a_mode_that_allows_less_stops_a_client_that_is_there(office: Office, mode: str) -> None:
    """House: the rules are asked on every request, not only at registration."""
    told = office.register({**SECRET, "scope": "openid email"}, "baseline")
    assert told.status == 201
    registry = Registry([], KeySets(Egress()), mode=mode, database=office.provider.database)
    assert (registry.active(told.body["client_id"]) is not None) is (mode == "sandbox")


ADDRESSES = [
    "127.0.0.1", "::1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "fc00::1", "fe80::1", "0.0.0.0",
    "100.64.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "224.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_sector_list_on_an_inner_address(office: Office, address: str) -> None:
    """OpenID Connect Core §16, protocol §5: the guard looks at what the name stands for; the answer says nothing of it."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return [address]

    office.provider.parts.outbound = SimpleNamespace(client_addresses=Egress(resolve=resolve))
    told = office.register({**GOOD, "sector_identifier_uri": "https://inner.example/s"})
    assert (told.status, told.error) == (400, META)
    assert told.body["error_description"] == "sector_identifier_uri cannot be read"


@pytest.mark.parametrize(
    "listed",
    [
        b"",
        b"{}",
        b'"x"',
        b"[",
        b'[{"a":1}]',
        json.dumps([CALLBACK, 1]).encode(),
        json.dumps([CALLBACK, [CALLBACK]]).encode(),
        json.dumps({CALLBACK: 1}).encode(),
        b"null",
        json.dumps([CALLBACK + "/"]).encode(),
    ],
)
def test_a_sector_list_that_is_none(office: Office, listed: bytes) -> None:
    office.site.pages[LIST] = listed
    assert office.register({**GOOD, "sector_identifier_uri": LIST}).error == META


def test_a_file_comes_before_a_registration(office: Office) -> None:
    """An operator's file is never shadowed, and ids that nobody registers ask no database."""
    assert office.registry.get("rp") is not None
    assert office.registry.get("c-" + "0" * 32) is None
    assert office.registry.get("x" * 10_000) is None
    closed = SimpleNamespace(read=lambda: pytest.fail("asked the database"))
    unasked: Any = closed
    assert Registry([client(KEY)], KeySets(Egress()), database=unasked).get("nobody") is None


STRANGE = [
    [],
    {},
    [[]],
    [{}],
    {"a": []},
    0,
    -1,
    True,
    1e400,
    "",
    " ",
    "x",
    "https://x.example",
    ["x", 1],
    {"keys": [1]},
    {"keys": {}},
    "\ud800",
]


@pytest.mark.parametrize("name", sorted(registration.ALLOWED))
def test_a_member_of_a_strange_type_is_refused_or_stored(office: Office, name: str) -> None:
    """RFC 7591 §3.2.2: 400 in the protocol's form whatever a member is; nothing breaks, nothing is stored."""
    token = office.token("baseline", uses=100)
    for strange in STRANGE:
        before = office.rows()
        told = office.send("POST", token, {"redirect_uris": [CALLBACK], name: strange})
        assert told.status in {201, 400}, (strange, told)
        if told.status == 400:
            assert told.body["error"] in {
                "invalid_client_metadata",
                "invalid_redirect_uri",
                "invalid_software_statement",
            }
            assert office.rows() == before
