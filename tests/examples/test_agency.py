"""What the reference agency says when the broker sends somebody back without data: the true cause, in their language."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from broker.pages.citizen.not_possible import NOT_ELIGIBLE
from examples.agencies import relying_party
from examples.agencies.agency import KINDS, Agency, application
from examples.agencies.form import Form

ISSUER = "https://id.norr.example"
PROVEN = "unmet_authentication_requirements"


@pytest.fixture(params=["norr-childcare", "norr-planning"])
def agency(request: pytest.FixtureRequest, tmp_path: Path) -> Agency:
    return Agency.open(Form.load(request.param), issuer=ISSUER, url="http://127.0.0.1:8101", data=tmp_path)


def comes_back(agency: Agency, language: str = "en", **answer: str) -> Any:
    """The page of somebody whom the broker sent back."""
    visit_id = agency.visits.start()
    agency.visits.save(visit_id, {"asked": {"state": "s", "nonce": "n", "code_verifier": "v"}})
    query = urlencode({"state": "s", "iss": ISSUER, "lang": language, **answer})

    async def story() -> Any:
        transport = httpx2.ASGITransport(application(agency))
        cookies = {agency.form.client_id: visit_id}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8101", cookies=cookies
        ) as browser:
            return await browser.get(f"/callback?{query}")

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("answer", "kind", "en", "ar"),
    [
        ({"error": "access_denied"}, "refused", "You chose not to share", "اخترت عدم المشاركة"),
        ({"error": "access_denied", "error_description": NOT_ELIGIBLE}, "impossible", "A register says that this is not possible online", "يفيد أحد السجلات"),
        ({"error": PROVEN}, "unproven", "Your account cannot be used for this yet", "لا يمكن استخدام حسابك"),
        ({"error": "server_error"}, "failed", "Your data could not be fetched", "تعذّر جلب بياناتك"),
        ({"error": "server_error", "error_description": "<b>x</b>"}, "failed", "Your data could not be fetched", "تعذّر جلب بياناتك"),
    ],
)  # fmt: skip
def test_the_cause_that_is_told_is_the_cause(
    agency: Agency, answer: dict[str, str], kind: str, en: str, ar: str
) -> None:
    for language, said in (("en", en), ("ar", ar)):
        page = comes_back(agency, language, **answer)
        assert f'id="{kind}" role="alert"' in page.text
        assert said in page.text
        others = {"refused", "impossible", "unproven", "failed", "stopped"} - {kind}
        assert not [other for other in others if f'id="{other}"' in page.text]
        for raw in answer.values():
            assert raw not in page.text, "a code is nobody's language"


@pytest.mark.parametrize("language", ["en", "ar"])
def test_nobody_who_did_not_say_no_is_told_that_they_did(agency: Agency, language: str) -> None:
    words = agency.form.words(language)
    page = comes_back(agency, language, error="access_denied", error_description=NOT_ELIGIBLE)
    assert words["refused_title"] not in page.text
    assert words["refused_reason"] not in page.text


def test_every_kind_has_its_words(agency: Agency) -> None:
    for language in ("en", "ar"):
        words = agency.form.words(language)
        for kind in {*KINDS.values(), "failed"}:
            assert all(words[f"{kind}_{part}"] for part in ("title", "text", "reason"))


def test_the_broker_and_the_agency_mean_the_same() -> None:
    assert relying_party.NOT_ELIGIBLE == NOT_ELIGIBLE
