"""Clients from the operator's files."""

from pathlib import Path

import pytest

from broker.clients.key_sets import KeySets
from broker.clients.registry import BadClient, Registry
from broker.egress import Egress

GOOD = """
client_id = "norr-childcare"
client_name = "Norr childcare"
"client_name#ar" = "نور"
redirect_uris = ["https://norr.example/cb"]
jwks_uri = "https://norr.example/jwks.json"
"""


def load(folder: Path, text: str, name: str = "norr-childcare.toml", mode: str = "production") -> Registry:
    (folder / "clients").mkdir()
    (folder / "clients" / name).write_text(text, "utf-8")
    return Registry.load(folder, Egress(), mode=mode)


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
