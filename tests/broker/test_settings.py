"""Settings: from the environment, refused when they would be unsafe, secrets never shown."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from broker.settings import Settings

SAFE: dict[str, Any] = {"issuer": "https://id.example.gov", "mode": "production"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets."""
    import os

    for name in [name for name in os.environ if name.startswith("SEMEL_")]:
        monkeypatch.delenv(name)


def test_each_setting_is_an_environment_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "SEMEL_ISSUER": "https://id.example.gov",
        "SEMEL_MODE": "sandbox",
        "SEMEL_DATA_DIR": str(tmp_path),
        "SEMEL_CONFIG_DIR": "/etc/semel",
        "SEMEL_TRUSTED_PROXIES": "192.0.2.1, 192.0.2.2,",
        "SEMEL_EGRESS_ALLOW": "127.0.0.1",
        "SEMEL_CLIENT_EGRESS_ALLOW": "127.0.0.1, ::1",
        "SEMEL_CODE_SECONDS": "30",
        "SEMEL_UNKNOWN": "x",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.issuer == "https://id.example.gov"
    assert settings.trusted_proxies == ("192.0.2.1", "192.0.2.2")
    assert settings.egress_allow == ("127.0.0.1",)
    assert settings.client_egress_allow == ("127.0.0.1", "::1")
    assert settings.durations.code == 30
    assert settings.config_dir == Path("/etc/semel")
    assert settings.database == f"sqlite:///{tmp_path}/semel.db"
    assert settings.person_keys == tmp_path / "person-keys"
    assert settings.ledger_dir == tmp_path / "ledger"
    assert settings.ledger_origin == "id.example.gov/ledger"


# fmt: off
REFUSED = [
    # where                                setting                                                      says
    ("OpenID Connect Discovery 1.0 §3",    {"issuer": "https://id.example.gov?x=1"},                    "SEMEL_ISSUER"),
    ("OpenID Connect Discovery 1.0 §3",    {"issuer": "https://id.example.gov#x"},                      "SEMEL_ISSUER"),
    ("OpenID Connect Discovery 1.0 §3",    {"issuer": "https://id.example.gov?"},                       "SEMEL_ISSUER"),
    ("OpenID Connect Discovery 1.0 §3",    {"issuer": "https://id.example.gov#"},                       "SEMEL_ISSUER"),
    ("OpenID Connect Discovery 1.0 §3",    {"issuer": "ftp://id.example.gov"},                          "SEMEL_ISSUER"),
    ("OpenID Connect Discovery 1.0 §3",    {"issuer": "id.example.gov"},                                "SEMEL_ISSUER"),
    ("OpenID Connect Discovery 1.0 §3",    {"issuer": ""},                                              "SEMEL_ISSUER"),
    ("RFC 8414 §2",                        {"issuer": "https://user@id.example.gov"},                   "SEMEL_ISSUER"),
    ("RFC 8414 §2",                        {"issuer": "https://"},                                      "SEMEL_ISSUER"),
    ("RFC 8414 §2",                        {"issuer": "http://id.example.gov", "mode": "sandbox"},      "https"),
    ("RFC 8414 §2",                        {"issuer": "http://127.0.0.1.example.gov", "mode": "demo"},  "https"),
    ("one origin, no path",                {"issuer": "https://id.example.gov/"},                       "path"),
    ("one origin, no path",                {"issuer": "https://id.example.gov/semel"},                  "path"),
    ("one spelling (RFC 3986 §6.2.2)",     {"issuer": "https://ID.example.gov"},                        "SEMEL_ISSUER"),
    ("one spelling (RFC 3986 §6.2.2)",     {"issuer": "HTTPS://id.example.gov"},                        "SEMEL_ISSUER"),
    ("one spelling (RFC 3986 §6.2.3)",     {"issuer": "https://id.example.gov:443"},                    "SEMEL_ISSUER"),
    ("one spelling (RFC 3986 §3.2.3)",     {"issuer": "https://id.example.gov:"},                       "SEMEL_ISSUER"),
    ("a port is one",                      {"issuer": "https://id.example.gov:99999"},                  "Port"),
    ("production",                         {"issuer": "http://localhost:8000", "mode": "production"},   "https"),
    ("production",                         {"egress_allow": "127.0.0.1"},                               "SEMEL_EGRESS_ALLOW"),
    ("production",                         {"client_egress_allow": "127.0.0.1"},                        "SEMEL_CLIENT_EGRESS_ALLOW"),
    ("RFC 8705 §5: an origin",             {"mtls_origin": "https://mtls.example.gov/x", "trusted_proxies": "127.0.0.1"}, "SEMEL_MTLS_ORIGIN"),
    ("RFC 8705 §5: https",                 {"mtls_origin": "http://mtls.example.gov", "trusted_proxies": "127.0.0.1"}, "SEMEL_MTLS_ORIGIN"),
    ("RFC 9440 §4: from a proxy only",     {"mtls_origin": "https://mtls.example.gov"},                 "SEMEL_TRUSTED_PROXIES"),
    ("RFC 8705 §2.1: asked of nobody",     {"client_ca_file": "/etc/semel/agencies.pem"},               "SEMEL_MTLS_ORIGIN"),
    ("modes",                              {"mode": "test"},                                            "production"),
    ("RFC 6749 §4.1.2: ten minutes",       {"code_seconds": 601},                                       "600"),
    ("RFC 9126 §2.2: a positive number",   {"pushed_request_seconds": 0},                               "greater than 0"),
    ("FAPI 2.0 §5.3.2.2: below ten min",   {"pushed_request_seconds": 600},                             "less than 600"),
    ("a time that ends",                   {"journey_seconds": 0},                                      "greater than 0"),
    ("a time that ends",                   {"receipt_seconds": -1},                                     "greater than 0"),
    ("a time that ends",                   {"code_seconds": 0},                                         "greater than 0"),
    ("a time that ends",                   {"token_seconds": 0},                                        "greater than 0"),
    ("a time that ends",                   {"session_seconds": 0},                                      "greater than 0"),
    ("a time that ends",                   {"session_idle_seconds": 0},                                 "greater than 0"),
    ("a time that ends",                   {"offer_seconds": 0},                                        "greater than 0"),
    ("a time that ends",                   {"preview_cut_seconds": 0},                                  "greater than 0"),
    ("a time that ends",                   {"checkpoint_seconds": 0},                                   "greater than 0"),
    ("NIST SP 800-63B-4 §2.2.3: 24 h",     {"session_seconds": 86_401},                                 "86400"),
    ("NIST SP 800-63B-4 §2.2.3: 1 h",      {"session_idle_seconds": 3601},                              "3600"),
]
# fmt: on


