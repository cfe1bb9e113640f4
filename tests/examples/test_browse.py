"""The browser without scripts that the walk uses: forms as people send them."""

import httpx2

from examples.browse import Browser

PAGE = """<!doctype html><h1>Hello <bdi>you</bdi></h1><p>other<form id="f" method="post" action="/there">
<input type="hidden" name="form_token" value="t"><input type="checkbox" name="item" value="a"><input type="checkbox" name="item" value="b" checked>
<input name="text" value="x &amp; y"><textarea name="long">
two
lines</textarea><input type="file" name="file"><button name="action" value="go">Go</button><button name="action" value="no">No</button></form>
<a href="/account/sharing/1">one</a><a href="/account/sharing/1">again</a>"""


def browser(asked: list[httpx2.Request]) -> Browser:
    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, html=PAGE)

    made = Browser()
    made.http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return made


def test_a_form_is_sent_with_what_it_holds_and_the_button_pressed() -> None:
    asked: list[httpx2.Request] = []
    page = browser(asked).open("https://a.example/here")
    assert page.heading == "Hello you"
    assert page.links("/sharing/") == ["https://a.example/account/sharing/1"]
    browser(asked).submit(page, "f", "go", item=["a", "b"])
    assert str(asked[-1].url) == "https://a.example/there"
    sent = httpx2.QueryParams(asked[-1].content.decode())
    assert sorted(sent) == ["action", "form_token", "item", "long", "text"]
    assert [sent[name] for name in ("form_token", "text", "long", "action")] == ["t", "x & y", "two\nlines", "go"]
    assert httpx2.QueryParams(asked[-1].content.decode()).get_list("item") == ["a", "b"]


def test_a_box_that_is_not_ticked_is_not_sent() -> None:
    asked: list[httpx2.Request] = []
    page = browser(asked).open("https://a.example/here")
    browser(asked).submit(page, "f", "no")
    assert httpx2.QueryParams(asked[-1].content.decode()).get_list("item") == ["b"]
