"""Which of our addresses a client's assertion may name, endpoint by endpoint (OpenID Connect Core §9, CIBA Core §7.1, RFC 9126 §2, rfc7523bis §4)."""

from typing import Any

import pytest

from broker import caller
from broker.clients import profile
from broker.clients.key_sets import KeySets
from broker.clients.mutual_tls import MutualTls
from broker.clients.registry import Registry
from broker.egress import Egress
from tests.broker.relying import Key, client, credentials
from tests.broker.whole import ISSUER, Whole

KEY = Key()
MTLS = "https://mtls.broker.example"
TOKEN, PUSHED, ASKING = caller.TOKEN, caller.PUSHED, caller.BACKCHANNEL
CODE, CIBA = {"grant_type": "authorization_code", "code": "x"}, {"grant_type": profile.CIBA, "auth_req_id": "x"}


@pytest.fixture
def broker(whole: Whole) -> Whole:
    clients = [
        client(
            KEY,
            "plain",
            profile="baseline",
            token_endpoint_auth_method="private_key_jwt",
            token_endpoint_auth_signing_alg="ES256",
        ),
        client(KEY, "strict"),
    ]
    whole.give(registry=Registry(clients, KeySets(Egress()), mode="sandbox", mutual_tls=MutualTls(MTLS)))
    return whole


def authenticates(broker: Whole, who: str, path: str, form: dict[str, str], audience: Any) -> tuple[bool, str]:
    """Whether the endpoint knows who called, whatever it says of the rest; and what it says."""
    sent = {**credentials(KEY, broker.clock(), who, aud=audience), **form}
    answer = broker.client().post(path, data=sent)
    assert answer.status_code in {200, 201, 400, 401}
    said = answer.json() if answer.content else {}
    return said.get("error") != "invalid_client", said.get("error_description", "")


# fmt: off
TAKEN: list[tuple[str, str, str, dict[str, str], str]] = [
    ("everywhere the issuer",         "plain",  PUSHED,        {},    ISSUER),
    ("everywhere the issuer",         "strict", PUSHED,        {},    ISSUER),
    ("everywhere the issuer",         "strict", ASKING,        {},    ISSUER),
    ("Core §9 token endpoint",        "plain",  TOKEN,         CODE,  ISSUER + TOKEN),
    ("Core §9 token endpoint",        "plain",  TOKEN,         CODE,  MTLS + TOKEN),
    ("Core §9 token endpoint",        "plain",  "/introspection", {},    ISSUER + TOKEN),
    ("Core §9 token endpoint",        "plain",  "/revocation",     {},    ISSUER + TOKEN),
    ("Core §9 token endpoint",        "plain",  PUSHED,        {},    ISSUER + TOKEN),
    ("RFC 9126 §2 the endpoint",      "plain",  PUSHED,        {},    ISSUER + PUSHED),
    ("RFC 9126 §2 the endpoint",      "plain",  PUSHED,        {},    MTLS + PUSHED),
    ("CIBA §7.1 the endpoint",        "plain",  ASKING,        {},    ISSUER + ASKING),
    ("CIBA §7.1 the endpoint",        "strict", ASKING,        {},    ISSUER + ASKING),
    ("CIBA §7.1 the endpoint",        "strict", ASKING,        {},    MTLS + ASKING),
    ("CIBA §7.1 token endpoint",      "strict", ASKING,        {},    ISSUER + TOKEN),
    ("CIBA §10.1 token endpoint",     "strict", TOKEN,         CIBA,  ISSUER + TOKEN),
    ("CIBA §10.1 token endpoint",     "strict", TOKEN,         CIBA,  MTLS + TOKEN),
    ("CIBA §10.1 the other endpoint", "strict", TOKEN,         CIBA,  ISSUER + ASKING),
]
REFUSED: list[tuple[str, str, str, dict[str, str], Any]] = [
    ("rfc7523bis §4 token endpoint",  "strict", TOKEN,         CODE,  ISSUER + TOKEN),
    ("rfc7523bis §4 token endpoint",  "strict", TOKEN,         CODE,  MTLS + TOKEN),
    ("rfc7523bis §4 token endpoint",  "strict", PUSHED,        {},    ISSUER + TOKEN),
    ("rfc7523bis §4 PAR endpoint",    "strict", PUSHED,        {},    ISSUER + PUSHED),
    ("rfc7523bis §4 token endpoint",  "strict", "/introspection", {},    ISSUER + TOKEN),
    ("rfc7523bis §4 CIBA endpoint",   "strict", TOKEN,         CODE,  ISSUER + ASKING),
    ("not this endpoint's",           "plain",  TOKEN,         CODE,  ISSUER + PUSHED),
    ("not this endpoint's",           "plain",  TOKEN,         CODE,  ISSUER + ASKING),
    ("not this endpoint's",           "strict", ASKING,        {},    ISSUER + PUSHED),
    ("an array",                      "plain",  TOKEN,         CODE,  [ISSUER + TOKEN]),
    ("an array",                      "strict", ASKING,        {},    [ISSUER, ISSUER + ASKING]),
    ("another server's",              "plain",  TOKEN,         CODE,  "https://other.example/token"),
    ("not written so",                "plain",  TOKEN,         CODE,  ISSUER + TOKEN + "/"),
]
# fmt: on
ROWS = [(*row, True) for row in TAKEN] + [(*row, False) for row in REFUSED]


@pytest.mark.parametrize(
    ("who", "path", "form", "audience", "taken"),
    [row[1:] for row in ROWS],
    ids=[f"{row[0]} {row[1]} {row[2]} {row[4]}" for row in ROWS],
)
def test_an_assertions_audience(
    broker: Whole, who: str, path: str, form: dict[str, str], audience: Any, *, taken: bool
) -> None:
    passed, why = authenticates(broker, who, path, form, audience)
    assert passed is taken
    if not taken:
        assert f"wrong_aud: expected {ISSUER}" in why  # an error does not hide its cause
