"""What a token is worth, told to its audience and to nobody else (RFC 7662, RFC 9701)."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest
from sqlalchemy import select, update

from broker.clients.key_sets import KeySets
from broker.clients.registry import Registry
from broker.egress import Egress
from broker.endpoints import introspection
from broker.tables import metadata, person, replay, token_family
from keys.jwk import thumbprint
from tests.broker.endpoints.test_revocation import revoke
from tests.broker.grants.test_client_credentials import ask as for_itself
from tests.broker.grants.test_refresh_token import issued, refresh
from tests.broker.provider import RESOURCE, Answered, Provider
from tests.broker.relying import ISSUER, Key, client, credentials

Given = dict[str, Any]
JWT = "application/token-introspection+jwt"


def introspect(provider: Provider, text: str, caller: str = "other", accept: str = "*/*", **given: Any) -> Answered:
    """Ask as the server the tokens are for, unless told otherwise."""
    members = {"token": text, **credentials(provider.client_key, provider.now, caller), **given}
    form = {name: value for name, value in members.items() if value is not None}
    return provider.call(introspection, provider.form("/introspection", form, [("accept", accept)]))


def about_person(provider: Provider) -> str:
    """A token for the other server, of a person's permission."""
    token: str = issued(provider, resource=RESOURCE)["access_token"]
    return token


def about_client(provider: Provider) -> str:
    """A token for the other server, of a client for itself."""
    token: str = for_itself(provider, {"resource": RESOURCE}).body["access_token"]
    return token


def test_what_is_told(provider: Provider) -> None:
    """RFC 7662 §2.2: what the token says, without what is ours in it."""
    token = about_person(provider)
    says = jwt.decode(token, options={"verify_signature": False})
    answer = introspect(provider, token)
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    expected = {name: says[name] for name in ("iss", "aud", "sub", "client_id", "exp", "iat", "jti", "acr", "cnf")}
    assert answer.body == {"active": True, "token_type": "DPoP", **expected}
    assert answer.body["aud"] == RESOURCE


def test_a_client_for_itself(provider: Provider) -> None:
    body = introspect(provider, about_client(provider)).body
    assert (body["active"], body["sub"], body["client_id"], body["scope"]) == (True, "rp", "rp", "files:read")


def refresh_token(provider: Provider) -> str:
    token: str = issued(provider)["refresh_token"]
    return token


def for_the_broker(provider: Provider) -> str:
    token: str = issued(provider)["access_token"]
    return token


def id_token(provider: Provider) -> str:
    token: str = issued(provider)["id_token"]
    return token


def of_another_issuer(provider: Provider) -> str:
    claims = jwt.decode(about_client(provider), options={"verify_signature": False})
    return Key().sign(claims, {"typ": "at+jwt"})


# fmt: off
INACTIVE: list[tuple[str, Callable[[Provider], str], str]] = [
    ("RFC 7662 §2.2 not in aud: the client itself",    about_person,              "rp"),
    ("RFC 7662 §2.2 not in aud: the client's own",     about_client,              "rp"),
    ("RFC 7662 §4 a refresh token",                    refresh_token,             "other"),
    ("RFC 7662 §4 a refresh token, by its client",     refresh_token,             "rp"),
    ("RFC 7662 §2.2 a token for this server",          for_the_broker,            "other"),
    ("RFC 7662 §2.2 a token for this server, by its client", for_the_broker,      "rp"),
    ("RFC 8725 §3.11 an ID token",                     id_token,                  "other"),
    ("RFC 7662 §2.2 another issuer's",                 of_another_issuer,         "other"),
    ("RFC 7662 §2.2 unknown",                          lambda _: "x" * 43,        "other"),
    ("RFC 7662 §2.2 huge",                             lambda _: "x" * 60_000,    "other"),
    ("RFC 7662 §2.2 no text at all",                   lambda _: "ü.ü.ü",         "other"),
]
# fmt: on


@pytest.mark.parametrize(("make", "caller"), [row[1:] for row in INACTIVE], ids=[row[0] for row in INACTIVE])
def test_not_active(provider: Provider, make: Callable[[Provider], str], caller: str) -> None:
    """And nothing more is said."""
    answer = introspect(provider, make(provider), caller)
    assert (answer.status, answer.body) == (200, {"active": False})


def disable_person(provider: Provider, _token: str) -> None:
    with provider.database.write() as tx:
        tx.execute(update(person).values(disabled=1))


def end_family(provider: Provider, _token: str) -> None:
    with provider.database.write() as tx:
        tx.execute(update(token_family).values(ended=provider.now))


def disable_client(provider: Provider, _token: str) -> None:
    off = provider.parts.registry.get("rp").model_copy(update={"disabled": True})
    others = [one for one in provider.parts.registry.all() if one.client_id != "rp"]
    provider.parts.registry = Registry([off, *others], KeySets(Egress()), mode="sandbox")


def revoke_it(provider: Provider, token: str) -> None:
    assert revoke(provider, token).status == 200


# fmt: off
ENDS: list[tuple[str, Callable[[Provider], str], Callable[[Provider, str], Any]]] = [
    ("expired",              about_person, lambda provider, _: provider.later(300)),
    ("permission withdrawn", about_person, lambda provider, _: provider.end_permission()),
    ("family ended",         about_person, end_family),
    ("person disabled",      about_person, disable_person),
    ("client disabled",      about_person, disable_client),
    ("revoked",              about_person, revoke_it),
    ("a client's: expired",  about_client, lambda provider, _: provider.later(300)),
    ("a client's: disabled", about_client, disable_client),
    ("a client's: revoked",  about_client, revoke_it),
]
# fmt: on


