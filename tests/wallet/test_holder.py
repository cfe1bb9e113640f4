"""The example wallet's own reading of what we issue, and what its presentations show (RFC 9901 §4.3, §7.2)."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import jwt
import pytest
from jwcrypto.jwk import JWK  # type: ignore[import-untyped]  # it ships no types
from sd_jwt.verifier import SDJWTVerifier

from keys.keyring import SigningKey
from tests.wallet.conftest import ISSUER, ROOT, Wallet
from wallet import issuance
from wallet.credential_type import CredentialType
from wallet.issuance import Value


@pytest.fixture(scope="module")
def holder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("holder", ROOT / "examples/holder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["holder"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def credential(kind: CredentialType, values: dict[str, Value], wallet: Wallet, signer: SigningKey, now: int) -> str:
    return issuance.issue(kind, values, issuer=ISSUER, holder=wallet.jwk, signer=signer, now=now)


def test_it_lists_every_claim_that_can_be_shown(holder: ModuleType, credential: str) -> None:
    assert set(holder.paths(credential)) == {
        "family_name", "given_name", "address", "address.street_address", "address.house_number", "address.postal_code",
        "address.locality", "address.country", "registered_since", "municipality_code", "data_as_of",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("disclose", "address"),
    [(["address.locality"], {"locality": "Norr"}), (["address"], {}), (["given_name"], None)],
)
def test_a_presentation_shows_what_was_chosen_and_nothing_more(
    holder: ModuleType,
    credential: str,
    wallet: Wallet,
    signer: SigningKey,
    disclose: list[str],
    address: dict[str, str] | None,
) -> None:
    shown = holder.present(
        holder.Held(credential, wallet.key), disclose, audience="https://verifier.example", nonce="n-1"
    )
    key = JWK.from_json(json.dumps(dict(signer.public_jwk)))
    claims = SDJWTVerifier(shown, lambda _i, _h: key, "https://verifier.example", "n-1").get_verified_payload()
    assert claims.get("address") == address
    assert ("given_name" in claims) == (disclose == ["given_name"])
    assert not claims.keys() & {"family_name", "municipality_code", "registered_since", "data_as_of"}


def test_the_key_binding_is_the_holders(holder: ModuleType, credential: str, wallet: Wallet) -> None:
    shown = holder.present(holder.Held(credential, wallet.key), [], audience="a", nonce="n")
    bound = shown.rsplit("~", 1)[1]
    assert jwt.get_unverified_header(bound)["typ"] == "kb+jwt"
    jwt.decode(bound, wallet.key.public_key(), ["ES256"], audience="a")


def test_it_refuses_to_show_what_is_not_there(holder: ModuleType, credential: str, wallet: Wallet) -> None:
    with pytest.raises(holder.Refused, match="unknown_claim"):
        holder.present(holder.Held(credential, wallet.key), ["income"], audience="a", nonce="n")


def test_it_keeps_its_key_to_itself(holder: ModuleType, credential: str, wallet: Wallet, tmp_path: Path) -> None:
    file = tmp_path / "wallet.json"
    holder.Held(credential, wallet.key).save(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert holder.Held.load(file).credential == credential


def test_it_refuses_a_foreign_disclosure(holder: ModuleType, credential: str) -> None:
    payload = jwt.decode(credential.split("~", maxsplit=1)[0], options={"verify_signature": False})
    with pytest.raises(holder.Refused, match="foreign_disclosure"):
        holder.reveal(payload, ["WyJzIiwibiIsMV0"])
