"""Parameters: bounded, never twice the same name, whatever bytes come (RFC 6749 §3.1, §3.2; RFC 8707 §2)."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request

from broker import parameters
from broker.errors import Malformed

FORM = "application/x-www-form-urlencoded"


def request(*chunks: bytes, kind: str = FORM, query: bytes = b"", broken: bool = False) -> Request:
    """A request whose body comes in these pieces; `broken`: the caller hangs up before the last one is whole."""
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting.append({"type": "http.disconnect"} if broken else {"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    headers = [(b"content-type", kind.encode())] if kind else []
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query, "headers": headers}
    return Request({**scope, "server": ("broker.example", 443), "scheme": "https"}, receive)


def read(*chunks: bytes, **how: Any) -> parameters.Parameters:
    return asyncio.run(parameters.read(request(*chunks, **how)))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=%C3%A6+%26", {"a": "æ &"}),
        ("a=1&b=", {"a": "1"}),  # RFC 6749 §3.1: a parameter without a value counts as left out
        ("a", {}),
        ("", {}),
        ("a=1;b=2", {"a": "1;b=2"}),  # one separator only: two readers never disagree
        ("a==", {"a": "="}),
    ],
)
def test_what_is_read(text: str, values: dict[str, str]) -> None:
    assert dict(parameters.parse(text)) == values
    assert dict(read(text.encode())) == values


def test_the_few_that_may_repeat_keep_their_order() -> None:
    given = parameters.parse("resource=b&resource=a&item=x")
    assert given.all("resource") == ("b", "a")
    assert given.all("item") == ("x",)
    assert given.all("nothing") == ()
    assert given["resource"] == "b"


# fmt: off
REFUSED = [
    # where               what                                         status  says
    ("RFC 6749 §3.1",     b"code=1&code=1",                            400, "more than once"),
    ("RFC 6749 §3.1",     b"code=&code=1",                             400, "more than once"),
    ("RFC 6749 §3.1",     b"state=1&st%61te=2",                        400, "more than once"),
    ("RFC 6749 app. B",   b"a=%ff",                                    400, "cannot be read"),
    ("RFC 6749 app. B",   b"a=\xff",                                   400, "UTF-8"),
    ("RFC 6749 app. A",   b"a=%00",                                    400, "NUL"),
    ("bounded",           b"&".join(b"n%d=1" % n for n in range(101)), 400, "cannot be read"),
    ("bounded",           b"a=" + b"x" * parameters.MAX_BODY,          413, "too large"),
]
# fmt: on


@pytest.mark.parametrize(("section", "body", "status", "says"), REFUSED)
def test_refused(section: str, body: bytes, status: int, says: str) -> None:
    with pytest.raises(Malformed) as problem:
        read(body)
    assert problem.value.status == status, section
    assert says in problem.value.description
    assert problem.value.description.isascii()


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json", "multipart/form-data; boundary=x", FORM + "x"])
def test_another_content_type_is_not_read(kind: str) -> None:
    with pytest.raises(Malformed) as problem:
        read(b"a=1", kind=kind)
    assert problem.value.status == 415


def test_a_charset_beside_the_content_type_is_no_matter() -> None:
    assert read(b"a=1", kind="Application/X-WWW-Form-URLEncoded; charset=UTF-8")["a"] == "1"


def test_the_largest_body_fits_and_one_byte_more_is_refused_before_the_rest_is_read() -> None:
    assert len(read(b"a=", b"x" * (parameters.MAX_BODY - 2))["a"]) == parameters.MAX_BODY - 2
    body = request(b"a=", b"x" * parameters.MAX_BODY, b"never read", broken=True)
    with pytest.raises(Malformed, match="too large"):
        asyncio.run(parameters.body(body))


def test_a_body_that_ends_early_is_malformed() -> None:
    with pytest.raises(Malformed, match="ended early") as problem:
        read(b"a=1", broken=True)
    assert isinstance(problem.value.__cause__, ClientDisconnect)


def test_the_query_is_read_alike() -> None:
    assert dict(parameters.query(request(query=b"a=1&b=%20"))) == {"a": "1", "b": " "}
    with pytest.raises(Malformed, match="more than once"):
        parameters.query(request(query=b"a=1&a=1"))
    with pytest.raises(Malformed) as problem:
        parameters.query(request(query=b"a=" + b"x" * parameters.MAX_BODY))
    assert problem.value.status == 414


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """A reader of strangers' bytes never breaks; what it gives has each name once and no empty value."""
    try:
        given = read(body)
    except Malformed:
        return
    for name in given:
        assert given[name] != ""
        assert len(given.all(name)) == 1 or name in parameters.REPEATABLE
