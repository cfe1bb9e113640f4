"""FAPI 2.0 with npm's `openid-client` and `oauth4webapi`: they check everything they are given, and so do we.

PAR, PKCE, `private_key_jwt` and DPoP with nonces, or a certificate; a plain response or a signed one (JARM); ID token, UserInfo,
data, refreshing, revocation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.clients import programs
from tests.clients.service import CALLBACK, ENCRYPTS, SIGNED_OUT, Client, Service

REQUIRED = {"identity.given_name", "identity.family_name", "identity.birth_date", "address.registered"}


def told(service: Service, client: Client) -> dict[str, Any]:
    """What an agency's developer configures."""
    about: dict[str, Any] = {
        "issuer": service.issuer,
        "client_id": client.client_id,
        "redirect_uri": CALLBACK,
        "scope": f"openid use:{client.use}",
        "jarm": "authorization_signed_response_alg" in client.members,
    }
    if client.client_id == "details":
        detail = {"type": f"{service.issuer}/rar/prefill/v1", "intended_use": client.use, "actions": ["read"]}
        about |= {"scope": "openid", "details": [detail]}
    about["signed_out"] = SIGNED_OUT
    about["signs"] = "request_object_signing_alg" in client.members
    names = ("id_token_signed_response_alg", "authorization_signed_response_alg")
    about["metadata"] = {"id_token_signed_response_alg": "ES256"} | {
        name: client.members[name] for name in names if name in client.members
    }
    if client.opens is not None:
        about["decrypts"] = client.opens.jwk_private | ENCRYPTS
        about["metadata"] |= {
            name: value for name, value in client.members.items() if name.startswith(("id_token", "userinfo"))
        }
    if client.certificate is None:
        return about | {"jwk": client.key.jwk_private}
    certificate, key = client.certificate.write(service.folder, client.client_id)
    text = {"certificate": certificate, "key": key, "ca": service.ca_file}
    return about | {name: Path(path).read_text() for name, path in text.items()}


@pytest.mark.parametrize(
    ("program", "client_id"),
    [
        ("openid_client", "openid-client"),
        ("openid_client", "message-signing"),
        ("openid_client", "details"),
        ("openid_client", "encrypted"),
        ("oauth4webapi", "oauth4webapi"),
        ("oauth4webapi", "oauth4webapi-jarm"),
        ("openid_client", "self-signed"),
        ("openid_client", "vouched-for"),
    ],
)
def test_the_whole_way(service: Service, program: str, client_id: str) -> None:
    client = service.clients[client_id]
    with programs.running(program, told(service, client), service.folder, service.ca_file) as agency:
        person = service.person()
        page = person.shares(agency.says()["url"])
        assert ("response=" in page.url) is ("authorization_signed_response_alg" in client.members)
        agency.hears(page.url)
        got = agency.says()
    assert got["claims"]["iss"] == service.issuer
    assert got["claims"]["sub"] == got["userinfo"]["sub"]
    bound = jwt.decode(got["access_token"], options={"verify_signature": False})["cnf"]
    if client.certificate is None:
        assert (got["type"], list(bound)) == ("dpop", ["jkt"])
    else:
        assert (got["type"], bound) == ("bearer", {"x5t#S256": client.certificate.x5t})
    for answered in (got["prefill"], got["again"]):
        assert answered["status"] == 200, answered
        items = answered["body"]["items"]
        assert {item for item in REQUIRED if items[item]["status"] == "provided"} == REQUIRED
    assert got["refused"]["error"] == "invalid_grant"
    if client_id == "details":
        assert got["details"][0]["type"] == f"{service.issuer}/rar/prefill/v1"
    if program == "oauth4webapi":
        assert got["nonces"] >= 1
    else:
        assert (got["parts"] == 5) is (client.opens is not None)  # so many has a JWE (RFC 7516 §7.1)
        assert (got["revoked"]["status"], got["revoked"]["error"]) == (401, "invalid_token")
    if client_id == "openid-client":  # OpenID Connect RP-Initiated Logout 1.0 §3
        left = person.submit(person.open(got["end"]), "logout", "sign-out")
        assert left.url == f"{SIGNED_OUT}?state=left"
        assert person.open(f"{service.issuer}/account").has("sign-in")


def test_machines(service: Service) -> None:
    """RFC 7591, RFC 6749 §4.4, RFC 8707, RFC 7662, RFC 9701, RFC 7009: no person in it."""
    caller, server = service.clients["caller"], service.clients["files"]
    registration = {"client_name": "Registered", "grant_types": ["client_credentials"], "response_types": []}
    registration |= {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256"}
    about = {"issuer": service.issuer, "client_id": caller.client_id, "jwk": caller.key.jwk_private}
    about |= {
        "server_id": server.client_id,
        "server_jwk": server.key.jwk_private,
        "resource": server.members["serves"][0],
    }
    about |= {"registration": {**registration, "jwks": {"keys": [caller.key.jwk]}}, "initial": service.initial}
    with programs.running("machine", about, service.folder, service.ca_file) as machine:
        got = machine.says()
    assert got["registered"]["client_name"] == "Registered"
    assert (got["itself"], got["type"]) == ("dpop", "dpop")
    assert got["before"]["active"] is True
    assert got["before"]["client_id"] == got["before"]["sub"] == "caller"
    assert got["before"]["aud"] == server.members["serves"][0]
    assert got["after"] == {"active": False}
    assert (got["unknown"]["error"], got["person"]["error"]) == ("invalid_target", "invalid_scope")
