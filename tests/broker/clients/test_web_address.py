"""How a policy names where a registered address lives (CSP level 3 §2.3.1)."""

import pytest

from broker import answers
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


# --- what is added to an address


APPENDED = [
    ("https://a.example/cb",                     "https://a.example/cb?code=1&state=s%26x"),
    ("https://a.example/cb?",                    "https://a.example/cb?code=1&state=s%26x"),
    ("https://a.example/cb?a=b",                 "https://a.example/cb?a=b&code=1&state=s%26x"),
    ("https://a.example/cb?a=b&",                "https://a.example/cb?a=b&code=1&state=s%26x"),
    ("https://a.example/cb?a=%2B&a=c",           "https://a.example/cb?a=%2B&a=c&code=1&state=s%26x"),
    ("https://a.example/cb?code=evil",           "https://a.example/cb?code=1&state=s%26x"),
    ("https://a.example/cb?%63ode=evil&a=b",     "https://a.example/cb?a=b&code=1&state=s%26x"),
    ("https://a.example/cb?state=x&code[]=evil", "https://a.example/cb?code=1&state=s%26x"),
]  # fmt: skip


@pytest.mark.parametrize(("address", "whole"), APPENDED)
def test_nothing_that_is_added_is_there_twice(address: str, whole: str) -> None:
    """RFC 6749 §3.1: no parameter more than once; §3.1.2: the query that was registered stays."""
    assert web_address.append(address, {"code": "1", "state": "s&x"}) == whole


def test_an_address_to_which_nothing_is_added_stays_as_it_is() -> None:
    for address in ("https://a.example/", "https://a.example/?a=b", "https://a.example/?"):
        assert web_address.append(address, {}) == address


RESERVED = [
    f"https://a.example/cb?{query}"
    for query in (
        "code=x", "state=x", "iss=x", "error=x", "error_description=x", "error_uri=x", "response=x", "session_state=x", "sid=x",
        "a=b&code=x", "a=b;state=x", "code", "code=", "%63ode=x", "c%6Fde=x", "code[]=x", "code%5B%5D=x", "+code=x", "%20iss=x",
    )
]  # fmt: skip
UNPRINTABLE = ["https://[2001:db8::1]/cb", "https://[2606:4700::1111]:8443/cb"]
AMBIGUOUS = [
    "https://[fe80::1%25eth0]/cb", "https://[fe80::1%eth0]/cb", "http://[::1%25lo]/cb", "https://[0:0:0:0:0:0:0:1]/cb",
    "https://2130706433/cb", "https://0x7f.1/cb", "https://127.1/cb", "https://a.example.1/cb", "https://a.example./cb",
    "https://a_b.example/cb", "https://a.example;evil/cb", "https://*.example/cb", "https://a.example'/cb",
]  # fmt: skip


@pytest.mark.parametrize("address", [*RESERVED, *UNPRINTABLE, *AMBIGUOUS])
def test_no_browser_is_sent_back_there(address: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        web_address.parse_return(address)


@pytest.mark.parametrize(
    "address", ["https://a.example/cb?codes=1&State=2&x_state=3", "http://[::1]:9/cb", "https://192.0.2.1/cb"]
)
def test_other_queries_and_hosts_stay_allowed(address: str) -> None:
    web_address.parse_return(address)
    assert answers.check_sources(web_address.policy_source(address)) is None


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("https://id.example/cb", True),
        ("https://id.example:8443/cb", False),
        ("https://mtls.id.example/cb", True),
        ("https://agency.example/cb", False),
        ("http://127.0.0.1:8000/cb", True),
        ("http://[::1]:8000/cb", True),
        ("http://127.0.0.1:8001/cb", False),
    ],
)
def test_our_own_origin_under_any_name(address: str, own: bool) -> None:
    ours = ["https://id.example", "https://mtls.id.example", "http://localhost:8000"]
    assert web_address.is_own(address, ours) is own
