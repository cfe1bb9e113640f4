"""What is asked of a request that is decided elsewhere than at the client: on another device, behind the front (RFC 8628, CIBA Core)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.authorization.request import Unchecked
from broker.clients import profile
from broker.errors import Wire

Members = Mapping[str, Any]


def no_request(asked: Unchecked) -> Members:
    """A device says what it asks in the request itself (RFC 8628 §3.1)."""
    if {"request", "request_uri"} & set(asked.parameters):
        raise Wire("invalid_request", "a device's request is not signed")
    return {}


def for_devices(asked: Unchecked) -> Members:
    """The client was registered for devices; nobody is sent back anywhere (RFC 8628 §3.1, §5.4)."""
    return _without_redirect(asked, profile.DEVICE)


def for_backchannel(asked: Unchecked) -> Members:
    """The client was registered for asking people behind the front (CIBA Core §4, §7.1)."""
    return _without_redirect(asked, profile.CIBA)


def _without_redirect(asked: Unchecked, grant_type: str) -> Members:
    if not asked.client.may_use(grant_type):
        raise Wire("unauthorized_client", "the client is not registered for this flow")
    return {"client_id": asked.client.client_id, "redirect_uri": "", "code_challenge": None, "grant_type": grant_type}