@pytest.mark.parametrize(("make", "end"), [row[1:] for row in ENDS], ids=[f"RFC 7662 §2.2 {row[0]}" for row in ENDS])
def test_what_ends_it(provider: Provider, make: Callable[[Provider], str], end: Callable[[Provider, str], Any]) -> None:
    token = make(provider)
    assert introspect(provider, token).body["active"] is True
    end(provider, token)
    assert introspect(provider, token).body == {"active": False}


def test_signed(provider: Provider) -> None:
    """RFC 9701 §5: for the caller, of a type that is no other token's; what it says lies in one member."""
    token = about_client(provider)
    members = {"token": token, **credentials(provider.client_key, provider.now, "other")}
    request = provider.form("/introspection", members, [("accept", f"{JWT}, application/json;q=0.5")])
    raw = provider.raw(introspection, request)
    text = raw.content.decode()
    header = jwt.get_unverified_header(text)
    assert (raw.media_type, header["typ"]) == (JWT, "token-introspection+jwt")
    keys = jwt.PyJWKSet.from_dict(provider.parts.keyring.jwks("token"))
    options: Any = {"verify_iat": False}
    told = jwt.decode(text, keys[header["kid"]], ["ES256"], audience="other", issuer=ISSUER, options=options)
    assert set(told) == {"iss", "aud", "iat", "token_introspection"}
    assert told["token_introspection"] == introspect(provider, token).body
    assert header["kid"] == thumbprint(provider.parts.keyring.signer().public_jwk)


def test_signed_and_not_active(provider: Provider) -> None:
    members = {"token": "x", **credentials(provider.client_key, provider.now, "other")}
    raw = provider.raw(introspection, provider.form("/introspection", members, [("accept", JWT)]))
    told = jwt.decode(raw.content.decode(), options={"verify_signature": False})
    assert told["token_introspection"] == {"active": False}


def test_the_answer_is_no_token(provider: Provider) -> None:
    """RFC 8725 §3.11: what is said about a token opens nothing."""
    members = {"token": about_client(provider), **credentials(provider.client_key, provider.now, "other")}
    raw = provider.raw(introspection, provider.form("/introspection", members, [("accept", JWT)]))
    text = raw.content.decode()
    assert introspect(provider, text).body == {"active": False}
    refused = introspect(provider, "x", client_assertion=text)
    assert refused.body["error"] == "invalid_client"


# fmt: off
REFUSED: list[tuple[str, Given, int, str]] = [
    ("RFC 7662 §2.1 no token",            {"token": None},                                                  400, "invalid_request"),
    ("RFC 7662 §2.1 nobody",              {"client_assertion": None, "client_assertion_type": None},        401, "invalid_client"),
    ("RFC 7662 §4 a name and no proof",   {"client_assertion": None, "client_assertion_type": None, "client_id": "open"}, 401, "invalid_client"),
    ("RFC 7523 §3 another audience",      {"client_assertion": "aud"},                                      401, "invalid_client"),
]
# fmt: on


@pytest.mark.parametrize(("given", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(provider: Provider, given: Given, status: int, code: str) -> None:
    public = client(provider.client_key, "open", profile="baseline", token_endpoint_auth_method="none", scope="openid")
    provider.parts.registry = Registry([*provider.parts.registry.all(), public], KeySets(Egress()), mode="sandbox")
    if given.get("client_assertion") == "aud":
        given = credentials(provider.client_key, provider.now, "other", aud=f"{ISSUER}/introspection")
    token = about_client(provider)
    answer = introspect(provider, token, **given)
    assert (answer.status, answer.body["error"]) == (status, code)


def test_by_secret(provider: Provider) -> None:
    """A caller whose method leaves nothing to spend is answered without a write."""
    from broker.clients import secret

    word, kept = secret.make()
    public = client(
        provider.client_key,
        "server",
        profile="baseline",
        token_endpoint_auth_method="client_secret_post",
        client_secret_hash=kept,
        scope="openid",
        serves=[RESOURCE],
    )
    provider.parts.registry = Registry([*provider.parts.registry.all(), public], KeySets(Egress()), mode="sandbox")
    token = about_client(provider)
    given = {"client_assertion": None, "client_assertion_type": None, "client_id": "server", "client_secret": word}
    before = rows(provider)
    assert introspect(provider, token, **given).body["active"] is True
    assert rows(provider) == before


def rows(provider: Provider) -> dict[str, int]:
    with provider.database.read() as tx:
        return {table.name: len(tx.execute(select(table)).all()) for table in metadata.sorted_tables}


def test_an_assertion_counts_once_and_is_all_that_is_written(provider: Provider) -> None:
    token, proof = about_person(provider), credentials(provider.client_key, provider.now, "other")
    before = rows(provider)
    assert introspect(provider, token, **proof).body["active"] is True
    after = rows(provider)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"replay": 1}
    assert introspect(provider, token, **proof).body["error"] == "invalid_client"
    with provider.database.read() as tx:
        assert {row.kind for row in tx.execute(select(replay))} == {"client_assertion", "dpop_proof"}


def test_nothing_joins_two_tokens(provider: Provider) -> None:
    """Two tokens of one person for one server have in common what the person's permission and client are, no more."""
    first = issued(provider, resource=RESOURCE)
    one = introspect(provider, first["access_token"]).body
    provider.later(1)
    two = introspect(provider, refresh(provider, first["refresh_token"]).body["access_token"]).body
    assert one["jti"] != two["jti"]
    assert {name for name in one if one[name] == two[name]} <= {
        "active", "token_type", "iss", "aud", "sub", "client_id", "acr", "cnf",
    }  # fmt: skip
