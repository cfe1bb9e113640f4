"""One broker for all relying parties that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients import service as services
from tests.clients.service import Client, Service, certified

REFRESHING = {"grant_types": ["authorization_code", "refresh_token"]}
MTLS: dict[str, Any] = {**REFRESHING, "tls_client_certificate_bound_access_tokens": True}


def clients() -> dict[str, Client]:
    """Who asks here, each under its own use."""
    made = [
        Client("self-signed", {**MTLS, "token_endpoint_auth_method": "self_signed_tls_client_auth"}),
    ]
    made[0].certificate = certified("CN=self-signed")
    return {client.client_id: client for client in made}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The broker behind its proxy."""
    folder: Path = tmp_path_factory.mktemp("peers")
    with services.running(folder, clients()) as running:
        yield running
