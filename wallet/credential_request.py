"""Reading a credential request: one configuration, one proof (OpenID4VCI 1.0 §8.2).

Only version 1.0 is understood. The forms of its drafts, a single `proof` or `format` with `vct`, are refused by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wallet.errors import InvalidCredentialRequest, InvalidEncryptionParameters, InvalidProof

MAX_PROOF = 8192
DRAFT_MEMBERS = ("proof", "format", "vct", "doctype", "credential_definition")


@dataclass(frozen=True)
class CredentialRequest:
    """What a wallet asks for: by configuration or by identifier (the other is None), with one proof of type `jwt`."""

    configuration: str | None
    identifier: str | None
    proof: str


def parse(body: Any) -> CredentialRequest:
    """Read the JSON body of a request; members it does not know are ignored.

    Raises `InvalidCredentialRequest` (not an object, both or neither of identifier and configuration, a draft's form,
    not exactly one proof type), `InvalidEncryptionParameters` (encryption is not offered), `InvalidProof` (no proof,
    another type than `jwt`, more than one: there is no batch).
    """
    if not isinstance(body, Mapping):
        raise InvalidCredentialRequest("the request must be a JSON object")
    drafts = [name for name in DRAFT_MEMBERS if name in body]
    if drafts:
        raise InvalidCredentialRequest(f"{drafts[0]} belongs to a draft; version 1.0 has proofs and configuration ids")
    configuration = _text(body, "credential_configuration_id")
    identifier = _text(body, "credential_identifier")
    if (configuration is None) == (identifier is None):
        raise InvalidCredentialRequest("exactly one of credential_configuration_id and credential_identifier is needed")
    if "credential_response_encryption" in body:
        raise InvalidEncryptionParameters("encrypted responses are not offered")
    return CredentialRequest(configuration, identifier, _proof(body))


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if name in body and (not isinstance(value, str) or not 0 < len(value) <= 256):
        raise InvalidCredentialRequest(f"{name} must be a short text")
    return value


def _proof(body: Mapping[str, Any]) -> str:
    if "proofs" not in body:
        raise InvalidProof("a proof is needed")
    proofs = body["proofs"]
    if not isinstance(proofs, Mapping) or len(proofs) != 1:
        raise InvalidCredentialRequest("proofs must be an object with exactly one member")
    ((kind, values),) = proofs.items()
    if kind != "jwt":
        raise InvalidProof("only proofs of type jwt are supported")
    if not isinstance(values, list) or not values:
        raise InvalidCredentialRequest("the proofs must be a non-empty array")
    if len(values) > 1:
        raise InvalidProof("one copy is issued for one proof; there is no batch")
    if not isinstance(values[0], str) or len(values[0]) > MAX_PROOF:
        raise InvalidProof("the proof must be a JWT")
    return values[0]
