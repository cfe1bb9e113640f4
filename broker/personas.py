"""The invented people of demo and sandbox, read from `personas.toml`: their accounts here, not what registers hold."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.database import Tx
from broker.people import people
from broker.people.people import Proofing
from broker.sign_in import password
from consent.errors import BadDeclaration
from keys.keyring import RootKeyring
from keys.vault import Vault

FILE = "personas.toml"


@dataclass(frozen=True)
class Persona:
    """One persona's account; `totp_secret` is None for one who signs in with a password alone.

    `further`: what the account says beyond that, by the names of OpenID Connect Core §5.1.
    """

    id: str
    username: str
    password: str = field(repr=False)
    totp_secret: str | None = field(repr=False)
    proofing: Proofing
    display_name: str
    person_number: str
    email: str | None
    phone: str | None
    language: str
    as_of: str | None = None
    further: Mapping[str, Any] = field(default_factory=dict, repr=False)


def load(config_dir: Path) -> list[Persona]:
    """Everyone in `personas.toml` of this folder, in its order. Raises `BadDeclaration` when it is not such a file."""
    try:
        return _everyone(tomllib.loads((config_dir / FILE).read_text("utf-8")))
    except OSError as problem:
        raise BadDeclaration(f"{FILE}: {problem.strerror}") from problem
    except KeyError as problem:
        raise BadDeclaration(f"{FILE}: {problem.args[0]}: a persona needs it") from problem
    except (TypeError, ValueError) as problem:
        raise BadDeclaration(f"{FILE}: {problem}") from problem


def _everyone(declared: Mapping[str, Any]) -> list[Persona]:
    return [
        Persona(
            id=one["id"],
            username=one["username"],
            password=one["password"],
            totp_secret=one.get("totp_secret"),
            proofing=one["proofing"],
            display_name=one["display_name"],
            person_number=one["person_number"],
            email=one.get("email"),
            phone=one.get("phone"),
            language=one.get("language", "en"),
            as_of=one.get("as_of"),
            further=one.get("account", {}),
        )
        for one in declared["personas"]
    ]


def enrol_all(tx: Tx, vault: Vault, roots: RootKeyring, digests: Sequence[tuple[Persona, str]], now: int) -> None:
    """Make a person of each persona; `digests` as `digest_passwords` gives them. `now` in microseconds."""
    pepper = roots.ring("pepper")
    for persona, digest in digests:
        told = people.Profile(
            display_name=persona.display_name,
            person_number=persona.person_number,
            email=persona.email,
            phone=persona.phone,
            language=persona.language,
            as_of=persona.as_of,
            further=persona.further,
        )
        enrolment = people.Enrolment(
            username=persona.username,
            password_hash=password.seal(digest, pepper),
            totp_secret=persona.totp_secret,
            proofing=persona.proofing,
            profile=told,
        )
        people.enrol(tx, vault, roots, enrolment, now)


def digest_passwords(
    everyone: Sequence[Persona], progress: Callable[[int], None] = lambda _: None
) -> list[tuple[Persona, str]]:
    """Hash every persona's password, on all cores, before any transaction; `progress` is told how many are done."""
    hashed: list[tuple[Persona, str]] = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for persona, digest in zip(everyone, threads.map(lambda p: password.digest(p.password), everyone), strict=True):
            hashed.append((persona, digest))
            progress(len(hashed))
    return hashed
