"""One person through two agencies: in all that both receive, nothing is equal but what everybody receives (protocol §2).

What was disclosed on purpose is left out by its place: the items' values with what the register says of them. Logout tokens
and security events have this test beside their own: `tests/broker/test_logout.py`, `tests/broker/notices/test_security_events.py`.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from broker.clients.key_sets import KeySets
from broker.clients.registry import Registry
from tests.actors import Agency, Citizen, unb64
from tests.broker.whole import AGENCIES, ISSUER, Whole

ACR = "http://eidas.europa.eu/LoA/substantial"
#: The same for every person and every agency: names of the protocol, ours, this server's address and keys.
CONSTANTS = {
    ISSUER, ACR, "DPoP", "ES256", "JWT", "at+jwt", "jwt", "prefill+jwt", "oauth-authz-resp+jwt", "token-introspection+jwt",
    "60", "300", "True", "False", "None", "openid", "self", "read", "1", "ok", "immediate",
    "provided", "not_provided", "ask the applicant", "proof-of-address", "ssf.manage", "ssf.read", "ssf.manage ssf.read",
    ISSUER + "/rar/prefill/v1", "id.norr.example/ledger", "access.released",
}  # fmt: skip
DISCLOSED = {"value", "label", "as_of", "source", "status", "editable", "stale", "disputed"}  # of an item
NAMES = {"intended_use", "datatypes", "items"}  # of authorization details: what is asked, named by the catalogue


def leaves(value: Any, name: str = "") -> Iterator[str]:
    """Every value in what an agency received, in tokens and in JSON inside of JSON too."""
    if isinstance(value, dict):
        item = "status" in value and ("source" in value or len(value) < 4)
        for inner, one in value.items():
            if not (item and inner in DISCLOSED) and inner not in NAMES - ({"items"} if name != "details" else set()):
                yield from leaves(one, "details" if inner == "authorization_details" else inner)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one, name)
    elif isinstance(value, str) and value.count(".") == 2 and value.startswith("ey"):
        head, payload, signature = value.split(".")
        yield from (signature, *leaves(json.loads(unb64(head))), *leaves(json.loads(unb64(payload))))
    elif isinstance(value, str) and value.startswith(("{", "[")):
        yield from leaves(json.loads(value), name)
    else:
        yield from (str(value), *(str(value).split(" ") if name == "scope" else ()))


def registered(whole: Whole) -> None:
    """Both agencies may refresh, act for themselves, and have answers signed."""
    known, grants = whole.parts.registry, ("authorization_code", "refresh_token", "client_credentials")
    more = {"grant_types": grants, "authorization_signed_response_alg": "ES256"}
    clients = [one.model_copy(update=more) for one in known._clients.values()]
    made = Registry(
        clients, KeySets(whole.parts.outbound.client_addresses), mode=known._mode, database=whole.parts.database
    )
    whole.give(registry=made)


def receives(whole: Whole, maria: Citizen, agency: Agency) -> list[Any]:
    """Everything an agency is told about a person who shares with it and comes back."""
    pushed = agency.push()
    page = maria.comes_from(agency.address(pushed.json()["request_uri"]))
    back = maria.shares(page)
    got: list[Any] = [pushed.json(), dict(parse_qsl(urlsplit(back.url).query))]
    token = agency.redeem(agency.receives(back)["code"]).json()
    got += [token, agency.data(token["access_token"]).json()]
    got.append(agency.data(token["access_token"], Accept="application/jwt").text)
    got.append(agency.call("GET", "/userinfo", token=token["access_token"]).json())
    whole.clock.later(2)
    if "refresh_token" in token:
        again = agency.post("/token", {"grant_type": "refresh_token", "refresh_token": token["refresh_token"]}).json()
        got += [again, agency.data(again["access_token"]).json()]
    got.append(agency.post("/token", {"grant_type": "client_credentials"}).json())
    for given in ("access_token", "id_token"):
        got.append(agency.post("/introspection", {"token": token[given]}).json())
        got.append(agency.call("POST", "/introspection", form={"token": token[given]}, headers=SIGNED).text)
    whole.clock.later(2)
    page = maria.open(agency.asks(response_mode="jwt"))
    signed = dict(parse_qsl(urlsplit((maria.shares(page) if page.has("consent") else page).url).query))
    assert signed.keys() == {"response"}
    return [*got, signed]


SIGNED = {"Accept": "application/token-introspection+jwt"}


def test_nothing_that_two_agencies_receive_is_equal(whole: Whole) -> None:
    registered(whole)
    maria = whole.citizen()
    heard = []
    for client_id in AGENCIES:
        heard.append(set(leaves(receives(whole, maria, whole.agency(client_id)))))
        whole.clock.later(7)
    kids = {key["kid"] for key in whole.client().get("/jwks").json()["keys"]}
    items = {item for use in whole.parts.uses.current.values() for item in use.item_ids}
    both = heard[0] & heard[1]
    assert min(map(len, heard)) > 60, "too little was looked at"
    assert both & kids, "the signed parts were not looked into"
    found = sorted(both - CONSTANTS - kids - items)
    assert not found, found


def test_what_they_know_the_person_by_is_looked_at(whole: Whole) -> None:
    """The test above can fail: a subject both are told would be found."""
    registered(whole)
    maria, agency = whole.citizen(), whole.agency()
    heard = set(leaves(receives(whole, maria, agency)))
    token = agency.token(maria.open(agency.asks()))
    whole.clock.later(7)
    assert token["subject"] in heard
    assert token["grant_id"] in heard
