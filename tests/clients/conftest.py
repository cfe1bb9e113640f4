"""One broker for all relying parties that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.broker.relying import Key
from tests.certified import Certified
from tests.clients import service as services
from tests.clients.service import SIGNED_OUT, Client, Service, certified
from tests.world import free_ports

REFRESHING = {"grant_types": ["authorization_code", "refresh_token"]}
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
BEHIND: dict[str, Any] = {
    "grant_types": ["authorization_code", "urn:openid:params:grant-type:ciba"],
    "backchannel_token_delivery_mode": "poll",
    "backchannel_authentication_request_signing_alg": "ES256",
}
BASELINE: dict[str, Any] = {"profile": "baseline"}  # with the defaults of RFC 7591 §2
BY_BODY = {"token_endpoint_auth_method": "client_secret_post"}
BY_KEY = {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256"}
SECRET = "correct-secret_of.a~client" * 2
SIGNING = {"request_object_signing_alg": "ES256", "require_signed_request_object": True}
ENCRYPTED = {"userinfo_signed_response_alg": "ES256"}
for _answer in ("id_token", "userinfo"):
    ENCRYPTED |= {f"{_answer}_encrypted_response_alg": "ECDH-ES", f"{_answer}_encrypted_response_enc": "A256GCM"}
JARM = {"authorization_signed_response_alg": "ES256"}
FILES = "https://files.agency.example/"
NAME = "vouched-for.agency.example"
MTLS: dict[str, Any] = {**REFRESHING, "tls_client_certificate_bound_access_tokens": True}


def site(port: int) -> dict[str, Any]:
    """A web site on this machine (its Apache is started by its test)."""
    origin = f"http://127.0.0.1:{port}"
    callback = f"{origin}/members/callback"
    told = {"backchannel_logout_uri": f"{callback}?logout=backchannel", "post_logout_redirect_uris": [f"{origin}/"]}
    return {**BASELINE, "redirect_uris": [callback], **told}


def sign_in(port: int, callback: str) -> dict[str, Any]:
    """A web site on this machine that wants to know who somebody is, and nothing else."""
    return {**BASELINE, "redirect_uris": [f"http://127.0.0.1:{port}{callback}"], "scope": "openid profile email"}


def clients(below: Certified, port: int) -> dict[str, Client]:
    """Who asks here, each under its own use; web sites listen at `port` and the next four."""
    own, known = certified("CN=self-signed"), certified("CN=vouched-for", below, names=(x509.DNSName(NAME),))
    known = replace(known, chain=(below,))
    named = {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": NAME}
    machine: dict[str, Any] = {"redirect_uris": [], "grant_types": ["client_credentials"], "scope": "files:read"}
    made = [
        Client("openid-client", {**REFRESHING, "post_logout_redirect_uris": [SIGNED_OUT]}),
        Client("message-signing", {**REFRESHING, **SIGNING, **JARM}),
        Client("details", REFRESHING),
        Client("encrypted", {**REFRESHING, **ENCRYPTED}, opens=Key("e1")),
        Client("oauth4webapi", REFRESHING),
        Client("oauth4webapi-jarm", {**REFRESHING, **JARM}),
        Client("self-signed", {**MTLS, "token_endpoint_auth_method": "self_signed_tls_client_auth"}, certificate=own),
        Client("vouched-for", {**MTLS, **named}, certificate=known),
        Client("device", {"grant_types": ["authorization_code", DEVICE]}),
        Client("behind", BEHIND),
        Client("caller", {**machine, "calls": [FILES]}),
        Client("files", {**machine, "serves": [FILES]}),
        Client("apache", site(port), secret=SECRET),
        Client("apache-form", {**site(port + 1), **BY_BODY, "scope": "openid profile email"}, secret=SECRET),
        Client("oauth2-proxy", sign_in(port + 2, "/oauth2/callback"), secret=SECRET),
        Client("authjs", sign_in(port + 3, "/auth/callback/semel"), secret=SECRET),
        Client("passport", {**sign_in(port + 4, "/callback"), **BY_BODY}, secret=SECRET),
        Client("authlib", {**BASELINE, **REFRESHING}, secret=SECRET),
        Client("authlib-post", {**BASELINE, **REFRESHING, **BY_BODY}, secret=SECRET),
        Client("authlib-key", {**BASELINE, **REFRESHING, **BY_KEY}),
        Client("authlib-public", {**BASELINE, **REFRESHING, "token_endpoint_auth_method": "none"}),
    ]
    return {client.client_id: client for client in made}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The broker behind its proxy."""
    folder: Path = tmp_path_factory.mktemp("peers")
    ca = certified("CN=Test authority", ca=True)
    below = certified("CN=Test authority for agencies", ca, ca=True)
    first = free_ports(services.PORTS + 5)
    asking = clients(below, first + services.PORTS)
    with services.running(folder, [ca, below], asking, first) as running:
        yield running
        running.last_look()
