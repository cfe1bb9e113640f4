"""An agency acting for another inside one permission (RFC 8693): named in the token, read by the person, in the ledger."""

from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from sqlalchemy import delete, func, select

from broker.answers import Refusal
from broker.database import Database
from broker.endpoints import token as token_endpoint
from broker.grants import token_exchange
from broker.parameters import Parameters
from broker.tables import metadata, sealed_for
from broker.tokens.replay import Replayed
from consent import audit
from consent.tables import notice as notices
from examples import holder
from keys.tables import person_root
from tests.actors import Agency, Citizen, check_receipt
from tests.broker import acting
from tests.broker.acting import ACTOR, OFFICE, actor, exchange, given, lends, named, read
from tests.broker.counting import metered
from tests.broker.whole import Whole

USE = "use:norr.childcare-allowance"


@pytest.fixture(autouse=True)
def prepared(whole: Whole) -> None:
    acting.prepare(whole)


@pytest.fixture
def agency(whole: Whole) -> Agency:
    return whole.agency()


@pytest.fixture
def office(whole: Whole) -> Agency:
    return actor(whole)


@pytest.fixture
def maria(whole: Whole) -> Citizen:
    return whole.present()


@pytest.fixture
def token(agency: Agency, maria: Citizen) -> dict[str, Any]:
    """What the controller got."""
    return given(agency, maria)


@pytest.fixture
def lent(agency: Agency, office: Agency, token: dict[str, Any]) -> dict[str, Any]:
    """What the actor got."""
    answer = exchange(agency, token, lends(office, agency.client_id))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def data(who: Agency, token: dict[str, Any], **headers: str) -> Any:
    return who.call("GET", "/prefill", token=token["access_token"], headers=headers)


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_the_answer_and_the_token(
    whole: Whole, agency: Agency, office: Agency, token: dict[str, Any], lent: dict[str, Any]
) -> None:
    """§2.2.1, §4.1: the actor is named, the token is bound to its key, no wider and no longer, under the same permission."""
    assert set(lent) == {"access_token", "issued_token_type", "token_type", "expires_in", "scope", "grant_id"}
    assert (lent["issued_token_type"], lent["token_type"]) == (acting.ACCESS_TOKEN, "DPoP")
    assert (lent["scope"], lent["grant_id"]) == (USE, token["grant_id"])
    theirs, ours = read(token["access_token"]), read(lent["access_token"])
    assert ours["act"] == {"sub": ACTOR}
    assert ours["client_id"] == ACTOR
    assert ours["cnf"] == {"jkt": Agency.kid(holder.public_jwk(office.dpop))}
    assert ours["exp"] <= theirs["exp"]
    assert {name for name in ours if ours[name] == theirs.get(name)} == {
        "iss", "aud", "acr", "iat", "exp", "grant_id", "family",
    }  # fmt: skip
    assert jwt.get_unverified_header(lent["access_token"])["typ"] == "at+jwt"
    assert whole.types()[-1] == "permission.given", "an exchange hands nothing over, so it is no entry"


def test_it_lives_no_longer_than_what_it_came_of(
    whole: Whole, agency: Agency, office: Agency, token: dict[str, Any]
) -> None:
    whole.clock.later(200)
    lent = exchange(agency, token, lends(office, agency.client_id)).json()
    assert lent["expires_in"] == 100
    assert read(lent["access_token"])["exp"] == read(token["access_token"])["exp"]
    assert data(office, lent).status_code == 200
    whole.clock.later(100)
    assert error(data(office, lent)) == (401, "invalid_token")


def test_the_ledger_and_the_person_see_both(
    whole: Whole, agency: Agency, office: Agency, maria: Citizen, lent: dict[str, Any]
) -> None:
    answer = data(office, lent)
    assert answer.status_code == 200
    assert answer.json()["items"]["identity.given_name"]["value"] == "Maria"
    released = whole.events()[0]
    assert (released.type, released.party, released.body["processor"]) == ("access.released", agency.client_id, ACTOR)
    with whole.parts.database.read() as tx:
        audit.check(tx, since=0)
    told = json.loads(answer.json()["ledger"]["body"])
    assert (told["party"], told["processor"]) == (agency.client_id, ACTOR)
    check_receipt(answer.json()["ledger"], agency.client_id)
    for language, name, service in (
        ("en", "Norr Processing", "City of Norr · Families"),
        ("ar", "معالجة نور", "مدينة نور · شؤون الأسرة"),
    ):
        seen = maria.open(f"/account/activity?lang={language}").content.text
        assert name in seen
        assert service in seen


