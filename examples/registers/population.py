"""The sample population register: an SQLite file with tables of its own and one view for each bundle it shows.

A real register would have its own tables; what it agrees to show is the three views, and only those are granted.
"""

import datetime
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from examples.registers.people import Person

TABLES = """
DROP VIEW IF EXISTS semel_identity;
DROP VIEW IF EXISTS semel_address;
DROP VIEW IF EXISTS semel_custody;
DROP TABLE IF EXISTS parental;
DROP TABLE IF EXISTS residence;
DROP TABLE IF EXISTS person;
CREATE TABLE person (
    person_number TEXT PRIMARY KEY, given_name TEXT, family_name TEXT, single_name INTEGER NOT NULL, full_name TEXT,
    birth_date TEXT, sex TEXT, deceased INTEGER NOT NULL, protected INTEGER NOT NULL, as_of TEXT NOT NULL
) STRICT;
CREATE TABLE residence (
    person_number TEXT PRIMARY KEY REFERENCES person, street_address TEXT, postal_code TEXT, locality TEXT,
    country TEXT, municipality TEXT, since TEXT
) STRICT;
CREATE TABLE parental (
    parent_number TEXT NOT NULL REFERENCES person, place INTEGER NOT NULL, given_name TEXT NOT NULL, family_name TEXT,
    birth_date TEXT, custody TEXT NOT NULL, protected INTEGER NOT NULL, PRIMARY KEY (parent_number, place)
) STRICT;
"""

VIEWS = """
CREATE VIEW semel_identity AS
    SELECT person_number, given_name, family_name, single_name, full_name, birth_date, sex, deceased, as_of FROM person;
CREATE VIEW semel_address AS
    SELECT person_number, street_address, postal_code, locality, country, municipality, since, protected, deceased, as_of
    FROM person LEFT JOIN residence USING (person_number);
CREATE VIEW semel_custody AS
    SELECT parent_number, parental.given_name AS child_given_name, parental.family_name AS child_family_name,
           parental.birth_date AS child_birth_date, custody,
           max(person.protected, parental.protected) AS protected, deceased, as_of
    FROM parental JOIN person ON person_number = parent_number ORDER BY parent_number, place;
"""


def build(path: Path, people: Iterable[Person], *, as_of: str | None = None) -> None:
    """Make the register, or set it back to what it was: in one transaction, so that whoever reads sees old or new.

    `as_of` (YYYY-MM-DD, today by default) is the day for which the register vouches, where a person has none of their own.
    """
    vouched = as_of or datetime.datetime.now(datetime.UTC).date().isoformat()
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(f"BEGIN IMMEDIATE; {TABLES} {VIEWS}")
        for person in people:
            if person.population is not None:
                _add(database, person, vouched)
        database.execute("COMMIT")


def _add(database: sqlite3.Connection, person: Person, vouched: str) -> None:
    known = person.population or {}
    given, family = known.get("given_name"), known.get("family_name")
    full = known.get("full_name") or " ".join(part for part in (given, family) if part)
    single, dead, hidden = (int(known.get(flag, False)) for flag in ("single_name", "deceased", "protected"))
    said = (known.get("birth_date"), known.get("sex"), dead, hidden, known.get("as_of", vouched))
    _insert(database, "person", person.number, given, family, single, full, *said)
    if known.get("locality"):
        where = ("street_address", "postal_code", "locality", "country", "municipality", "since")
        _insert(database, "residence", person.number, *(known.get(part) for part in where))
    for place, child in enumerate(person.children):
        parts = (child["given_name"], child.get("family_name"), child.get("birth_date"), child["custody"])
        _insert(database, "parental", person.number, place, *parts, int(child.get("protected", False)))


def _insert(database: sqlite3.Connection, table: str, *values: object) -> None:
    database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
