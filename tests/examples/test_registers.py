"""The sample registers and their people: the same on every machine, awkward enough, each in its own process."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyotp
import pytest

from consent import catalogue
from consent.errors import BadValue
from examples.registers import people, population, tax

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "openid-config"
PERSONAS = CONFIG / "personas.toml"
DECLARED: list[dict[str, Any]] = tomllib.loads(PERSONAS.read_text("utf-8"))["personas"]
BY_ID = {one["id"]: one for one in DECLARED}


def test_there_are_enough_people_and_no_two_are_one() -> None:
    assert len(DECLARED) >= 40
    for key in ("id", "username", "person_number"):
        assert len({one[key] for one in DECLARED}) == len(DECLARED)
    secrets = [one["totp_secret"] for one in DECLARED if "totp_secret" in one]
    assert len(set(secrets)) == len(secrets)


@pytest.mark.parametrize("one", DECLARED, ids=lambda one: one["id"])
def test_everyone_can_sign_in(one: dict[str, Any]) -> None:
    """NIST SP 800-63B-4 §3.1.1: a password alone has 15 characters, and is not made from the user's own name."""
    assert len(one["password"]) >= 15
    assert one["username"] not in one["password"]
    assert one["proofing"] in ("substantial", "low")
    assert one["language"] in ("en", "ar")
    if one["id"] != "plain":
        assert len(pyotp.TOTP(one["totp_secret"]).now()) == 6


def test_the_one_with_a_password_only() -> None:
    assert "totp_secret" not in BY_ID["plain"]
    assert BY_ID["plain"]["proofing"] == "low"


AWKWARD: list[tuple[str, Callable[[dict[str, Any]], bool]]] = [
    ("maria", lambda p: len(p["children"]) == 2 and "iban" in p["tax"] and p["population"]["municipality"] == "0110"),
    ("single-name", lambda p: p["population"]["single_name"] and "family_name" not in p["population"]),
    ("apostrophes", lambda p: {"'", "\u2019"} <= set(p["population"]["family_name"])),
    ("four-names", lambda p: len(p["population"]["given_name"].split()) == 4),
    ("year-only", lambda p: len(p["population"]["birth_date"]) == 4),
    ("year-month", lambda p: len(p["population"]["birth_date"]) == 7),
    ("very-long", lambda p: len(p["display_name"]) > 140),
    ("arabic", lambda p: p["language"] == "ar" and "\u0600" < p["population"]["given_name"][0] < "\u06ff"),
    ("joiner", lambda p: "\u200c" in p["population"]["given_name"]),
    ("minor", lambda p: p["population"]["birth_date"] > "2009"),
    ("protected", lambda p: p["population"]["protected"]),
    ("deceased", lambda p: p["population"]["deceased"]),
    ("no-record", lambda p: "population" not in p and "tax" not in p),
    ("no-iban", lambda p: "iban" not in p["tax"]),
    ("no-contact", lambda p: "email" not in p and "phone" not in p),
    ("no-address", lambda p: "locality" not in p["population"]),
]


@pytest.mark.parametrize(("name", "holds"), AWKWARD, ids=[name for name, _ in AWKWARD])
def test_the_awkward_ones_are_awkward(name: str, holds: Callable[[dict[str, Any]], bool]) -> None:
    assert holds(BY_ID[name])


def test_what_the_registers_hold_has_the_catalogues_shape_but_for_those_meant_not_to() -> None:
    known = catalogue.load(CONFIG)
    wrong = set()
    for one in DECLARED:
        values = [
            ("contact.email", one.get("email")),
            ("contact.phone", one.get("phone")),
            ("contact.language", one["language"]),
        ]
        values += [
            (f"identity.{part}", one.get("population", {}).get(part))
            for part in ("given_name", "family_name", "birth_date")
        ]
        values += [
            ("income.taxable_band", one.get("tax", {}).get("taxable_band")),
            ("contact.iban", one.get("tax", {}).get("iban")),
        ]
        values += [("address.municipality", one.get("population", {}).get("municipality"))]
        for attribute, value in values:
            try:
                if value is not None:
                    catalogue.check_value(known.attribute(attribute), value)
            except BadValue:
                wrong.add(one["id"])
    assert wrong <= {"garbled", "joiner"}
    assert "garbled" in wrong


def rows(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return [
            database.execute(f"SELECT * FROM {view}").fetchall()
            for view in ("semel_identity", "semel_address", "semel_custody")
        ]


def test_the_population_register_is_the_same_each_time_and_can_be_set_back(tmp_path: Path) -> None:
    everyone = people.read(PERSONAS)
    population.build(tmp_path / "a" / "one.db", everyone, as_of="2026-11-21")
    population.build(tmp_path / "two.db", everyone, as_of="2026-11-21")
    fresh = rows(tmp_path / "two.db")
    assert rows(tmp_path / "a" / "one.db") == fresh
    assert len(fresh[0]) == sum("population" in one for one in DECLARED)
    with closing(sqlite3.connect(tmp_path / "two.db")) as database:
        database.execute("UPDATE person SET given_name = 'Other'")
        database.execute("DELETE FROM residence")
        database.commit()
    assert rows(tmp_path / "two.db") != fresh
    population.build(tmp_path / "two.db", everyone, as_of="2026-11-21")
    assert rows(tmp_path / "two.db") == fresh


def test_a_reader_sees_the_register_before_or_after_it_was_set_back(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    population.build(path, people.read(PERSONAS), as_of="2026-11-20")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        assert reader.execute("SELECT count(*) FROM semel_identity").fetchone()[0] > 40
        population.build(path, people.read(PERSONAS), as_of="2026-11-21")
        assert reader.execute("SELECT max(as_of) FROM semel_identity").fetchone()[0] == "2026-11-21"


def test_the_clients_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret"
    made = tax.secret(path)
    assert len(made) > 40
    assert tax.secret(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def call(port: int, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    link.request(method, path, body if isinstance(body, str | None) else json.dumps(body), headers)
    answer = link.getresponse()
    found = answer.status, json.loads(answer.read())
    link.close()
    return found


def test_the_registers_run_as_a_process_of_their_own(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "examples.registers", "--data", str(tmp_path), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
    try:
        for _ in range(200):
            try:
                assert call(port, "GET", "/healthz") == (200, {"status": "up"})
                break
            except OSError:
                time.sleep(0.05)
        else:
            pytest.fail("the register did not come up")
        assert (tmp_path / "population.db").exists()
        assert (tmp_path / "tax-client-secret").exists()
        assert call(port, "POST", "/evidence", {"items": ["iban"]}, Authorization="Bearer x")[0] == 401
        assert call(port, "POST", "/token", "grant_type=client_credentials", Authorization="Basic eDp5")[0] == 401
        assert call(port, "PUT", "/fault", {"fault": "down"}) == (200, {"fault": "down"})
        assert call(port, "PUT", "/fault", {"fault": "earthquake"})[0] == 400
        assert call(port, "PUT", "/elsewhere", {"fault": "down"})[0] == 404
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
