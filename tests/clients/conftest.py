"""One broker for all relying parties that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.certified import Certified
from tests.clients import service as services
from tests.clients.service import Client, Service, certified
from tests.world import free_ports

REFRESHING = {"grant_types": ["authorization_code", "refresh_token"]}
BASELINE: dict[str, Any] = {"profile": "baseline"}  # with the defaults of RFC 7591 §2
SECRET = "correct-secret_of.a~client" * 2
SIGNING = {"request_object_signing_alg": "ES256", "require_signed_request_object": True}
FILES = "https://files.agency.example/"
NAME = "vouched-for.agency.example"
MTLS: dict[str, Any] = {**REFRESHING, "tls_client_certificate_bound_access_tokens": True}


def clients(ca: Certified) -> dict[str, Client]:
    """Who asks here, each under its own use."""
    made = [
        Client("openid-client", REFRESHING),
        Client("message-signing", {**REFRESHING, **SIGNING, "authorization_signed_response_alg": "ES256"}),
        Client("oauth4webapi", REFRESHING),
        Client("oauth4webapi-jarm", {**REFRESHING, "authorization_signed_response_alg": "ES256"}),
        Client("self-signed", {**MTLS, "token_endpoint_auth_method": "self_signed_tls_client_auth"}),
        Client(
            "vouched-for", {**MTLS, "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": NAME}
        ),
    ]
    made += [
        Client(
            "apache",
            {**BASELINE, "redirect_uris": [f"http://127.0.0.1:{free_ports(1)}/members/callback"]},
            secret=SECRET,
        ),
        Client("details", REFRESHING),
        Client(
            "caller",
            {"grant_types": ["client_credentials"], "scope": "files:read", "calls": [FILES], "redirect_uris": []},
        ),
        Client("files", {"grant_types": [], "scope": "", "serves": [FILES], "redirect_uris": []}),
        Client("authlib", {**BASELINE, **REFRESHING}, secret=SECRET),
    ]
    made[4].certificate = certified("CN=self-signed")
    made[5].certificate = certified("CN=vouched-for", ca, names=(x509.DNSName(NAME),))
    return {client.client_id: client for client in made}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The broker behind its proxy."""
    folder: Path = tmp_path_factory.mktemp("peers")
    ca = certified("CN=Test authority", ca=True)
    with services.running(folder, ca, clients(ca)) as running:
        yield running
        running.last_look()
