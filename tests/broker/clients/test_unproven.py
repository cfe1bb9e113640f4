"""Whether a client exists is not told by an error, at any endpoint that authenticates clients (RFC 6749 §5.2)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from broker.clients import authentication, secret
from broker.clients.key_sets import KeySets
from broker.clients.mutual_tls import MutualTls
from broker.clients.registry import Registry
from broker.egress import Egress
from tests.broker.relying import Key, client, credentials
from tests.broker.whole import Whole

KEY, STRANGER = Key("k1"), Key("k1")
SECRET = "s-3_cret" * 6
PATHS = ("/par", "/token", "/introspection", "/revocation", "/backchannel_authentication", "/device_authorization")
#: Nobody, then clients that exist, each in another way: disabled, with keys, with a secret, with a certificate.
NAMES = ("nobody", "off", "keys", "ps", "basic", "post", "certified")
FORM = {"grant_type": "authorization_code", "code": "x", "token": "x"}


@pytest.fixture
def broker(whole: Whole) -> Whole:
    kept = {"profile": "baseline", "client_secret_hash": secret.kept(SECRET)}
    clients = [
        client(KEY, "off", disabled=True),
        client(KEY, "keys"),
        client(KEY, "broken", jwks_uri="https://10.0.0.1/keys"),
        client(KEY, "ps", token_endpoint_auth_signing_alg="PS256"),
        client(KEY, "basic", token_endpoint_auth_method="client_secret_basic", **kept),
        client(KEY, "post", token_endpoint_auth_method="client_secret_post", **kept),
        client(
            KEY,
            "certified",
            token_endpoint_auth_method="self_signed_tls_client_auth",
            jwks={"keys": [KEY.jwk]},
            tls_client_certificate_bound_access_tokens=True,
        ),
    ]
    mutual = MutualTls("https://mtls.broker.example")
    whole.give(registry=Registry(clients, KeySets(Egress()), mode="sandbox", mutual_tls=mutual))
    return whole


def asserted(now: int, name: str, **changed: Any) -> tuple[dict[str, str], dict[str, str]]:
    return credentials(STRANGER, now, name, **changed), {}


def by_basic(_now: int, name: str) -> tuple[dict[str, str], dict[str, str]]:
    return {}, {"Authorization": "Basic " + base64.b64encode(f"{name}:{'x' * 43}".encode()).decode()}


# fmt: off
ATTEMPTS: list[tuple[str, Any]] = [
    ("a stranger's assertion",   asserted),
    ("another key's name",       lambda now, name: asserted(now, name, header={"kid": "k2"})),
    ("an empty name",            lambda now, name: asserted(now, name, header={"kid": ""})),
    ("another type",             lambda now, name: asserted(now, name, header={"typ": "dpop+jwt"})),
    ("critical header",          lambda now, name: asserted(now, name, header={"crit": ["exp"], "exp": 1})),
    ("another audience",         lambda now, name: asserted(now, name, aud="https://other.example")),
    ("expired",                  lambda now, name: asserted(now, name, exp=1)),
    ("client_id of another",     lambda now, name: ({**credentials(STRANGER, now, name), "client_id": "other"}, {})),
    ("a wrong secret",           lambda _, name: ({"client_id": name, "client_secret": "x" * 43}, {})),
    ("a long secret",            lambda _, name: ({"client_id": name, "client_secret": "x" * 5000}, {})),
    ("a wrong secret as Basic",  by_basic),
    ("a name alone",             lambda _, name: ({"client_id": name}, {})),
    ("half an assertion",        lambda _, name: ({"client_id": name, "client_assertion_type": "x"}, {})),
    ("an attestation",           lambda _, name: ({"client_id": name}, {"OAuth-Client-Attestation": "e30.e30.AA", "OAuth-Client-Attestation-PoP": "e30.e30.AA"})),
]
# fmt: on


@pytest.mark.parametrize("attempt", [row[1] for row in ATTEMPTS], ids=[row[0] for row in ATTEMPTS])
@pytest.mark.parametrize("path", PATHS)
def test_one_answer_for_all(broker: Whole, path: str, attempt: Any) -> None:
    """Status, error, description and challenge are the same for nobody and for everybody."""
    answers, now = set(), broker.clock()
    for name in NAMES:
        form, headers = attempt(now, name)
        answer = broker.client().post(path, data={**FORM, **form}, headers=headers)
        said = answer.json()
        challenge = answer.headers.get("www-authenticate")
        answers.add((answer.status_code, said["error"], said["error_description"], challenge))
    assert len(answers) == 1, answers
    assert next(iter(answers))[0] in {400, 401}


def test_who_proves_it_is_told_more(broker: Whole) -> None:
    """With the client's own key, and its own secret, the cause is said (line by line the developer's help)."""

    def told(form: dict[str, str]) -> str:
        return str(broker.client().post("/token", data={**FORM, **form}).json()["error_description"])

    assert "wrong_aud" in told(credentials(KEY, broker.clock(), "keys", aud="https://other.example"))
    assert "expired" in told(credentials(KEY, broker.clock(), "keys", exp=1, aud=broker.settings.issuer))
    assert "not the method" in told({"client_id": "basic", "client_secret": SECRET})
    assert "the jwks_uri cannot be used" in told(credentials(KEY, broker.clock(), "broken"))  # it can prove nothing


def test_the_log_has_the_cause(broker: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    broker.client().post("/token", data={**FORM, **credentials(STRANGER, broker.clock(), "keys")})
    written = [line for line in capsys.readouterr().err.splitlines() if "client not authenticated" in line]
    assert any('"client_id": "keys"' in line and '"reason": "signature"' in line for line in written), written
    assert authentication.UNPROVEN not in "".join(written)
