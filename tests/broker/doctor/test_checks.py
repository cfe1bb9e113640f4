"""The doctor's judgements: on sound facts every line passes; one fact changed, one line says so, with what mends it."""

from __future__ import annotations

import re
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from broker.clients.metadata import ClientMetadata
from broker.doctor import checks, conditions, gather
from broker.doctor.facts import (
    Answer,
    Clients,
    Configured,
    Declared,
    Facts,
    File,
    Handshake,
    Machine,
    Roots,
    Served,
    Stored,
    Verdict,
)
from broker.endpoints import discovery
from broker.publication import Publication
from broker.publication_failure import Failure
from broker.settings import Settings
from keys import canonical
from keys.sources.sealed import WANTED, Schedule, StoredKey
from tests.broker.relying import Key, client

ISSUER = "https://id.norr.example"
SECOND = 1_000_000
NOW = 1_795_302_000 * SECOND
DAY = 86_400 * SECOND
PAGE = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "strict-transport-security": "max-age=31536000",
}
METADATA: dict[str, Any] = canonical.loads(canonical.dumps(discovery.document(ISSUER, ["openid"])))
DATE = {"date": formatdate(NOW / SECOND, usegmt=True)}
KEYS = tuple(
    StoredKey(f"{purpose}-{alg}", alg, purpose, "signing", {"kty": "EC"}, NOW - DAY, NOW - DAY)
    for purpose, alg in WANTED
)
JWKS = {"keys": [{"kid": key.kid} for key in KEYS if key.purpose in {"token", "encryption"}]}
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "statement_timeout": "2s",
    "lock_timeout": "100ms",
    "idle_in_transaction_session_timeout": "5s",
    "superuser": "off",
}

SOUND = Facts(
    now=NOW,
    configured=Configured(
        ISSUER, "production", 60, 300, 60, 1800, Schedule(90 * 86_400, 3600, {}), ("10.0.0.7",), (), (), (), False
    ),
    stored=Stored(
        dialect="postgresql",
        revision="0007",
        newest_revision="0007",
        issuer=ISSUER,
        settings=SETTINGS,
        round_trip=0.2,
        server_clock=NOW,
        asked_at=NOW,
        mode="production",
        newest_entry=NOW - 1,
        publication=Publication(5, 5, 5, NOW - 1, None),
        keys=KEYS,
        month_keys=("kek-2026-11.key",),
    ),
    machine=Machine(
        True,
        0.1,
        "ext4",
        (1.5, 1.7, 2.0),
        None,
        80 << 30,
        100 << 30,
        (File("/k", "secret", 0o600, True),),
        month_keys=("kek-2026-11.key",),
    ),
    served=Served(
        Answer(status=200, headers=DATE, body=METADATA),
        Answer(status=200, body=JWKS),
        Answer(status=200, headers=PAGE),
        NOW,
        Handshake(version="TLSv1.3", days_left=60),
    ),
    clients=Clients(all=(client(Key()),)),
    computed=METADATA,
)


def changed(facts: Facts, path: str, value: Any) -> Facts:
    """The facts with one member changed; the path is dotted, through members of dataclasses and of mappings."""
    name, _, rest = path.partition(".")
    if rest:
        inner = getattr(facts, name) if not isinstance(facts, dict) else facts[name]
        value = changed(inner, rest, value)
    if isinstance(facts, dict):
        return {**facts, name: value}  # type: ignore[return-value]  # a mapping inside the facts
    return replace(facts, **{name: value})


def told(facts: Facts) -> dict[str, Verdict]:
    return {found.check.name: found.verdict for found in checks.judge(facts)}


def baseline(**members: Any) -> Clients:
    given = {"profile": "baseline", "token_endpoint_auth_method": "none", **members}
    given = {"client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"], **given}
    return Clients(all=(ClientMetadata.model_validate(given),))


