"""The documents' pages: who sees what, the square code, the number after a new one-time code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import zxingcpp

from broker.database import Database
from broker.people import people
from consent import ledger, ledger_entry
from tests.broker import issuing
from tests.broker.issuing import Issuer

holder = issuing.example_wallet()


@pytest.fixture
def issuer(database: Database, tmp_path: Path) -> Iterator[Issuer]:
    with issuing.running(database, tmp_path) as running:
        yield running


def seen(svg: bytes) -> str:
    """Paint the image's modules and let a scanner read them."""
    root = ElementTree.fromstring(svg)
    side = int(root.attrib["viewBox"].split()[2])
    dark = {(int(x), int(y)) for x, y in re.findall(r"M(\d+),(\d+)H", root[0].attrib["d"])}
    rows = [bytes(0 if (x // 8, y // 8) in dark else 255 for x in range(side * 8)) for y in range(side * 8)]
    (code,) = zxingcpp.read_barcodes(memoryview(b"".join(rows)).cast("B", shape=[side * 8, side * 8]))
    return str(code.text)


def test_the_square_code_says_what_the_link_says(issuer: Issuer) -> None:
    uri, page = issuer.offer()
    image = issuer.browser.get(re.search(r'<img class="semel-qr" src="([^"]+)"', page.text)[1])  # type: ignore[index]  # it is there
    assert image.headers["content-type"] == "image/svg+xml"
    assert image.headers["cache-control"] == "no-store"
    assert seen(image.content) == uri
    assert uri.startswith("openid-credential-offer://?credential_offer_uri=")


def test_the_number_is_on_no_other_page(issuer: Issuer) -> None:
    _, page = issuer.offer()
    number = issuer.tx_code(page)
    again = issuer.browser.get(page.url.path)
    assert number not in again.text.replace(" ", "")
    assert number not in issuer.browser.get(f"{page.url.path}/code").text
    assert "no-store" in again.headers["cache-control"]


def test_an_agency_that_calls_often_hides_no_document(issuer: Issuer) -> None:
    """records §3.2: what was added stays in sight, however much was entered after it."""
    issuer.offer()
    with issuer.parts.database.write() as tx:
        line = people.ledger_stream(tx, issuer.parts.vault, issuer.person_id)
        one = ledger_entry.access_previewed(line, entry_id="e", party="a", purpose="u@1", journey="j", items={})
        ledger.append(tx, [one] * 250, issuer.now)
    assert 'data-state="offered"' in issuer.browser.get("/account/documents").text


@pytest.mark.parametrize(("code", "status"), [("000000", 403), ("", 422), ("abc", 403)])
def test_no_number_without_a_good_one_time_code(issuer: Issuer, code: str, status: int) -> None:
    _, page = issuer.offer()
    answer = issuer.ask_tx_code(page, code)
    assert answer.status_code == status
    assert 'id="tx-code"' not in answer.text
    assert 'id="one-time-code"' in answer.text


def test_a_one_time_code_shows_the_number_once(issuer: Issuer) -> None:
    _, page = issuer.offer()
    code = issuer.one_time_code()
    assert 'id="tx-code"' in issuer.ask_tx_code(page, code).text
    assert issuer.ask_tx_code(page, code).status_code == 403


def test_guessing_one_time_codes_is_held_back(issuer: Issuer) -> None:
    _, page = issuer.offer()
    answers = [issuer.ask_tx_code(page, f"{number:06d}").status_code for number in range(7)]
    assert answers[0] == 403
    assert answers[-1] == 429


def test_a_new_number_replaces_the_old(issuer: Issuer) -> None:
    uri, page = issuer.offer()
    old, new = issuer.tx_code(page), issuer.tx_code(page)
    if old != new:
        with pytest.raises(holder.Refused, match="invalid_grant"):
            holder.receive(uri, old, http=issuer.wallet, clock=issuer.seconds)


def test_pressed_twice_it_is_one_offer(issuer: Issuer) -> None:
    first, second = issuer.offer(), issuer.offer()
    assert first[0] == second[0]
    assert issuer.types() == ["permission.given"]


@pytest.mark.parametrize("path", ["", "/qr.svg", "/code"])
def test_an_offer_is_its_persons(issuer: Issuer, path: str, database: Database) -> None:
    _, page = issuer.offer()
    assert issuer.wallet.get(page.url.path + path, follow_redirects=False).headers["location"] == "/sign-in"
    assert issuer.browser.get(page.url.path[:-1] + "x" + path).status_code == 404


@pytest.mark.parametrize("path", ["", "/qr.svg", "/code"])
def test_an_offer_ends(issuer: Issuer, path: str) -> None:
    _, page = issuer.offer()
    issuer.later(600)
    assert issuer.browser.get(page.url.path + path).status_code == 404


def test_the_list(issuer: Issuer) -> None:
    assert states(issuer) == []
    uri, page = issuer.offer()
    assert states(issuer) == ["offered"]
    number = issuer.tx_code(page)
    holder.receive(uri, number, http=issuer.wallet, clock=issuer.seconds)
    assert states(issuer) == ["issued"]


def states(issuer: Issuer) -> list[str]:
    return re.findall(r'data-state="([a-z]+)"', issuer.browser.get("/account/documents").text)


@pytest.mark.parametrize("document", ["nothing", "..%2Fresidence"])
def test_no_such_document(issuer: Issuer, document: str) -> None:
    assert issuer.browser.get(f"/account/documents/{document}/add-to-wallet").status_code == 404


def test_a_form_from_elsewhere_adds_nothing(issuer: Issuer) -> None:
    issuer.browser.get("/account/documents")
    path = "/account/documents/residence/add-to-wallet"
    assert issuer.browser.post(path, data={"form_token": "00"}).status_code == 403
    assert issuer.browser.post(path, data={}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert issuer.types() == []


def test_a_weak_sign_in_adds_nothing(database: Database, tmp_path: Path) -> None:
    with issuing.running(database, tmp_path, acr="low") as issuer:
        assert "residence/add-to-wallet" not in issuer.browser.get("/account/documents").text
        assert issuer.browser.get("/account/documents/residence/add-to-wallet").status_code == 403


@pytest.mark.parametrize(("language", "title"), [("en", "Proof of residence"), ("ar", "إثبات الإقامة")])
def test_in_both_languages(issuer: Issuer, language: str, title: str) -> None:
    page = issuer.browser.get(f"/account/documents/residence/add-to-wallet?lang={language}")
    assert title in page.text
