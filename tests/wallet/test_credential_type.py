"""Declarations of credentials, and the metadata made from them (OpenID4VCI 1.0 §12.2.4)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.wallet.conftest import ISSUER, ROOT
from wallet import credential_type, issuer_metadata
from wallet.credential_type import CredentialType, Label
from wallet.errors import InvalidCredentialType

GOOD = (ROOT / "openid-config/credentials/residence.toml").read_text(encoding="utf-8")


def declared(tmp_path: Path, text: str) -> CredentialType:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "residence.toml").write_text(text, encoding="utf-8")
    return credential_type.load(tmp_path)["residence"]


def test_what_it_is_made_from(kind: CredentialType) -> None:
    assert set(kind.attributes) == {
        "identity.family_name", "identity.given_name", "address.registered", "address.since", "address.municipality",
    }  # fmt: skip
    assert kind.mandatory_attributes == ("address.registered", "address.municipality")
    assert kind.shown("ar").name == "إثبات الإقامة"
    assert kind.shown("fi").name == "Proof of residence"


# fmt: off
REFUSED: list[tuple[str, str, str]] = [
    ("unknown key",             'scope = "residence"',                'scope = "residence"\nscopes = "x"'),
    ("another format",          '"dc+sd-jwt"',                        '"vc+sd-jwt"'),
    ("no scope",                'scope = "residence"',                ""),
    ("longer than a day",       "lifetime = 86400",                   "lifetime = 86401"),
    ("envelope's name",         'path = ["family_name"]',             'path = ["iss"]'),
    ("envelope's name, status", 'path = ["family_name"]',             'path = ["status"]'),
    ("path twice",              'path = ["family_name"]',             'path = ["given_name"]'),
    ("reserved name inside",    '"address", "locality"',              '"address", "_sd"'),
    ("member without parent",   '"address", "locality"',              '"home", "locality"'),
    ("attribute and fixed",     'fixed = "XN"',                       'fixed = "XN"\nattribute = "address.since"'),
    ("neither",                 'fixed = "XN"',                       ""),
    ("no name to show",         '[{ locale = "en", name = "Issuing country" }, { locale = "ar", name = "بلد الإصدار" }]', "[]"),
    ("not TOML",                'scope = "residence"',                "scope = "),
]
# fmt: on


@pytest.mark.parametrize(("why", "old", "new"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused_declarations(why: str, old: str, new: str, tmp_path: Path) -> None:
    assert old in GOOD
    with pytest.raises(InvalidCredentialType, match=r"^residence\.toml: "):
        declared(tmp_path, GOOD.replace(old, new, 1))


@pytest.fixture
def metadata(kind: CredentialType) -> dict[str, Any]:
    return issuer_metadata.build(
        {"residence": kind},
        issuer=ISSUER,
        display=[Label(locale="en", name="Semel")],
        credential_endpoint=f"{ISSUER}/credential",
        nonce_endpoint=f"{ISSUER}/nonce",
    )


def test_the_metadata_is_complete(metadata: dict[str, Any]) -> None:
    assert set(metadata) == {
        "credential_issuer", "credential_endpoint", "nonce_endpoint", "display", "credential_configurations_supported",
    }  # fmt: skip
    one = metadata["credential_configurations_supported"]["residence"]
    assert set(one) == {
        "format", "scope", "vct", "credential_signing_alg_values_supported", "cryptographic_binding_methods_supported",
        "proof_types_supported", "credential_metadata",
    }  # fmt: skip
    assert one["proof_types_supported"] == {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}}
    assert one["cryptographic_binding_methods_supported"] == ["jwk"]
    assert one["credential_metadata"]["credential_reuse_policy"]["id"] == "arf_annex_ii"


def test_every_text_is_there_in_both_languages(metadata: dict[str, Any]) -> None:
    shown = metadata["credential_configurations_supported"]["residence"]["credential_metadata"]
    for displays in [shown["display"], *(claim["display"] for claim in shown["claims"])]:
        assert [one["locale"] for one in displays] == ["en", "ar"]
        assert re.search("[\u0600-\u06ff]", displays[1]["name"])


def test_the_claims_are_the_issued_ones(metadata: dict[str, Any], kind: CredentialType) -> None:
    claims = metadata["credential_configurations_supported"]["residence"]["credential_metadata"]["claims"]
    assert [tuple(claim["path"]) for claim in claims] == [claim.path for claim in kind.claims]
    assert {claim["path"][0] for claim in claims if claim["mandatory"]} == {
        "address", "municipality_code", "issuing_authority", "issuing_country",
    }  # fmt: skip


def test_the_verifiers_document() -> None:
    document = issuer_metadata.jwt_vc_issuer(issuer=ISSUER, keys=[{"kty": "EC"}])
    assert document == {"issuer": ISSUER, "jwks": {"keys": [{"kty": "EC"}]}}
