"""Redirect URIs: exactly the registered one, and only safe ones can be registered (RFC 9700 §2.1, §4.1)."""

import pytest
from pydantic import ValidationError

from broker.authorization import redirect_uri
from tests.broker.relying import Key, client

REGISTERED = "https://rp.example/cb/path?tenant=1&x=2"
KEY = Key()


def test_the_registered_one() -> None:
    assert redirect_uri.check(client(KEY, redirect_uris=[REGISTERED]), REGISTERED) == REGISTERED


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(None, id="left out"),
        pytest.param("https://rp.example/cb/Path?tenant=1&x=2", id="case of the path"),
        pytest.param("https://rp.example/cb/path/?tenant=1&x=2", id="trailing slash"),
        pytest.param("https://rp.example/cb/path?tenant=1&x=2&y=3", id="one more query parameter"),
        pytest.param("https://rp.example/cb/path?x=2&tenant=1", id="query in another order"),
        pytest.param("https://rp.example/cb/path", id="without the query"),
        pytest.param("https://rp.example/cb/%2e%2e/path?tenant=1&x=2", id="encoded dot segment"),
        pytest.param("https://rp.example/cb/..;/path?tenant=1&x=2", id="dot segment with parameter"),
        pytest.param("https://rp.example//evil.example/cb/path?tenant=1&x=2", id="empty segment"),
        pytest.param("//evil.example/cb/path?tenant=1&x=2", id="no scheme"),
        pytest.param("https://rp.example\\@evil.example/cb/path?tenant=1&x=2", id="backslash"),
        pytest.param("https://rp.example/cb/path?tenant=1&x=2\t", id="tab"),
        pytest.param("https://rp.example/cb/path?tenant=1&x=2\r\n", id="line end"),
        pytest.param("https://rp@evil.example/cb/path?tenant=1&x=2", id="user name"),
        pytest.param("https://rp.example@evil.example/cb/path?tenant=1&x=2", id="host as user name"),
        pytest.param(REGISTERED + "#", id="bare fragment"),
        pytest.param("https://rp.example/cb/path;a=b?tenant=1&x=2", id="matrix parameter"),
        pytest.param("https://r\u0440.example/cb/path?tenant=1&x=2", id="look-alike letter"),
        pytest.param("https://xn--r-eza.example/cb/path?tenant=1&x=2", id="punycode look-alike"),
        pytest.param("https://rp.example:443/cb/path?tenant=1&x=2", id="the default port"),
        pytest.param("http://rp.example/cb/path?tenant=1&x=2", id="plain http"),
        pytest.param("HTTPS://rp.example/cb/path?tenant=1&x=2", id="case of the scheme"),
        pytest.param("https://RP.example/cb/path?tenant=1&x=2", id="case of the host"),
        pytest.param("https://rp.example./cb/path?tenant=1&x=2", id="dot after the host"),
        pytest.param("javascript:alert(1)", id="script"),
    ],
)
def test_anything_else_is_refused(asked: str | None) -> None:
    with pytest.raises(ValueError):
        redirect_uri.check(client(KEY, redirect_uris=[REGISTERED]), asked)


@pytest.mark.parametrize(
    ("asked", "good"),
    [
        ("http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1/cb", True),
        ("http://[::1]:51004/cb", False),
        ("http://127.0.0.1:51004/other", False),
        ("http://127.0.0.1:51004/cb?x=1", False),
        ("http://127.0.0.1:80@evil.example/cb", False),
        ("http://localhost:51004/cb", False),
        ("https://127.0.0.1:51004/cb", False),
        ("http://127.0.0.1:99999/cb", False),
    ],
)
def test_a_native_client_may_vary_the_port(asked: str, good: bool) -> None:
    """RFC 8252 §7.3: the port and nothing else, on this machine's literal address."""
    native = client(KEY, redirect_uris=["http://127.0.0.1/cb"], application_type="native")
    web = client(KEY, redirect_uris=["http://127.0.0.1/cb"])
    if good:
        assert redirect_uri.check(native, asked) == asked
    else:
        with pytest.raises(ValueError):
            redirect_uri.check(native, asked)
    if asked != "http://127.0.0.1/cb":
        with pytest.raises(ValueError):
            redirect_uri.check(web, asked)


@pytest.mark.parametrize("member", ["redirect_uris", "client_uri", "logo_uri", "tos_uri", "policy_uri"])
@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "http://rp.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://2130706433/cb",
        "https://rp@evil.example/cb",
        "https://rp.example/a/../cb",
        "https://rp.example/a/%2E%2e/cb",
        "https://rp.example/cb#x",
        "https://rp.example/c b",
        "https://rp.example:443/cb",
        "https://rp.example:/cb",
        "https:rp.example/cb",
        "https:///cb",
        "https://rp.exämple/cb",
        "https://rp.example/cb\\x",
        "https://rp.example:port/cb",
        "https://[::1/cb",
        "",
    ],
)
def test_unsafe_addresses_cannot_be_registered(member: str, address: str) -> None:
    """RFC 9700 §4.1, RFC 7591 §5."""
    with pytest.raises(ValidationError):
        client(KEY, **{member: [address] if member == "redirect_uris" else address})  # type: ignore[arg-type]  # any member
