"""Software statements: what a vouching body signed about software that registers itself (RFC 7591 §2.3).

The operator names who may vouch in `registration.toml`, with their keys.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from broker.clients.metadata import Address
from broker.errors import Wire
from keys import errors as keys_errors
from keys import jwk, jws

FILE = "registration.toml"


class Voucher(BaseModel):
    """Somebody who may vouch for software, and their public keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Address
    jwks: Mapping[str, Any]


class Registration(BaseModel):
    """The operator's rules for clients that register themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    software_statement_required: bool = False
    software_statement_issuers: Annotated[tuple[Voucher, ...], Field(max_length=50)] = ()

    def keys(self, issuer: str) -> jwk.KeySet | None:
        """Return the keys of a body that may vouch; None for any other."""
        known = {voucher.issuer: voucher.jwks for voucher in self.software_statement_issuers}
        return jwk.parse_set(known[issuer]) if issuer in known else None


def load(config_dir: Path) -> Registration:
    """Read `registration.toml`; no file means nobody vouches. Raises `ValueError` for one that cannot be used."""
    path = config_dir / FILE
    if not path.exists():
        return Registration()
    declared = Registration.model_validate(tomllib.loads(path.read_text("utf-8")))
    for voucher in declared.software_statement_issuers:
        try:
            jwk.parse_set(voucher.jwks)
        except keys_errors.InvalidKey as problem:
            raise ValueError(f"jwks of {voucher.issuer}: {problem}") from problem
    return declared


def read(statement: object, registration: Registration, now: int) -> dict[str, Any]:
    """Return what a statement says; raises `Wire` `unapproved_software_statement` or `invalid_software_statement`."""
    if not isinstance(statement, str):
        raise Wire("invalid_software_statement", "the software statement is not a signed token")
    try:
        issuer = jws.unverified_claims(statement).get("iss")
        keys = registration.keys(issuer) if isinstance(issuer, str) else None
        if keys is None:
            raise Wire("unapproved_software_statement", "nobody who may vouch here signed this software statement")
        return dict(jws.verify(jws.SOFTWARE_STATEMENT, statement, keys=keys, now=now))
    except keys_errors.KeysError as refused:
        raise Wire("invalid_software_statement", "the software statement does not verify") from refused