@pytest.mark.parametrize(("section", "given", "says"), REFUSED)
def test_refused(section: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as problem:
        Settings(**{**SAFE, **given})
    assert says in str(problem.value), section


@pytest.mark.parametrize(
    "given",
    [
        SAFE,
        {"issuer": "https://id.example.gov:8443"},
        {"issuer": "http://localhost:8000", "mode": "demo", "egress_allow": "127.0.0.1"},
        {"issuer": "http://127.0.0.1:8000", "mode": "sandbox"},
        {"issuer": "http://[::1]:8000", "mode": "sandbox"},
    ],
)
def test_accepted(given: dict[str, Any]) -> None:
    settings = Settings(**{**SAFE, **given})
    assert settings.secure == settings.issuer.startswith("https")


def test_nobody_changes_a_setting_while_it_runs() -> None:
    with pytest.raises(ValidationError):
        Settings(**SAFE).mode = "demo"


def test_the_root_keyring_comes_from_the_setting_its_file_or_the_data_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Settings(**SAFE, data_dir=tmp_path).root_keyring_text()
    (tmp_path / "key-encryption-key").write_text("of the data folder")
    assert Settings(**SAFE, data_dir=tmp_path).root_keyring_text() == "of the data folder"
    (tmp_path / "mounted").write_text("of the file")
    of_file = {**SAFE, "data_dir": tmp_path, "key_encryption_key_file": tmp_path / "mounted"}
    assert Settings(**of_file).root_keyring_text() == "of the file"
    assert Settings(**of_file, key_encryption_key="of the setting").root_keyring_text() == "of the setting"
    with pytest.raises(FileNotFoundError):
        Settings(**{**of_file, "key_encryption_key_file": tmp_path / "absent"}).root_keyring_text()


def test_the_root_keyring_is_in_no_representation() -> None:
    settings = Settings(**SAFE, key_encryption_key="r1 c2VjcmV0")
    assert "c2VjcmV0" not in repr(settings) + str(settings)


def test_the_root_keyring_is_in_no_complaint() -> None:
    with pytest.raises(ValidationError) as problem:
        Settings(mode="production", key_encryption_key="c2VjcmV0")
    assert "c2VjcmV0" not in str(problem.value) + repr(problem.value)


def test_every_duration_is_a_setting_and_the_default_of_both_agrees() -> None:
    from broker.needs import Durations

    assert Settings(**SAFE).durations == Durations()
