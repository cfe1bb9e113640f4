"""Credential requests: version 1.0 and nothing of its drafts (OpenID4VCI 1.0 §8.2)."""

from __future__ import annotations

from typing import Any

import pytest

from wallet import credential_request
from wallet.errors import InvalidCredentialRequest, InvalidEncryptionParameters, InvalidProof

BY_ID = {"credential_configuration_id": "residence"}
ONE = {"proofs": {"jwt": ["a.b.c"]}}


@pytest.mark.parametrize("body", [{**BY_ID, **ONE}, {**BY_ID, **ONE, "vendor": {"x": 1}}])
def test_read(body: dict[str, Any]) -> None:
    asked = credential_request.parse(body)
    assert (asked.configuration, asked.identifier, asked.proof) == ("residence", None, "a.b.c")


def test_read_by_identifier() -> None:
    assert credential_request.parse({"credential_identifier": "id-1", **ONE}).identifier == "id-1"


# fmt: off
REFUSED: list[tuple[str, Any, type[Exception]]] = [
    ("no object",                    [],                                                            InvalidCredentialRequest),
    ("null",                         None,                                                          InvalidCredentialRequest),
    ("N21 both identifiers",         {**BY_ID, "credential_identifier": "x", **ONE},                InvalidCredentialRequest),
    ("N21 neither identifier",       ONE,                                                           InvalidCredentialRequest),
    ("identifier is no text",        {"credential_identifier": 1, **ONE},                           InvalidCredentialRequest),
    ("identifier is null",           {"credential_configuration_id": None, **ONE},                  InvalidCredentialRequest),
    ("N11 two proof types",          {**BY_ID, "proofs": {"jwt": ["a"], "attestation": ["b"]}},     InvalidCredentialRequest),
    ("N11 singular proof",           {**BY_ID, "proof": {"proof_type": "jwt", "jwt": "a"}},         InvalidCredentialRequest),
    ("N11 singular beside proofs",   {**BY_ID, **ONE, "proof": {"proof_type": "jwt", "jwt": "a"}},  InvalidCredentialRequest),
    ("N11 format and vct",           {"format": "dc+sd-jwt", "vct": "urn:example:residence:1", **ONE}, InvalidCredentialRequest),
    ("N11 format beside id",         {**BY_ID, **ONE, "format": "dc+sd-jwt"},                       InvalidCredentialRequest),
    ("proofs is an array",           {**BY_ID, "proofs": ["a"]},                                    InvalidCredentialRequest),
    ("proofs is empty",              {**BY_ID, "proofs": {}},                                       InvalidCredentialRequest),
    ("jwt is empty",                 {**BY_ID, "proofs": {"jwt": []}},                              InvalidCredentialRequest),
    ("jwt is text",                  {**BY_ID, "proofs": {"jwt": "a.b.c"}},                         InvalidCredentialRequest),
    ("no proof",                     BY_ID,                                                         InvalidProof),
    ("type not advertised",          {**BY_ID, "proofs": {"di_vp": [{}]}},                          InvalidProof),
    ("attestation not advertised",   {**BY_ID, "proofs": {"attestation": ["a"]}},                   InvalidProof),
    ("N12 over the batch size",      {**BY_ID, "proofs": {"jwt": ["a", "b"]}},                      InvalidProof),
    ("proof is no text",             {**BY_ID, "proofs": {"jwt": [{}]}},                            InvalidProof),
    ("proof is huge",                {**BY_ID, "proofs": {"jwt": ["a" * 9000]}},                    InvalidProof),
    ("N22 encryption not offered",   {**BY_ID, **ONE, "credential_response_encryption": {}},        InvalidEncryptionParameters),
]
# fmt: on


@pytest.mark.parametrize(("why", "body", "expected"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(why: str, body: Any, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        credential_request.parse(body)
