"""Clients from the operator's files."""

import json
from pathlib import Path

import pytest
from sqlalchemy import insert

from broker.clients.key_sets import KeySets
from broker.clients.metadata import REACHED
from broker.clients.mutual_tls import MutualTls
from broker.clients.registry import BadClient, Registry
from broker.database import Database
from broker.egress import Egress
from broker.tables import registered_client
from keys import errors as keys_errors
from keys.certificates import Authorities

BARE = MutualTls("https://mtls.example")

GOOD = """
client_id = "norr-childcare"
client_name = "Norr childcare"
"client_name#ar" = "نور"
redirect_uris = ["https://norr.example/cb"]
jwks_uri = "https://norr.example/jwks.json"
"""


def test_authorities_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(keys_errors.InvalidCertificate, match="SEMEL_CLIENT_CA_FILE"):
        MutualTls.load("https://mtls.example", tmp_path / "none.pem")
    assert MutualTls.load("", None) is None


def load(folder: Path, text: str, name: str = "norr-childcare.toml", mode: str = "production") -> Registry:
    (folder / "clients").mkdir()
    (folder / "clients" / name).write_text(text, "utf-8")
    return Registry.load(folder, Egress(), mode=mode)


@pytest.mark.parametrize(
    ("members", "offered", "missing"),
    [
        ('token_endpoint_auth_method = "tls_client_auth"\ntls_client_auth_san_dns = "x"', None, "SEMEL_MTLS_ORIGIN"),
        ('token_endpoint_auth_method = "tls_client_auth"\ntls_client_auth_san_dns = "x"', BARE, "SEMEL_CLIENT_CA_FILE"),
        ('token_endpoint_auth_method = "self_signed_tls_client_auth"\njwks = {keys = []}', None, "SEMEL_MTLS_ORIGIN"),
        ("tls_client_certificate_bound_access_tokens = true\njwks = {keys = []}", None, "SEMEL_MTLS_ORIGIN"),
    ],
)
def test_a_client_with_a_certificate_where_nobody_asks_for_one(
    tmp_path: Path, members: str, offered: MutualTls | None, missing: str
) -> None:
    """RFC 8705 §2: said when the server starts, not when the agency calls."""
    (tmp_path / "clients").mkdir()
    lines = ['client_id = "x"', 'client_name = "X"', "redirect_uris = ['https://x.example/cb']", members]
    (tmp_path / "clients" / "x.toml").write_text("\n".join(lines))
    with pytest.raises(BadClient, match=missing):
        Registry.load(tmp_path, Egress(), mode="sandbox", mutual_tls=offered)
    both = MutualTls("https://mtls.example", Authorities(()))
    assert Registry.load(tmp_path, Egress(), mode="sandbox", mutual_tls=both).get("x") is not None


def test_loaded(tmp_path: Path) -> None:
    registry = load(tmp_path, GOOD)
    found = registry.get("norr-childcare")
    assert found is not None
    assert found.name("ar") == "نور"
    assert registry.active("norr-childcare") is found
    assert registry.all() == (found,)
    assert registry.get("nobody") is None


def test_a_disabled_client_is_known_and_not_active(tmp_path: Path) -> None:
    registry = load(tmp_path, GOOD + "disabled = true\n")
    assert registry.get("norr-childcare") is not None
    assert registry.active("norr-childcare") is None


BASELINE = GOOD + 'profile = "baseline"\ntoken_endpoint_auth_method = "private_key_jwt"\n'


def test_what_the_mode_does_not_allow_stops_the_server_and_the_client(tmp_path: Path) -> None:
    """House: a baseline client asks for data while trying things out, never in production."""
    wanting = BASELINE + 'scope = "openid use:norr.childcare-allowance"\n'
    with pytest.raises(BadClient, match="needs the profile fapi2"):
        load(tmp_path, wanting)
    sandbox = Registry.load(tmp_path, Egress(), mode="sandbox")
    assert sandbox.active("norr-childcare") is not None
    grown_up = Registry(sandbox.all(), KeySets(Egress()), mode="production")
    assert grown_up.get("norr-childcare") is not None
    assert grown_up.active("norr-childcare") is None


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (GOOD + "colour = 1\n", "norr-childcare.toml", "colour"),
        (GOOD, "other.toml", "named after another"),
        ("client_id = ", "norr-childcare.toml", "norr-childcare.toml"),
        (GOOD.replace("jwks_uri", "# "), "norr-childcare.toml", "jwks"),
        (
            GOOD.replace("jwks_uri", "#") + 'jwks = { keys = [{ kty = "oct", k = "c2VjcmV0" }] }\n',
            "norr-childcare.toml",
            "public keys",
        ),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, name: str, said: str) -> None:
    with pytest.raises(BadClient) as problem:
        load(tmp_path, text, name)
    assert name in str(problem.value)
    assert said in str(problem.value)
    assert "c2VjcmV0" not in str(problem.value)


@pytest.mark.parametrize("member", REACHED)
def test_no_file_puts_a_client_at_our_own_origin(tmp_path: Path, member: str) -> None:
    own = "https://id.example/account"
    members = {"redirect_uris": ["https://x.example/cb"]}
    members |= (
        {"backchannel_token_delivery_mode": "ping"} if member == "backchannel_client_notification_endpoint" else {}
    )
    members |= {member: [own]} if member.endswith("_uris") else {member: own}
    lines = ['client_id = "x"', 'client_name = "X"', 'profile = "baseline"', 'token_endpoint_auth_method = "none"']
    (tmp_path / "clients").mkdir()
    lines += [f"{name} = {value!r}" for name, value in members.items()]
    (tmp_path / "clients" / "x.toml").write_text("\n".join(lines))
    with pytest.raises(BadClient, match=member):
        Registry.load(tmp_path, Egress(), mode="sandbox", own=("https://id.example", ""))


def test_a_stored_client_that_is_accepted_no_more_acts_no_more(database: Database) -> None:
    """What an older program stored is no reason for a 500, neither for that client nor for a list of all."""
    client_id = "c-" + "0" * 32
    members = {"client_id": client_id, "client_name": "Old", "redirect_uris": ["https://x.example/cb?state=x"]}
    row = {"client_id": client_id, "registered": json.dumps(members), "version": 1, "token_hash": b"t", "created": 1}
    with database.write() as tx:
        tx.execute(insert(registered_client).values(row))
    registry = Registry([], KeySets(Egress()), mode="sandbox", database=database)
    assert (registry.get(client_id), registry.active(client_id), registry.all()) == (None, None, ())
