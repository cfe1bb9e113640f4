"""The client's logo where people sign in: ours to serve, of registered clients alone, and the name stands without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from broker.clients.logos import Logos
from broker.egress import Egress, EgressRefused, Reply
from examples.browse import Page
from tests.broker.clients.test_logo_image import SVG, drawn
from tests.broker.endpoints.test_authorize import Asking, arrive
from tests.broker.whole import Whole

ADDRESS = "https://norr-planning.example/logo.png"
OURS = "/clients/norr-planning/logo.png"


class Site(Egress):
    """The web of clients, with one picture in it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.asked = drawn(), 0

    async def request(self, method: str, url: str, *_: Any, **__: Any) -> Reply:  # type: ignore[override]  # the bounds are the caller's, and nothing is sent here
        self.asked += 1
        if url != ADDRESS:
            raise EgressRefused("unresolved")
        return Reply(200, {"content-type": "image/png"}, self.body)


@pytest.fixture
def site(whole: Whole) -> Site:
    web = Site()
    whole.give(outbound=replace(whole.parts.outbound, client_addresses=web))
    return web


@pytest.fixture
def asking(whole: Whole, site: Site) -> Asking:
    made = Asking(whole)
    made.registered(logo_uri=ADDRESS)
    return made


def signing_in(asking: Asking) -> Page:
    person = asking.whole.citizen()
    return person.open(arrive(person, asking.address()).headers["location"])


def test_it_stands_beside_the_name_and_comes_from_us(asking: Asking, site: Site) -> None:
    page = signing_in(asking)
    logo = page.content.find("img")
    assert logo is not None
    assert (logo["src"], logo["alt"]) == (OURS, ""), "the name is the text; the picture adds none"
    assert site.asked == 0, "the page waits for nobody"
    client = asking.whole.client()
    sent = client.get(OURS)
    assert (sent.status_code, sent.headers["content-type"]) == (200, "image/png")
    assert sent.headers["content-security-policy"] == "default-src 'none'"
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in sent.headers
    assert client.get(OURS).content == sent.content
    assert site.asked == 1
    shown = client.get(asking.address(), follow_redirects=True)
    assert "img-src 'self'" in shown.headers["content-security-policy"]
    assert ADDRESS not in shown.text


def test_where_there_is_none_the_name_stands_alone(asking: Asking, site: Site) -> None:
    site.body = SVG
    assert asking.whole.client().get(OURS).status_code == 404
    page = signing_in(asking)
    assert page.content.find("img") is None
    assert "sent you here" in page.content.text


@pytest.mark.parametrize("client_id", ["nobody", "strict", "..%2F..%2Fetc", "norr-planning%00", "x" * 4000])
def test_only_a_registered_logo_is_fetched(asking: Asking, site: Site, client_id: str) -> None:
    asking.registered(logo_uri=None)
    assert asking.whole.client().get(f"/clients/{client_id}/logo.png").status_code in {400, 404}
    assert site.asked == 0


def test_a_disabled_client_shows_none(asking: Asking, site: Site) -> None:
    asking.registered(logo_uri=ADDRESS, disabled=True)
    assert asking.whole.client().get(OURS).status_code == 404
    assert site.asked == 0


def test_no_address_of_the_askers_is_fetched(asking: Asking, site: Site) -> None:
    asking.whole.client().get(OURS, params={"logo_uri": "https://evil.example/x.png"})
    assert site.asked == 1


def test_one_memory_a_process(whole: Whole) -> None:
    assert whole.parts.logos is whole.parts.logos
    assert isinstance(whole.parts.logos, Logos)