def test_the_controllers_own_call_names_nobody_else(whole: Whole, agency: Agency, token: dict[str, Any]) -> None:
    assert data(agency, token).status_code == 200
    assert "processor" not in whole.events()[0].body


def test_the_notice_names_who_works_for_whom(whole: Whole, agency: Agency, maria: Citizen) -> None:
    """The person reads it, in their language, before they decide; the notice that is kept says it."""
    page = maria.open(agency.asks())
    for language, name in (("en", "Norr Processing"), ("ar", "معالجة نور")):
        page = maria.open(f"{page.url.partition('?')[0]}?lang={language}")
        (party,) = [element for element in page.content if "data-party" in element]
        assert party["data-party"] == ACTOR
        assert name in party.text
        assert OFFICE.reason[language] in party.text
        assert agency.client_id not in party.text
    maria.press(page, "consent", "share", item=[])
    with whole.parts.database.read() as tx:
        assert ACTOR in str(tx.execute(select(notices.c.body)).scalar_one())


def test_signed_for_the_actor(office: Agency, lent: dict[str, Any]) -> None:
    answer = data(office, lent, accept="application/jwt")
    claims = read(answer.text)
    assert claims["aud"] == ACTOR
    assert claims["subject"]["sub"] == read(lent["access_token"])["sub"]


def test_nobody_who_works_for_two_joins_them(whole: Whole, agency: Agency, office: Agency, maria: Citizen) -> None:
    """Another name for the person in each work; of two works nothing is equal but what says nothing of the person."""
    planning = whole.agency("norr-planning")
    answers, tokens = [], []
    for who in (agency, planning):
        lent = exchange(who, given(who, maria), lends(office, who.client_id)).json()
        tokens.append(read(lent["access_token"]))
        answers.append(data(office, lent).json())
    assert answers[0]["subject"]["sub"] != answers[1]["subject"]["sub"]
    equal = {name for name in tokens[0] if tokens[0][name] == tokens[1].get(name)}
    assert equal == {"iss", "aud", "acr", "iat", "exp", "client_id", "act", "cnf"}
    for name in ("grant_id", "subject"):
        assert answers[0][name] != answers[1][name]


def test_another_key_than_the_actors(agency: Agency, lent: dict[str, Any]) -> None:
    """RFC 9449 §7.1: the controller itself cannot use it."""
    assert error(data(agency, lent)) == (401, "invalid_dpop_proof")


def test_it_opens_the_data_and_nothing_else(office: Agency, lent: dict[str, Any]) -> None:
    """Signing in and managing the grant stay with the one that answers for it; what is asked twice is a chain."""
    assert error(office.call("GET", "/userinfo", token=lent["access_token"])) == (401, "invalid_token")
    path = f"/grants/{lent['grant_id']}"
    for method in ("GET", "DELETE"):
        assert error(office.call(method, path, token=lent["access_token"])) == (403, "insufficient_scope")
    assert error(office.call("POST", "/credential", token=lent["access_token"])) == (400, "invalid_credential_request")


def stop(_whole: Whole, _agency: Agency, _office: Agency, maria: Citizen, token: dict[str, Any], _lent: Any) -> None:
    maria.stops(token["grant_id"])


def revoke_subject(_w: Whole, agency: Agency, _office: Agency, _m: Citizen, token: dict[str, Any], _lent: Any) -> None:
    assert agency.post("/revocation", {"token": token["access_token"]}).status_code == 200


def revoke_refresh(_w: Whole, agency: Agency, _office: Agency, _m: Citizen, token: dict[str, Any], _lent: Any) -> None:
    assert agency.post("/revocation", {"token": token["refresh_token"]}).status_code == 200


def revoke_own(_w: Whole, _agency: Agency, office: Agency, _m: Citizen, _token: Any, lent: dict[str, Any]) -> None:
    assert office.post("/revocation", {"token": lent["access_token"]}).status_code == 200


def disable_actor(whole: Whole, *_: Any) -> None:
    acting.give_clients(whole, norr_processing={"disabled": True})


def disable_controller(whole: Whole, *_: Any) -> None:
    acting.give_clients(whole, norr_childcare={"disabled": True})