OLD = tuple(replace(key, staged=NOW - 200 * DAY) for key in KEYS)
WAITING = (*KEYS, replace(KEYS[0], kid="next", stage="upcoming", staged=NOW - 2 * DAY))
LOOSE = File("/srv/semel/key-encryption-key", "secret", 0o640, True)
FOLDER = File("/srv/semel/person-keys", "secret folder", 0o755, True)
FOREIGN = File("/srv/semel/semel.db", "database", 0o600, False)
STALE = {"keys": [{"kid": "another"}]}
LEAKED = {"keys": [*JWKS["keys"], {"kid": "x", "d": "secret"}]}
GB = 1 << 30
WITHOUT = {name: value for name, value in PAGE.items() if name != "content-security-policy"}
SHORT = {"keys": [{"kty": "RSA", "kid": "a", "n": "A" * 171, "e": "AQAB"}]}
TWICE = {"keys": [{**Key().jwk, "kid": "a"}, {**Key().jwk, "kid": "a"}]}

# fmt: off
ROWS: list[tuple[str, str, Any, str, str, str]] = [
    # check                 what is changed                          to what                                              stands   what is said       what mends it
    ("issuer",              "configured.issuer",                     "http://localhost:8000",                             "fail",  "only",            "SEMEL_ISSUER"),
    ("mode",                "stored.personas",                       7,                                                   "fatal", "published passwords", "semel init"),
    ("reachable",           "served.metadata",                       Answer(problem="unresolved"),                        "fail",  "unresolved",      "DNS"),
    ("reachable",           "served.metadata.status",                502,                                                 "fail",  "502",             "proxy"),
    ("reachable",           "served.metadata.body.issuer",           "https://other.example",                             "fail",  "another issuer",  "SEMEL_ISSUER"),
    ("tls",                 "served.tls",                            Handshake(problem="certificate has expired"),        "fail",  "expired",         "certificate"),
    ("tls",                 "served.tls.weak",                       "TLSv1.1 with AES128-SHA",                           "fail",  "TLSv1.1",         "TLS 1.3"),
    ("tls",                 "served.tls.days_left",                  10.0,                                                "warn",  "10 days",         "renew"),
    ("tls",                 "served.tls.days_left",                  1.0,                                                 "fail",  "1 days",          "renew"),
    ("tls",                 "served.tls",                            None,                                                "warn",  "http",            "https"),
    ("headers",             "served.page.headers",                   WITHOUT,                                             "fail",  "Content-Security-Policy", "proxy"),
    ("headers",             "served.page.headers",                   {**PAGE, "strict-transport-security": "max-age=60"}, "fail",  "Strict-Transport", "proxy"),
    ("headers",             "served.page.headers",                   {**PAGE, "access-control-allow-origin": "*"},        "fail",  "Access-Control",  "proxy"),
    ("headers",             "served.page",                           Answer(problem="timeout"),                           "not looked at", "not looked at",   "reachable"),
    ("clock",               "served.metadata.headers.date",          formatdate(NOW / SECOND - 60, usegmt=True),          "fail",  "60 s",            "time service"),
    ("clock",               "served.metadata.headers.date",          formatdate(NOW / SECOND + 5, usegmt=True),           "warn",  "5 s",             "time service"),
    ("clock",               "stored.server_clock",                   NOW - 20 * SECOND,                                   "fatal", "database",        "time service"),
    ("clock",               "stored.newest_entry",                   NOW + 60 * SECOND,                                   "fatal", "set back",        "time service"),
    ("clock",               "machine.clock_synchronised",            False,                                               "warn",  "kernel",          "chrony"),
    ("proxies",             "configured.trusted_proxies",            ("10.0.0.0/8",),                                     "fail",  "not one address", "one by one"),
    ("proxies",             "configured.trusted_proxies",            ("proxy",),                                          "fail",  "not one address", "SEMEL_TRUSTED_PROXIES"),
    ("proxies",             "configured.trusted_proxies",            ("8.8.8.8",),                                        "warn",  "public",          "own proxies"),
    ("proxies",             "configured.trusted_proxies",            (),                                                  "warn",  "one address",     "X-Forwarded-For"),
    ("outbound",            "configured.egress_allow",               ("10.0.0.0/8",),                                     "warn",  "of registers",    "SEMEL_EGRESS_ALLOW"),
    ("outbound",            "configured.client_egress_allow",        ("10.0.0.0/8",),                                     "warn",  "clients name",    "SEMEL_CLIENT_EGRESS_ALLOW"),
    ("database",            "stored",                                Stored(problem="connection refused"),                "fatal", "refused",         "SEMEL_DATABASE_URL"),
    ("database",            "stored.revision",                       None,                                                "fatal", "never",           "semel init"),
    ("database",            "stored.revision",                       "0001",                                              "fatal", "0007",            "semel db upgrade"),
    ("database",            "stored.issuer",                         "https://other.example",                             "fatal", "other.example",   "SEMEL_ISSUER"),
    ("database",            "stored",                                Stored(problem="fsync=off", unsafe=True),            "not looked at", "not looked",      "database settings"),
    ("database settings",   "stored",                                Stored(problem="fsync=off; set it to on", unsafe=True), "fatal","fsync=off",      "postgresql.conf"),
    ("database settings",   "stored.settings.fsync",                 "off",                                               "fail",  "fsync is off",    "set fsync to on"),
    ("database settings",   "stored.settings.full_page_writes",      "off",                                               "fail",  "full_page",       "set full_page_writes to on"),
    ("database settings",   "stored.settings.synchronous_commit",    "off",                                               "fail",  "crash",           "set synchronous_commit to on"),
    ("database settings",   "stored.settings.statement_timeout",     "0",                                                 "fail",  "statement_timeout", "pooler"),
    ("database settings",   "stored.settings.superuser",             "on",                                                "warn",  "superuser",       "role of its own"),
    ("database settings",   "stored",                                replace(SOUND.stored, dialect="sqlite", settings={"journal_mode": "delete", "foreign_keys": "1"}), "fail", "delete", "wal"),
    ("round trip",          "stored.round_trip",                     5.0,                                                 "warn",  "5.0 ms",          "same site"),
    ("round trip",          "stored.round_trip",                     50.0,                                                "fail",  "50.0 ms",         "same site"),
    ("flushing",            "machine.unflushed",                     "libeatmydata",                                      "fatal", "libeatmydata",    "without it"),
    ("flushing",            "machine.filesystem",                    "tmpfs",                                             "fail",  "in memory",       "SEMEL_DATA_DIR"),
    ("flushing",            "machine.flushes",                       (0.001, 0.002, 0.003),                               "warn",  "2 µs",            "local disk"),
    ("flushing",            "machine.flushes",                       (),                                                  "not looked at", "not looked at",        "SEMEL_DATA_DIR"),
    ("tls",                 "served.tls",                            Handshake(problem="nobody answers"),                 "not looked at", "not looked at",   "reachable"),
    ("refresh tokens",      "clients",                               Clients(problem="clients/x.toml: no"),               "not looked at",  "not looked at",       "declarations"),
    ("redirects",           "clients",                               Clients(problem="clients/x.toml: no"),               "not looked at",  "not looked at",       "declarations"),
    ("bound tokens",        "clients",                               Clients(problem="clients/x.toml: no"),               "not looked at",  "not looked at",       "declarations"),
    ("client authentication", "clients",                             Clients(problem="clients/x.toml: no"),               "not looked at",  "not looked at",       "declarations"),
    ("disk",                "machine.free",                          10 * GB,                                             "pass",  "10240 MiB",       ""),
    ("disk",                "machine",                               replace(SOUND.machine, free=2 * GB),                 "warn",  "2048 MiB",        "room"),
    ("disk",                "machine",                               replace(SOUND.machine, free=GB // 2),                "fail",  "512 MiB",         "room"),
    ("secret files",        "machine.files",                         (LOOSE,),                                            "fatal", "key-encryption",  "chmod 600"),
    ("secret files",        "machine.files",                         (FOLDER,),                                           "fatal", "person-keys",     "chmod 700"),
    ("secret files",        "machine.files",                         (FOREIGN,),                                          "warn",  "another user",    "semel serve"),
    ("secret files",        "configured.person_keys_beside_database", True,                                               "warn",  "erased people",   "SEMEL_PERSON_KEY_DIR"),
    ("signing keys",        "stored.keys",                           OLD,                                                 "fail",  "200 days",        "semel serve"),
    ("signing keys",        "stored.keys",                           WAITING,                                             "fail",  "2 days",          "signing_keys"),
    ("signing keys",        "stored.keys",                           KEYS[1:],                                            "fatal", "ES256 for token", "semel keys rotate"),
    ("signing keys",        "stored.keys_open",                      False,                                               "fatal", "root keyring",    "SEMEL_KEY_ENCRYPTION_KEY_FILE"),
    ("published keys",      "served.keys.body",                      STALE,                                               "fail",  "not those",       "cache"),
    ("published keys",      "served.keys.body",                      LEAKED,                                              "fail",  "private",         "--revoke"),
    ("published keys",      "served.keys.body",                      "<html>",                                            "fail",  "not those",       "cache"),
    ("mode",                "stored.mode",                           "sandbox",                                           "fatal", "mode sandbox",    "semel init"),
    ("mode",                "stored.mode",                           None,                                                "warn",  "not recorded",    "semel db upgrade"),
    ("mode",                "stored.personas",                       None,                                                "not looked at", "not looked at", "root keyring"),
    ("root keyring",        "roots",                                 Roots(problem="there is no root keyring"),            "fatal", "no root",         "SEMEL_KEY_ENCRYPTION_KEY_FILE"),
    ("root keyring",        "roots",                                 Roots(weak="root r1 is a pattern"),                  "fatal", "pattern",         "random"),
    ("declarations",        "declared",                              Declared("/etc/semel", missing=True),                "fatal", "/etc/semel",      "SEMEL_CONFIG_DIR"),
    ("declarations",        "declared.faults",                       ("uses/a.toml:3: no", "uses/b.toml:9: no"),          "fatal", "uses/b.toml:9",   "semel config check"),
    ("declarations",        "declared.placeholders",                 ("uses/a.toml:3: ${x}",),                            "fatal", "${x}",            "semel demo"),
    ("named files",         "machine.unreadable",                    ("SEMEL_CLIENT_CA_FILE: /x: gone",),                 "fatal", "/x: gone",        "setting"),
    ("folders",             "machine.shut",                          ("nothing can be written into /srv",),               "fatal", "/srv",            "own"),
    ("keys of persons",     "machine.month_keys",                    None,                                                "fatal", "not there",       "SEMEL_PERSON_KEY_DIR"),
    ("keys of persons",     "machine.month_keys",                    ("kek-2026-12.key",),                                "fatal", "kek-2026-11",     "SEMEL_PERSON_KEY_DIR"),
    ("keys of persons",     "stored",                                Stored(problem="connection refused"),                "not looked at", "not looked at", "database"),
    ("ledger",              "stored.ledger",                         "the ledger does not hold",                          "fatal", "not hold",        "as it is"),
    ("ledger",              "stored.publication",                    Publication(9, 5, 5, NOW, NOW - 90 * SECOND),        "fail",  "4 entries",       "publish"),
    ("ledger",              "stored.publication_failure",            Failure("folder_replaced", NOW),                     "warn",  "another kind of file", "tries again"),
    ("ledger",              "stored.publication",                    Publication(9, 5, 5, NOW, NOW - 9 * SECOND),         "pass",  "9 entries, 5",    ""),
    ("ledger",              "stored.publication",                    Publication(5, 5, None, NOW, NOW - 9 * SECOND),      "not looked at", "checkpoint", "start the server"),
    ("ledger",              "stored",                                Stored(problem="connection refused"),                "not looked at", "not looked at", "database"),
    ("clock",               "machine.newest_file",                   NOW + 365 * DAY,                                     "fatal", "365 days behind", "time service"),
    ("clock",               "stored.newest_entry",                   NOW + 365 * DAY,                                     "fatal", "365 days behind", "time service"),
    ("letters",             "stored.dead_letters",                   3,                                                   "warn",  "3 letters",       "semel outbox replay --all"),
    ("letters",             "stored",                                Stored(problem="connection refused"),                "not looked at", "not looked at",   "database"),
    ("legacy",              "configured.legacy",                     ("legacy_front_channel_logout",),                    "warn",  "SEMEL_LEGACY_FRONT_CHANNEL_LOGOUT", "switch it off"),
    ("redirects",           "clients",                               baseline(redirect_uris=["http://127.0.0.1/cb"]),     "fail",  "without TLS",     "https"),
    ("PKCE",                "served.metadata.body.code_challenge_methods_supported", ["S256", "plain"],                   "fail",  "plain",           "nothing between"),
    ("grants",              "served.metadata.body.response_types_supported", ["code", "token"],                            "fail",  "implicit",        "nothing between"),
    ("grants",              "served.metadata.body.grant_types_supported", ["password"],                                   "fail",  "password",        "nothing between"),
    ("mix-up",              "served.metadata.body.authorization_response_iss_parameter_supported", False,                 "fail",  "iss",             "nothing between"),
    ("bound tokens",        "served.metadata.body.dpop_signing_alg_values_supported", [],                                 "fail",  "DPoP",            "nothing between"),
    ("bound tokens",        "clients",                               baseline(scope="openid profile"),                    "fail",  "app gets data",   "fapi2"),
    ("privileges",          "configured.token",                      3600,                                                "warn",  "3600 s",          "SEMEL_TOKEN_SECONDS"),
    ("client authentication", "served.metadata.body.token_endpoint_auth_signing_alg_values_supported", ["HS256"],         "fail",  "secret",          "nothing between"),
    ("client authentication", "clients",                             baseline(token_endpoint_auth_method="client_secret_basic", client_secret_hash="A" * 43), "warn", "app", "private_key_jwt"),
    ("metadata",            "served.metadata.body.token_endpoint",   "https://evil.example/token",                        "fail",  "token_endpoint",  "nothing between"),
    ("metadata",            "served.metadata.body.scopes_supported", ["openid", "old"],                                   "warn",  "would serve",     "restart"),
    ("profiles",            "clients",                               Clients(problem="clients/x.toml: no"),               "fail",  "x.toml",          "file"),
    ("profiles",            "clients",                               baseline(subject_type="public"),                     "fail",  "pairwise",        "semel clients lint"),
    ("general",             "configured.code",                       300,                                                 "fail",  "300 s",           "SEMEL_CODE_SECONDS"),
    ("general",             "served.metadata.body.token_endpoint_auth_methods_supported", ["none"],                       "fail",  "by key",          "nothing between"),
    ("pushed requests",     "configured.pushed_request",             600,                                                 "fail",  "600 s",           "SEMEL_PUSHED_REQUEST_SECONDS"),
    ("algorithms",          "clients",                               Clients(all=(client(Key(), jwks=SHORT),)),           "fail",  "2048",            "new key"),
    ("algorithms",          "clients",                               Clients(all=(client(Key(), jwks=TWICE),)),           "fail",  "one id",          "new key"),
    ("algorithms",          "served.metadata.body.id_token_signing_alg_values_supported", ["RS256"],                      "fail",  "no algorithm",    "nothing between"),
    ("signed requests",     "served.metadata.body.request_object_signing_alg_values_supported", ["none", "ES256", "PS256"], "fail", "ES256",          "nothing between"),
    ("signed responses",    "served.metadata.body.response_modes_supported", ["query"],                                   "fail",  "signed answers",  "nothing between"),
    ("signed introspection", "served.metadata.body.introspection_signing_alg_values_supported", ["none"],                 "fail",  "introspection",   "nothing between"),
]
# fmt: on


def test_sound_facts_pass_in_every_line() -> None:
    assert {name: verdict for name, verdict in told(SOUND).items() if verdict.status != "pass"} == {}


@pytest.mark.parametrize(("check", "path", "value", "status", "finding", "fix"), ROWS)
def test_a_line(check: str, path: str, value: Any, status: str, finding: str, fix: str) -> None:
    verdict = told(changed(SOUND, path, value))[check]
    assert verdict.status == status, verdict
    assert finding in verdict.finding
    assert fix in verdict.fix


def test_every_line_but_one_can_find_something() -> None:
    """Mail has nothing to set yet."""
    able = {row[0] for row in ROWS if row[3] != "pass"}
    assert {check.name for check in checks.CHECKS} - able == {"mail"}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_what_is_wrong_comes_with_a_remedy_and_what_is_right_without(row: Any) -> None:
    for name, verdict in told(changed(SOUND, row[1], row[2])).items():
        assert (verdict.status == "pass") == (verdict.fix == ""), name
        assert not re.search(r"[A-Za-z0-9_-]{43,}", verdict.finding + verdict.fix), "no secret is ever said"


def test_what_is_only_a_trial_is_a_warning() -> None:
    demo = changed(changed(SOUND, "configured.mode", "sandbox"), "machine.filesystem", "tmpfs")
    verdicts = told(changed(demo, "configured.issuer", "http://localhost:8000"))
    assert [verdicts[name].status for name in ("issuer", "flushing")] == ["warn", "warn"]


def test_a_demo_that_the_world_can_reach() -> None:
    verdict = told(changed(SOUND, "configured.mode", "demo"))["mode"]
    assert (verdict.status, "SEMEL_MODE=production" in verdict.fix) == ("fatal", True)


def test_sqlite_on_a_network_file_system() -> None:
    lite = replace(SOUND.stored, dialect="sqlite", settings={"journal_mode": "wal", "foreign_keys": "1"})
    assert told(changed(changed(SOUND, "stored", lite), "machine.filesystem", "nfs4"))["flushing"].status == "fatal"
    assert told(changed(SOUND, "stored", lite))["database settings"].status == "pass"


def test_a_loopback_opening_is_no_way_inside() -> None:
    inside = ("127.0.0.1:8003", "[::1]:8003", "127.0.0.0/8", "::1")
    for setting in ("egress_allow", "client_egress_allow"):
        assert told(changed(SOUND, f"configured.{setting}", inside))["outbound"].status == "pass"


def test_settings_named_legacy_are_found_by_their_name(tmp_path: Any) -> None:
    """Whatever a later version adds under that word is told without a change here."""

    class Later(Settings):
        legacy_something: bool = True
        legacy_other: bool = False

    assert gather._configured(Later(issuer=ISSUER)).legacy == ("legacy_something",)


def test_the_operators_page_has_every_condition_with_what_mends_it() -> None:
    page = Path("docs/operations.md").read_text("utf-8")
    for one in conditions.CONDITIONS:
        modes = "every" if one.modes == conditions.EVERY else ", ".join(f"`{mode}`" for mode in sorted(one.modes))
        assert f"| {one.name} | {modes} | {one.fix[0].upper()}{one.fix[1:]} |" in page


def test_every_condition_has_a_line_of_the_doctor() -> None:
    assert {one.line for one in conditions.CONDITIONS} <= {check.name for check in checks.CHECKS}
    assert len({one.name for one in conditions.CONDITIONS}) == len(conditions.CONDITIONS)


def test_what_was_not_looked_at_is_never_called_right() -> None:
    """Nobody answers, the database is away, no file can be read: no line that needs one of them passes."""
    none = Answer(problem="unreachable")
    blind = replace(
        SOUND,
        stored=Stored(problem="connection refused"),
        served=Served(none, none, none, NOW, Handshake(problem="nobody answers")),
        clients=Clients(problem="no file"),
        computed={},
    )
    needed = {check.name for check in checks.CHECKS} - {
        "root keyring", "declarations", "named files", "folders", "proxies", "outbound", "flushing", "disk",
        "secret files", "mail", "legacy", "privileges", "issuer",
    }  # fmt: skip
    verdicts = told(blind)
    assert {name: verdicts[name] for name in needed if verdicts[name].status == "pass"} == {}
