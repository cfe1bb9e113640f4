"""How a policy names where a registered address lives (CSP level 3 §2.3.1)."""

import pytest

from broker.clients import web_address
from broker.pages import render


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("https://agency.example/callback?to=here", "https://agency.example"),
        ("https://agency.example:8443/callback", "https://agency.example:8443"),
        ("http://127.0.0.1:51004/callback", "http://127.0.0.1:51004"),
        ("http://localhost:9/", "http://localhost:9"),
        ("http://[::1]:51004/callback", "http:"),  # no policy can spell it, and Chromium would block every answer
        ("com.example.app:/callback", "com.example.app:"),
        ("com.example.app:callback", "com.example.app:"),
    ],
)
def test_a_policy_names_every_address_a_form_may_end_at(address: str, named: str) -> None:
    assert web_address.policy_source(address) == named
    assert f"form-action 'self' {named};" in render.headers(named)["Content-Security-Policy"]