def name_no_more(whole: Whole, *_: Any) -> None:
    """A newer version of the use without the processor is in force; what was agreed under the older one stops for it."""
    newer = whole.parts.uses.get("norr.childcare-allowance").model_copy(update={"version": 4, "processors": ()})
    acting.give_uses(whole, newer)


ENDS = [stop, revoke_subject, revoke_refresh, revoke_own, disable_actor, disable_controller, name_no_more]


@pytest.mark.parametrize("end", ENDS, ids=lambda one: one.__name__)
def test_what_ends_ends_at_once(
    whole: Whole, agency: Agency, office: Agency, maria: Citizen, token: dict[str, Any], lent: dict[str, Any], end: Any
) -> None:
    assert data(office, lent).status_code == 200
    end(whole, agency, office, maria, token, lent)
    size = whole.size()
    assert error(data(office, lent)) == (401, "invalid_token")
    assert whole.size() == size


def rows(whole: Whole) -> dict[str, int]:
    """How many rows every table of the broker has, but those in which nonces and markers come and go."""
    with whole.parts.database.read() as tx:
        return {
            name: tx.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


# fmt: off
REFUSED: list[tuple[str, dict[str, str | None], str]] = [
    ("§2.1 no subject token",              {"subject_token": None},                                                      "invalid_request"),
    ("§2.1 no subject token type",         {"subject_token_type": None},                                                 "invalid_request"),
    ("§3 subject: refresh token type",     {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},     "invalid_request"),
    ("§3 subject: ID token type",          {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},          "invalid_request"),
    ("§3 subject: SAML",                   {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},             "invalid_request"),
    ("§1.1 impersonation: no actor",       {"actor_token": None, "actor_token_type": None},                              "invalid_request"),
    ("§2.1 an actor type without actor",   {"actor_token": None},                                                        "invalid_request"),
    ("§2.1 an actor without its type",     {"actor_token_type": None},                                                   "invalid_request"),
    ("§3 actor: access token type",        {"actor_token_type": acting.ACCESS_TOKEN},                                    "invalid_request"),
    ("§2.1 asked for a refresh token",     {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},   "invalid_request"),
    ("§2.1 asked for an ID token",         {"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"},        "invalid_request"),
    ("§2.1 asked for a JWT",               {"requested_token_type": acting.JWT},                                         "invalid_request"),
    ("§2.2.2 another resource",            {"resource": "https://files.norr.example/"},                                  "invalid_target"),
    ("§2.2.2 another audience",            {"audience": "norr-planning"},                                                "invalid_target"),
    ("RFC 6749 §6 a wider scope",          {"scope": f"{USE} use:norr.building-permit"},                                 "invalid_scope"),
    ("a scope without the data",           {"scope": "openid"},                                                          "invalid_scope"),
    ("a scope that is nothing",            {"scope": " "},                                                               "invalid_scope"),
    ("no token at all",                    {"subject_token": "x"},                                                       "invalid_request"),
    ("a long one",                         {"subject_token": "x" * 20_000},                                              "invalid_request"),
    ("an actor that is no token",          {"actor_token": "a.b.c"},                                                     "invalid_request"),
]
# fmt: on


@pytest.mark.parametrize(("changed", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(
    whole: Whole, agency: Agency, office: Agency, token: dict[str, Any], changed: dict[str, str | None], code: str
) -> None:
    agency.push()
    before = rows(whole)
    answer = exchange(agency, token, lends(office, agency.client_id), **changed)
    assert error(answer) == (400, code)
    assert answer.headers["cache-control"] == "no-store"
    assert rows(whole) == before
    assert exchange(agency, token, lends(office, agency.client_id)).status_code == 200, "and nothing was used up"


def test_what_may_be_said(whole: Whole, agency: Agency, office: Agency, token: dict[str, Any]) -> None:
    """§2.1: this server by name, the type that comes anyway, the scope that it has."""
    here = {"resource": whole.settings.issuer, "audience": whole.settings.issuer}
    said = {"requested_token_type": acting.ACCESS_TOKEN, "scope": f"openid {USE}"}
    answer = exchange(agency, token, lends(office, agency.client_id), **here, **said)
    assert (answer.status_code, answer.json()["scope"]) == (200, USE)


# fmt: off
ACTORS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("no type",                        {"typ": None},                              {}),
    ("a client assertion's type",      {"typ": "client-authentication+jwt"},       {}),
    ("an access token's type",         {"typ": "at+jwt"},                          {}),
    ("another key id",                 {"kid": "x"},                               {}),
    ("another issuer than subject",    {},                                         {"iss": "norr-planning"}),
    ("an unknown actor",               {},                                         {"iss": "nobody", "sub": "nobody"}),
    ("the controller's name",          {},                                         {"iss": "norr-childcare", "sub": "norr-childcare"}),
    ("no subject",                     {},                                         {"sub": None}),
    ("a subject that is no name",      {},                                         {"sub": ["norr-processing"]}),
    ("for another server",             {},                                         {"aud": "https://other.example"}),
    ("for the token endpoint",         {},                                         {"aud": "https://id.norr.example/token"}),
    ("for a list of servers",          {},                                         {"aud": ["https://id.norr.example"]}),
    ("for another client",             {},                                         {"client_id": "norr-planning"}),
    ("for no client",                  {},                                         {"client_id": None}),
    ("expired",                        {},                                         {"exp": 1}),
    ("no end",                         {},                                         {"exp": None}),
    ("an end far away",                {},                                         {"exp": 9_999_999_999}),
    ("no id",                          {},                                         {"jti": None}),
    ("no key",                         {},                                         {"cnf": None}),
    ("an empty key",                   {},                                         {"cnf": {}}),
    ("a key that is no thumbprint",    {},                                         {"cnf": {"jkt": "x"}}),
    ("a key by value",                 {},                                         {"cnf": {"jwk": {"kty": "EC"}}}),
    ("only a certificate",             {},                                         {"cnf": {"x5t#S256": "x" * 43}}),
    ("something unknown beside",       {},                                         {"cnf": {"jkt": "x" * 43, "kid": "1"}}),
    ("§4.1 who acts by another",       {},                                         {"act": {"sub": "norr-planning"}}),
    ("§4.1 a chain that is empty",     {},                                         {"act": {}}),
    ("§4.4 who may act",               {},                                         {"may_act": {"sub": "norr-planning"}}),
    ("a list of keys",                 {},                                         {"cnf": ["x" * 43]}),
]
# fmt: on


@pytest.mark.parametrize(("header", "claims"), [row[1:] for row in ACTORS], ids=[row[0] for row in ACTORS])
def test_an_actor_token_that_does_not_do(
    whole: Whole, agency: Agency, office: Agency, token: dict[str, Any], header: dict[str, Any], claims: dict[str, Any]
) -> None:
    agency.push()
    before = rows(whole)
    assert error(exchange(agency, token, lends(office, agency.client_id, header, **claims))) == (400, "invalid_request")
    assert rows(whole) == before


def test_an_actor_token_signed_by_somebody_else(
    whole: Whole, agency: Agency, office: Agency, token: dict[str, Any]
) -> None:
    """The controller cannot name an actor that did not agree, nor one key for both."""
    forged = lends(agency, agency.client_id, iss=ACTOR, sub=ACTOR)
    assert error(exchange(agency, token, forged)) == (400, "invalid_request")
    own_key = lends(office, agency.client_id, cnf={"jkt": Agency.kid(holder.public_jwk(agency.dpop))})
    assert error(exchange(agency, token, own_key)) == (400, "invalid_request")


def test_none_and_shared_secrets_sign_nothing(agency: Agency, office: Agency, token: dict[str, Any]) -> None:
    """RFC 8725 §3.1."""
    good = lends(office, agency.client_id)
    unsigned = jwt.encode(read(good), None, "none", headers={"typ": "actor-token+jwt"})
    shared = jwt.encode(read(good), "s" * 32, "HS256", headers={"typ": "actor-token+jwt"})
    for actor_token in (unsigned, shared):
        assert error(exchange(agency, token, actor_token)) == (400, "invalid_request")


def test_an_actor_token_authenticates_nobody(agency: Agency, office: Agency) -> None:
    """Whoever was handed one cannot act as its signer: no assertion has its type (RFC 8725 §3.11)."""
    said = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": lends(office, agency.client_id),
    }
    headers = {"DPoP": agency.proof("POST", f"{agency.issuer}/token", None)}
    answer = agency.http.post(f"{agency.issuer}/token", data=said, headers=headers)
    assert error(answer) == (401, "invalid_client")


def test_an_actor_token_counts_once(whole: Whole, agency: Agency, office: Agency, token: dict[str, Any]) -> None:
    good = lends(office, agency.client_id)
    assert exchange(agency, token, good).status_code == 200
    before = rows(whole)
    assert error(exchange(agency, token, good)) == (400, "invalid_request")
    assert rows(whole) == before
    assert exchange(agency, token, lends(office, agency.client_id)).status_code == 200


def test_sixteen_exchanges_at_once(
    whole: Whole, database: Database, database_url: str, agency: Agency, office: Agency, token: dict[str, Any]
) -> None:
    """One actor token, sixteen requests of their own: one gives a token, of the others nothing stays."""
    wired, good = whole.parts, lends(office, agency.client_id)
    client = wired.registry.get(agency.client_id)
    said = {
        "grant_type": acting.GRANT,
        "subject_token": token["access_token"],
        "subject_token_type": acting.ACCESS_TOKEN,
    }
    said |= {"actor_token": good, "actor_token_type": acting.JWT}

    asked: Any = SimpleNamespace(
        parameters=Parameters(list(said.items())),
        client=SimpleNamespace(client=client, confidential=True),
        grant_type=acting.GRANT,
        jkt=Agency.kid(holder.public_jwk(agency.dpop)),
        x5t=None,
        issuer=wired.issuer,
        database=database,
        keyring=wired.keyring,
        registry=wired.registry,
        uses=wired.uses,
        vault=wired.vault,
        lifetime=300,
        now=whole.clock(),
    )
    found = [asyncio.run(token_exchange.gather(asked)) for _ in range(16)]
    with database.read() as tx:
        before = tx.execute(select(func.count()).select_from(sealed_for)).scalar_one()
    results: list[bool] = []
    start = threading.Barrier(16)

    def use(facts: token_exchange.Facts) -> None:
        own = Database.open(database_url) if database.dialect == "postgresql" else database
        start.wait()
        try:
            with own.write() as tx:
                results.append(isinstance(token_exchange.act(tx, facts, whole.clock()), dict))
        except Replayed:
            results.append(False)
        finally:
            if own is not database:
                own.close()

    threads = [threading.Thread(target=use, args=(one,)) for one in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (results.count(True), results.count(False)) == (1, 15)
    with database.read() as tx:
        assert tx.execute(select(func.count()).select_from(sealed_for)).scalar_one() == before + 1


def test_what_it_costs(whole: Whole, agency: Agency, office: Agency, token: dict[str, Any]) -> None:
    """One commit; the actor's call for the data costs what the controller's does. On PostgreSQL an entry costs its lock."""
    for who, held in ((agency, token), (office, exchange(agency, token, lends(office, agency.client_id)).json())):
        assert data(who, held).status_code == 200  # learns the nonce, hands over what was shown
    agency.push()
    lent = lends(office, agency.client_id)
    with metered(whole) as meter:
        got = exchange(agency, token, lent).json()
        data(agency, token)
        data(office, got)
    asked, theirs, ours = [(cost.name, cost.statements, cost.commits) for cost in meter.take()]
    assert asked == ("POST /token", 9, 1)
    assert ours == theirs
    assert theirs[2] == 1


def other_key(_whole: Whole, agency: Agency, _maria: Citizen, token: dict[str, Any]) -> dict[str, Any]:
    """The request is proven with another key than the token's: whoever found the token has not that key."""
    agency.dpop = actor_key()
    return token


def actor_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def somebody_elses(whole: Whole, agency: Agency, maria: Citizen, _token: dict[str, Any]) -> dict[str, Any]:
    """Another client's token, with the right key even."""
    planning = whole.agency("norr-planning")
    planning.dpop = agency.dpop
    return given(planning, maria)


def id_token(_whole: Whole, _agency: Agency, _maria: Citizen, token: dict[str, Any]) -> dict[str, Any]:
    return {"access_token": token["id_token"]}


def refresh_token(_whole: Whole, _agency: Agency, _maria: Citizen, token: dict[str, Any]) -> dict[str, Any]:
    return {"access_token": token["refresh_token"]}


def expired(whole: Whole, _agency: Agency, _maria: Citizen, token: dict[str, Any]) -> dict[str, Any]:
    whole.clock.later(301)
    return token


def withdrawn(_whole: Whole, _agency: Agency, maria: Citizen, token: dict[str, Any]) -> dict[str, Any]:
    maria.stops(token["grant_id"])
    return token


def revoked(_whole: Whole, agency: Agency, _maria: Citizen, token: dict[str, Any]) -> dict[str, Any]:
    agency.post("/revocation", {"token": token["access_token"]})
    return token


def closed(whole: Whole, _agency: Agency, _maria: Citizen, token: dict[str, Any]) -> dict[str, Any]:
    with whole.parts.database.write() as tx:
        tx.execute(delete(sealed_for))
    return token


def erased(whole: Whole, _agency: Agency, _maria: Citizen, token: dict[str, Any]) -> dict[str, Any]:
    with whole.parts.database.write() as tx:
        tx.execute(delete(person_root))
    return token


def no_person(whole: Whole, agency: Agency, _maria: Citizen, _token: dict[str, Any]) -> dict[str, Any]:
    acting.give_clients(
        whole, norr_childcare={"grant_types": (acting.GRANT, "client_credentials"), "scope": "files:read"}
    )
    return dict(agency.post("/token", {"grant_type": "client_credentials"}).json())


def narrowed(_whole: Whole, agency: Agency, _maria: Citizen, token: dict[str, Any]) -> dict[str, Any]:
    said = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"], "scope": "openid"}
    return dict(agency.post("/token", said).json())


# fmt: off
SUBJECTS = [
    ("RFC 9449 §5 proven with another key", other_key,      "invalid_request"),
    ("RFC 9700 §2.2 another client's",      somebody_elses, "invalid_request"),
    ("RFC 8725 §3.11 an ID token",          id_token,       "invalid_request"),
    ("a refresh token",                     refresh_token,  "invalid_request"),
    ("§2.2.2 expired",                      expired,        "invalid_request"),
    ("§2.2.2 the person stopped",           withdrawn,      "invalid_request"),
    ("RFC 7009 §2.1 revoked",               revoked,        "invalid_request"),
    ("what was sealed to it is gone",       closed,         "invalid_request"),
    ("the person was erased",               erased,         "invalid_request"),
    ("about nobody",                        no_person,      "invalid_request"),
    ("opens no data",                       narrowed,       "invalid_scope"),
]
# fmt: on


@pytest.mark.parametrize(("how", "code"), [row[1:] for row in SUBJECTS], ids=[row[0] for row in SUBJECTS])
def test_a_subject_token_that_does_not_do(
    whole: Whole, agency: Agency, office: Agency, maria: Citizen, token: dict[str, Any], how: Any, code: str
) -> None:
    subject = how(whole, agency, maria, token)
    size = whole.size()
    assert error(exchange(agency, subject, lends(office, agency.client_id))) == (400, code)
    assert whole.size() == size


def test_an_actor_whose_tokens_are_bound_to_a_certificate(
    whole: Whole, agency: Agency, office: Agency, token: dict[str, Any]
) -> None:
    """RFC 8705 §3: sent as a bearer token, and good for nobody without that certificate."""
    bound = {"dpop_bound_access_tokens": False, "tls_client_certificate_bound_access_tokens": True}
    acting.give_clients(whole, norr_processing=bound)
    assert error(exchange(agency, token, lends(office, agency.client_id))) == (400, "invalid_request")
    lent = exchange(agency, token, lends(office, agency.client_id, cnf={"x5t#S256": "x" * 43})).json()
    assert (lent["token_type"], read(lent["access_token"])["cnf"]) == ("Bearer", {"x5t#S256": "x" * 43})
    headers = {"Authorization": f"Bearer {lent['access_token']}"}
    answer = office.http.get(f"{office.issuer}/prefill", headers=headers)
    assert error(answer) == (401, "invalid_token")


def test_no_chains(whole: Whole, agency: Agency, office: Agency, lent: dict[str, Any]) -> None:
    """§4.1: who acts for another lets nobody act for them; nor does the one it came from, with it."""
    acting.give_clients(whole, norr_processing={"grant_types": ("authorization_code", acting.GRANT)})
    third = whole.agency("norr-planning")
    assert error(exchange(office, lent, lends(third, ACTOR))) == (400, "invalid_request")
    assert error(exchange(agency, lent, lends(third, agency.client_id))) == (400, "invalid_request")


def unregistered(whole: Whole) -> None:
    acting.give_clients(whole, norr_childcare={"grant_types": ("authorization_code", "refresh_token")})


def public(whole: Whole) -> None:
    changed = {"token_endpoint_auth_method": "none", "profile": "baseline"}
    acting.give_clients(whole, norr_childcare=changed)


@pytest.mark.parametrize(
    ("how", "status", "code"), [(unregistered, 400, "unauthorized_client"), (public, 400, "unauthorized_client")]
)
def test_who_may_not_ask(
    whole: Whole, agency: Agency, office: Agency, token: dict[str, Any], how: Any, status: int, code: str
) -> None:
    how(whole)
    said = {"grant_type": acting.GRANT, "client_id": agency.client_id, "subject_token": token["access_token"]}
    said |= {"subject_token_type": acting.ACCESS_TOKEN, "actor_token_type": acting.JWT}
    said |= {"actor_token": lends(office, agency.client_id)}
    if how is public:
        headers = {"DPoP": agency.proof("POST", f"{agency.issuer}/token", None)}
        answer = agency.http.post(f"{agency.issuer}/token", data=said, headers=headers)
    else:
        answer = agency.post("/token", said)
    assert error(answer) == (status, code)


def test_a_disabled_actor_or_controller(whole: Whole, agency: Agency, office: Agency, token: dict[str, Any]) -> None:
    acting.give_clients(whole, norr_processing={"disabled": True})
    assert error(exchange(agency, token, lends(office, agency.client_id))) == (400, "invalid_request")
    acting.give_clients(whole, norr_processing={"disabled": False}, norr_childcare={"disabled": True})
    assert error(exchange(agency, token, lends(office, agency.client_id))) == (401, "invalid_client")


def test_an_actor_that_does_not_sign(whole: Whole, agency: Agency, office: Agency, token: dict[str, Any]) -> None:
    """A client that authenticates by a secret, or not at all, signs nothing that could be believed."""
    for method in ("none", "client_secret_basic"):
        acting.give_clients(whole, norr_processing={"token_endpoint_auth_method": method, "profile": "baseline"})
        assert error(exchange(agency, token, lends(office, agency.client_id))) == (400, "invalid_request")


def test_an_actor_of_another_use(whole: Whole, agency: Agency, token: dict[str, Any]) -> None:
    """Registered, signing, willing, and not named to this person for this."""
    planning = whole.agency("norr-planning")
    assert error(exchange(agency, token, lends(planning, agency.client_id))) == (400, "invalid_request")


def test_what_the_person_did_not_read(whole: Whole, agency: Agency, office: Agency, maria: Citizen) -> None:
    """A processor that was declared later acts only under a decision made after it was named; so does one taken away."""
    use = whole.parts.uses.get("norr.childcare-allowance")
    acting.give_uses(whole, named(use))
    before = given(agency, maria)
    acting.give_uses(whole, named(use, OFFICE))
    assert error(exchange(agency, before, lends(office, agency.client_id))) == (400, "invalid_request")
    after = agency.token(maria.shares(maria.open(agency.asks())))
    lent = exchange(agency, after, lends(office, agency.client_id))
    assert lent.status_code == 200
    acting.give_uses(whole, named(use))
    assert error(exchange(agency, after, lends(office, agency.client_id))) == (400, "invalid_request")
    assert error(data(office, lent.json())) == (401, "invalid_token")


def test_after_a_refresh(agency: Agency, office: Agency, token: dict[str, Any]) -> None:
    """The controller's newer tokens can be lent as well, and their data is fetched anew."""
    said = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"]}
    newer = agency.post("/token", said).json()
    lent = exchange(agency, newer, lends(office, agency.client_id)).json()
    assert data(office, lent).json()["items"]["identity.given_name"]["status"] == "provided"
    assert data(agency, newer).status_code == 200


def test_the_permission_ends_between_the_look_and_the_act(whole: Whole, agency: Agency, token: dict[str, Any]) -> None:
    """Judged again in the act: a refusal then, and no new holder of what is sealed."""
    assert token_endpoint.GRANTS[acting.GRANT].act is token_exchange.act
    facts: Any = SimpleNamespace(subject_text=token["access_token"], vault=whole.parts.vault)
    whole.clock.later(400)
    with whole.parts.database.write() as tx:
        answer = token_exchange.act(tx, facts, whole.clock())
    assert isinstance(answer, Refusal)
    assert answer.code == "invalid_request"
