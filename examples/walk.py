"""Walks the whole story without a browser: only the pages' forms, and ordinary libraries. Exit status 1 if anything is off.

    python examples/walk.py --issuer http://localhost:8000

It needs a running demo. Agencies and people are read from `{issuer}/sandbox/demo.json`.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import jwt
import pyotp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it also runs as a file

from examples import holder
from examples.browse import Browser, Page

CODE_SECONDS = 30
LEDGER_SECONDS = 10


class Off(Exception):
    """Something is not as the story says."""


def expect(fact: object, otherwise: str) -> None:
    """Stop the story when `fact` does not hold."""
    if not fact:
        raise Off(otherwise)


class Walk:
    """One person's way through the story."""

    def __init__(self, issuer: str, persona: str) -> None:
        self.issuer = issuer
        self.browser = Browser()
        self.http = httpx2.Client(timeout=30, trust_env=False)
        demo = self.fetch(f"{issuer}/sandbox/demo.json")
        expect(demo["issuer"] == issuer, "demo.json belongs to another issuer")
        self.agencies = {agency["id"]: agency["url"] for agency in demo["agencies"]}
        self.person = next(p for p in demo["personas"] if p["id"] == persona)
        self.metadata = self.fetch(f"{issuer}/.well-known/openid-configuration")
        self.keys = jwt.PyJWKSet.from_dict(self.fetch(self.metadata["jwks_uri"]))
        self.used_step = 0

    def fetch(self, url: str) -> Any:
        """A published JSON document."""
        return self.http.get(url).raise_for_status().json()

    def code(self) -> str:
        """A one-time code that was not used yet; waits for the next one when the last is spent."""
        while int(time.time()) // CODE_SECONDS == self.used_step:
            time.sleep(0.2)
        self.used_step = int(time.time()) // CODE_SECONDS
        return pyotp.TOTP(self.person["totp_secret"]).now()

    def enter_code(self, page: Page) -> Page:
        """Fill in the one-time code; once more with the next one when an earlier run has used this one."""
        after = self.browser.submit(page, "one-time-code", "continue", code=self.code())
        if after.has("one-time-code"):
            after = self.browser.submit(after, "one-time-code", "continue", code=self.code())
        return after

    # -- the story --------------------------------------------------------------------------------------------

    def childcare_form(self) -> str:
        """The childcare form asks the broker; the person signs in."""
        page = self.browser.open(f"{self.agencies['norr-childcare']}/")
        page = self.browser.submit(page, "prefill", "fill")
        expect(page.url.startswith(self.issuer), f"not at the broker but at {page.url}")
        person = {"username": self.person["username"], "password": self.person["password"]}
        page = self.browser.submit(page, "sign-in", "sign-in", **person)
        self.page = self.enter_code(page)
        if self.page.url.startswith(self.agencies["norr-childcare"]):  # nothing to ask: shared in an earlier walk
            self.stop_permission(self.visit("norr-childcare")["answer"]["grant_id"])
            again = self.browser.open(f"{self.agencies['norr-childcare']}/")
            self.page = self.browser.submit(again, "prefill", "fill")
        expect(self.page.has("consent"), f"no consent page but: {self.page.heading}")
        return f"signed in with password and code; the page asks: {self.page.heading}"

    def consent(self) -> str:
        """Every item stands there with its value; nothing optional is ticked; the person adds the bank account."""
        form = self.page.get("consent")
        boxes = form.find_all("input", type="checkbox", name="item")
        optional = [box["value"] for box in boxes]
        expect(sorted(optional) == ["contact.email", "contact.iban"], f"other optional items: {optional}")
        expect(not [box for box in boxes if "checked" in box], "an optional item is ticked already")
        labels = [b["value"] for b in form.find_all("button", name="decision")]
        expect(sorted(labels) == ["refuse", "share"], f"other decisions: {labels}")
        self.page = self.browser.submit(self.page, "consent", "share", item=["contact.iban"])
        expect(self.page.has("done"), f"no receipt but: {self.page.heading}")
        return f"shared with one optional item of two; receipt: {self.page.heading}"

    def filled(self) -> str:
        """The form is filled, and each value says where it comes from."""
        page = self.browser.submit(self.page, "done", "continue")
        expect(page.url == f"{self.agencies['norr-childcare']}/form", f"not back at the form but at {page.url}")
        values = self.filled_values(page)
        required = {"identity.given_name", "identity.family_name", "identity.birth_date", "address.registered"}
        required |= {"address.municipality", "family.custody", "income.taxable_band"}
        expect(set(values) == required | {"contact.iban"}, f"other fields are filled: {sorted(values)}")
        expect(all(values.values()), "a filled field is empty")
        self.childcare = self.verified_visit("norr-childcare")
        return f"{len(values)} fields filled, for example {values['identity.given_name']!r}"

    def filled_values(self, page: Page) -> dict[str, str]:
        """The fields that carry a register's value."""
        fields = [e for e in page.content if e.tag in {"input", "textarea"} and "data-source" in e]
        expect(all(f["data-source"] and f["data-as-of"] for f in fields if f["data-source"] != "account"), "no date")
        return {f["name"]: f["value"] if f.tag == "input" else f.text for f in fields}

    def visit(self, agency: str) -> dict[str, Any]:
        """What the agency holds about this browser's visit."""
        return dict(self.browser.http.get(f"{self.agencies[agency]}/visit.json").raise_for_status().json())

    def verified_visit(self, agency: str) -> dict[str, Any]:
        """What the agency holds; its ID token verified with PyJWT and the published keys (OIDC Core §3.1.3.7)."""
        visit = self.visit(agency)
        key = self.keys[jwt.get_unverified_header(visit["id_token"])["kid"]]
        token = jwt.decode(visit["id_token"], key, ["ES256"], audience=agency, issuer=self.issuer)
        expect(token["sub"] == visit["subject"], "the ID token is about somebody else")
        expect(visit["answer"]["ledger"]["seq"] > 0, "the answer has no place in the ledger")
        return visit

    def planning_form(self) -> str:
        """The second agency: no second identification, a new decision, no proof of address."""
        before = self.browser.open(f"{self.agencies['norr-planning']}/form")
        expect(before.content.find("input", name="proof-of-address"), "the empty form does not ask for the document")
        page = self.browser.submit(before, "prefill", "fill")
        expect(page.has("consent"), f"no consent page but: {page.heading}")
        page = self.browser.submit(page, "consent", "share")
        page = self.browser.submit(page, "done", "continue")
        expect("address.registered" in self.filled_values(page), "the address is not filled")
        expect(not page.content.find("input", name="proof-of-address"), "the proof of address is still asked for")
        visit = self.verified_visit("norr-planning")
        expect(visit["subject"] != self.childcare["subject"], "two agencies know the person by one name")
        return "no second sign-in; the address is filled, the proof of address no longer asked for"

    def account(self) -> str:
        """The person sees both permissions."""
        self.page = self.browser.open(f"{self.issuer}/account/sharing")
        cards = {e["data-permission"]: e.text for e in self.page.content if "data-permission" in e}
        self.childcare_id = self.childcare["answer"]["grant_id"]
        expect(self.childcare_id in cards, "the childcare permission is not in the account")
        expect(any("Building permit" in text for text in cards.values()), "the building permit is not in the account")
        history = self.browser.open(f"{self.issuer}/account/activity")
        expect(history.status == 200, "there is no activity page")
        return f"{len(cards)} permissions in the account"

    def asks_again(self) -> str:
        """While the permission lives, the agency may ask again."""
        page = self.browser.open(f"{self.agencies['norr-childcare']}/form")
        page = self.browser.submit(page, "refresh", "refresh")
        expect(page.has("refreshed"), f"the agency got nothing: {page.get('main').text[:120]}")
        return "the childcare office fetched the data again"

    def stop(self) -> str:
        """The person stops the first permission."""
        return self.stop_permission(self.childcare_id).heading

    def stop_permission(self, permission: str) -> Page:
        """From the list in the account to the page that says it is stopped."""
        page = self.browser.open(f"{self.issuer}/account/sharing")
        link = next(iter(page.links(f"/account/sharing/{permission}")), None)
        expect(link, "the permission has no page of its own")
        page = self.browser.open(str(link))
        page = self.browser.open(page.links("/stop")[0])
        page = self.browser.submit(page, "stop", "stop-sharing")
        expect(page.status == 200 and not page.has("problem"), f"not stopped: {page.heading}")
        return page

    def refused(self) -> str:
        """The agency's next call fails and says why."""
        page = self.browser.open(f"{self.agencies['norr-childcare']}/form")
        page = self.browser.submit(page, "refresh", "refresh")
        expect(page.has("stopped"), "the agency still gets data")
        reason = page.get("reason").text
        expect(reason, "the refusal gives no reason")
        return f"the childcare office is refused: {reason!r}"

    def wallet(self) -> str:
        """Proof of residence into a wallet: offer, fresh code, transaction code, credential."""
        page = self.browser.open(f"{self.issuer}/account/documents")
        page = self.browser.open(page.links("add-to-wallet")[0])
        page = self.browser.submit(page, "add-to-wallet", "offer")
        offer = page.get("credential-offer")["href"]
        picture = page.content.find("img")
        if picture is not None and "qr" in picture["src"]:
            expect(self.browser.http.get(urljoin(page.url, picture["src"])).status_code == 200, "no QR code")
        number = self.browser.open(page.links("code")[0])
        if number.has("one-time-code"):
            number = self.enter_code(number)
        held = holder.receive(offer, number.get("tx-code").text, http=self.http)
        claims = holder.verify(held.credential, self.http)
        expect(claims["exp"] - time.time() < 86_401, "the credential lives longer than a day")
        return f"a credential of type {claims['vct']}, verified, bound to the wallet's key"

    def ledger(self) -> str:
        """Anyone verifies the ledger from what is published."""
        semel = Path(sys.executable).with_name("semel")
        size, until = 0, time.monotonic() + LEDGER_SECONDS
        while size <= self.childcare["answer"]["ledger"]["seq"] and time.monotonic() < until:
            checkpoint = self.http.get(self.metadata["ledger_checkpoint_uri"]).raise_for_status().text
            size = int(checkpoint.split("\n")[1])
            time.sleep(0.2)
        done = subprocess.run(
            [semel, "ledger", "verify", f"{self.issuer}/ledger"], capture_output=True, text=True, check=False
        )
        expect(done.returncode == 0, f"the ledger does not verify: {done.stdout}{done.stderr}")
        return done.stdout.strip().splitlines()[-1]

    def steps(self) -> list[Callable[[], str]]:
        """The story in order."""
        story = [self.childcare_form, self.consent, self.filled, self.planning_form, self.account, self.asks_again]
        return [*story, self.stop, self.refused, self.wallet, self.ledger]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Walk the story of the demo through its pages")
    parser.add_argument("--issuer", default="http://localhost:8000")
    parser.add_argument("--persona", default="maria")
    given = parser.parse_args()
    name = "demo"
    try:
        for number, step in enumerate(Walk(given.issuer, given.persona).steps(), start=1):
            name = step.__name__
            print(f"{number:2}. {(step.__doc__ or '').strip()}\n    {step()}", flush=True)
    except (Off, LookupError, holder.Refused, httpx2.HTTPError, jwt.PyJWTError) as why:
        print(f"    OFF in {name}: {type(why).__name__}: {why}", file=sys.stderr)
        return 1
    print("All of it holds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
