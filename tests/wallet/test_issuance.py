"""What is issued, read by an implementation that did not make it (`sd-jwt` 0.10.4, PyJWT)."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from jwcrypto.jwk import JWK  # type: ignore[import-untyped]  # it ships no types
from sd_jwt.verifier import SDJWTVerifier

from keys.keyring import SigningKey
from tests.wallet.conftest import ISSUER, Wallet, decoded
from wallet import issuance, sd_jwt
from wallet.credential_request import CredentialRequest
from wallet.credential_type import CredentialType
from wallet.errors import (
    CredentialRequestDenied,
    InvalidCredentialRequest,
    NotAvailableNow,
    UnknownCredentialConfiguration,
    UnknownCredentialIdentifier,
)
from wallet.issuance import Value


@pytest.fixture
def credential(kind: CredentialType, values: dict[str, Value], wallet: Wallet, signer: SigningKey, now: int) -> str:
    return issuance.issue(kind, values, issuer=ISSUER, holder=wallet.jwk, signer=signer, now=now)


def test_an_independent_verifier_reads_every_claim(
    credential: str, signer: SigningKey, values: dict[str, Value]
) -> None:
    asked: list[dict[str, Any]] = []

    def key_of(issuer: str, header: dict[str, Any]) -> JWK:
        asked.append({"issuer": issuer, **header})
        return JWK.from_json(json.dumps(dict(signer.public_jwk)))

    claims = SDJWTVerifier(credential, key_of).get_verified_payload()
    assert asked == [{"issuer": ISSUER, "alg": "ES256", "typ": "dc+sd-jwt", "kid": signer.kid}]
    assert claims["address"] == values["address.registered"].value
    assert claims["family_name"] == "Møller"
    assert claims["registered_since"] == "2019-05-01"
    assert claims["municipality_code"] == "0301"
    assert claims["data_as_of"] == "2026-03-12"  # the oldest
    assert claims["issuing_country"] == "XN"


def test_another_key_does_not_verify(credential: str) -> None:
    with pytest.raises(Exception, match=r"[Vv]erification failed"):
        SDJWTVerifier(credential, lambda _issuer, _header: JWK.generate(kty="EC", crv="P-256"))


def test_the_envelope_is_clear_and_everything_about_the_person_hidden(
    credential: str, wallet: Wallet, signer: SigningKey, now: int
) -> None:
    token = sd_jwt.split(credential).jwt
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "typ": "dc+sd-jwt", "kid": signer.kid}
    payload = decoded(token.split(".")[1])
    assert set(payload) == {
        "iss", "vct", "iat", "exp", "cnf", "_sd", "_sd_alg", "issuing_authority", "issuing_country",
    }  # fmt: skip
    assert payload["cnf"] == {"jwk": wallet.jwk}
    assert payload["vct"] == "urn:example:residence:1"
    assert payload["iat"] % 86_400 == 0
    assert payload["exp"] % 3_600 == 0
    assert 0 < payload["exp"] - now // 1_000_000 <= 86_400
    assert payload["_sd"] == sorted(payload["_sd"])


def test_the_address_is_hidden_twice_over(credential: str) -> None:
    made = {one.name: one for one in map(sd_jwt.parse, sd_jwt.split(credential).disclosures)}
    address = made["address"].value
    assert set(address) == {"_sd"}
    assert (
        sorted(made[name].digest for name in ("street_address", "house_number", "postal_code", "locality", "country"))
        == address["_sd"]
    )
    payload = decoded(sd_jwt.split(credential).jwt.split(".")[1])
    assert made["address"].digest in payload["_sd"]
    assert made["locality"].digest not in payload["_sd"]


def test_two_copies_share_nothing_that_links_them(
    kind: CredentialType, values: dict[str, Value], signer: SigningKey, now: int
) -> None:
    copies = [
        issuance.issue(kind, values, issuer=ISSUER, holder=Wallet().jwk, signer=signer, now=now + n) for n in (0, 9)
    ]
    first, second = (set(sd_jwt.split(one).disclosures) for one in copies)
    assert not first & second
    times = [{name: decoded(one.split(".")[1])[name] for name in ("iat", "exp")} for one in copies]
    assert times[0] == times[1]


def test_what_was_not_provided_is_left_out(
    kind: CredentialType, values: dict[str, Value], wallet: Wallet, signer: SigningKey, now: int
) -> None:
    del values["address.since"], values["identity.family_name"]
    compact = issuance.issue(kind, values, issuer=ISSUER, holder=wallet.jwk, signer=signer, now=now)
    names = {sd_jwt.parse(one).name for one in sd_jwt.split(compact).disclosures}
    assert not names & {"registered_since", "family_name", "region"}
    assert "given_name" in names


# fmt: off
REQUIRED: list[tuple[dict[str, str], type[Exception] | None]] = [
    ({"address.registered": "provided", "address.municipality": "provided"},                                  None),
    ({"address.registered": "provided", "address.municipality": "source_unavailable"},                        NotAvailableNow),
    ({"address.registered": "withheld", "address.municipality": "source_unavailable"},                        CredentialRequestDenied),
    ({"address.registered": "not_held", "address.municipality": "provided"},                                  CredentialRequestDenied),
    ({"address.registered": "provided"},                                                                      CredentialRequestDenied),
    ({"address.registered": "provided", "address.municipality": "provided", "address.since": "not_held"},     None),
]
# fmt: on


@pytest.mark.parametrize(("statuses", "expected"), REQUIRED)
def test_mandatory_values(kind: CredentialType, statuses: dict[str, str], expected: type[Exception] | None) -> None:
    if expected is None:
        issuance.require(kind, statuses)
        return
    with pytest.raises(expected):
        issuance.require(kind, statuses)


# N21 (OpenID4VCI 1.0 §8.2): what a token is for, and what is asked with it
# fmt: off
CHOICES: list[tuple[str, str | None, str | None, str | None, type[Exception] | str | None]] = [
    ("by configuration",                 "residence", None,   None,   "residence"),
    ("by identifier",                    None,        "id-1", "id-1", "residence"),
    ("another configuration",            "permit",    None,   None,   None),
    ("unknown configuration",            "nothing",   None,   None,   UnknownCredentialConfiguration),
    ("identifier of another session",    None,        "id-2", "id-1", UnknownCredentialIdentifier),
    ("identifier where none was given",  None,        "id-1", None,   UnknownCredentialIdentifier),
    ("configuration despite identifier", "residence", None,   "id-1", InvalidCredentialRequest),
]
# fmt: on


@pytest.mark.parametrize(
    ("why", "configuration", "asked", "given", "expected"), CHOICES, ids=[row[0] for row in CHOICES]
)
def test_choosing(
    kind: CredentialType,
    why: str,
    configuration: str | None,
    asked: str | None,
    given: str | None,
    expected: type[Exception] | str | None,
) -> None:
    types = {"residence": kind, "permit": kind.model_copy(update={"id": "permit"})}
    request = CredentialRequest(configuration, asked, "proof")
    if isinstance(expected, type):
        with pytest.raises(expected):
            issuance.choose(request, types, authorized="residence", identifier=given)
        return
    chosen = issuance.choose(request, types, authorized="residence", identifier=given)
    assert (chosen.id if chosen else None) == expected
