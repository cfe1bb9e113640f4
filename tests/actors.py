"""The people and programs of a story: a citizen with a browser, an agency, a wallet's holder, a register's fault switch.

They know what anyone outside knows: published documents, pages and their forms. Nothing here comes from the product.
"""

import base64
import hashlib
import hmac
import json
import math
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx2
import jwt
import pyotp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from examples import holder
from examples.browse import Browser, Element, Page

SUBSTANTIAL = "http://eidas.europa.eu/LoA/substantial"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PLAYED = "played-"  # begins every `state` of an agency that a test plays itself
CODE_SECONDS = 30

Clock = Callable[[], float]


def row(page: Page, item: str) -> str:
    """What a page of a decision says about an item."""
    found = page.content.find(data_item=item)
    assert found is not None, f"no row for {item} on {page.url}: {page.heading}"
    return found.text


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


#: While a form is sent: its page's address and policy. Several hands may press at once.
UNDER: ContextVar[tuple[str, str] | None] = ContextVar("under", default=None)


class Walker(Browser):
    """A browser that notes every address it goes to, and stops at the door of an agency that the test plays itself.

    Like Chromium it follows the redirects of a form's answer only as far as the page's `form-action` lets them go.
    """

    def __init__(self, visited: list[str], address: str) -> None:
        self.visited, self.policies = visited, {}
        transport = httpx2.HTTPTransport(local_address=address)  # of this machine, so that nobody is taken for a crowd
        self.http = httpx2.Client(transport=transport, follow_redirects=False, timeout=30, trust_env=False)
        self.http.event_hooks["request"].append(lambda request: visited.append(str(request.url)))

    policies: dict[str, str]  # of each page's address, as it came last

    def submit(self, page: Page, form_id: str, button: str, **filled: str | list[str]) -> Page:
        under = UNDER.set((page.url, self.policies.get(page.url, "")))
        try:
            return super().submit(page, form_id, button, **filled)
        finally:
            UNDER.reset(under)

    def _page(self, answer: httpx2.Response) -> Page:  # type: ignore[override]  # follows redirects one by one
        for _ in range(20):
            if not answer.is_redirect:
                self.policies[str(answer.url)] = answer.headers.get("content-security-policy", "")
                return super()._page(answer)
            target = urljoin(str(answer.url), answer.headers["location"])
            under = UNDER.get()
            assert under is None or may_end(*under, target), f"a form on {under} ended at {target}"
            if parse_qs(urlsplit(target).query).get("state", [""])[0].startswith(PLAYED):
                self.visited.append(target)
                return Page(target, answer.status_code, Element("page", {}))
            answer = self.http.get(target)
        raise AssertionError("redirects without end")

    def post(self, url: str, **filled: Any) -> httpx2.Response:
        """Send a form nobody pressed a button of; the answer as it comes."""
        return self.http.post(url, data=filled)


def may_end(page: str, policy: str, target: str) -> bool:
    """Whether a form on a page under this policy may be sent to an address, or redirected to it (CSP level 3 §6.3.1)."""
    directives = {name: sources for name, *sources in (one.split() for one in policy.split(";") if one.strip())}
    if "form-action" not in directives:
        return True
    here, there = urlsplit(page), urlsplit(target)
    own = [f"{here.scheme}://{here.netloc}"] if "'self'" in directives["form-action"] else []
    return bool({f"{there.scheme}://{there.netloc}", f"{there.scheme}:"} & {*own, *directives["form-action"]})


@dataclass
class Secrets:
    """A person's one-time codes: each step once, also across browsers and tests."""

    secret: str
    clock: Clock
    used: int = 0

    def code(self) -> str:
        """A code that was not used yet; of the three that count now (RFC 6238 §5.2), else after waiting."""
        while True:
            now, gone = divmod(int(self.clock()), CODE_SECONDS)
            oldest = now - 1 if gone < CODE_SECONDS // 2 else now  # one that still counts when it arrives
            step = max(self.used + 1, oldest)
            if step <= now + 1:
                self.used = step
                return pyotp.TOTP(self.secret).at(step * CODE_SECONDS)
            time.sleep(0.2)


@dataclass
class Citizen:
    """A person as they are known in the demo, in one browser."""

    issuer: str
    person: dict[str, Any]
    codes: Secrets
    browser: Callable[[], Walker]  # a fresh one

    def __post_init__(self) -> None:
        self.walker = self.browser()

    def elsewhere(self) -> "Citizen":
        """The same person in another browser."""
        return Citizen(self.issuer, self.person, self.codes, self.browser)

    def open(self, url: str) -> Page:
        """Follow a link; a path is one of the broker's."""
        return self.walker.open(urljoin(self.issuer, url))

    def press(self, page: Page, form: str, button: str, **filled: str | list[str]) -> Page:
        """Press a button of a form."""
        return self.walker.submit(page, form, button, **filled)

    def fields(self, page: Page, form: str) -> dict[str, str]:
        """The hidden fields of a form, as a program would send them."""
        return {e["name"]: e["value"] for e in page.get(form).find_all("input", type="hidden")}

    def sign_in(self, page: Page | None = None) -> Page:
        """Sign in, with a code where one is asked for; from this page, or from the broker's own."""
        page = page or self.open("/sign-in")
        known = {"username": self.person["username"], "password": self.person["password"]}
        page = self.press(page, "sign-in", "sign-in", **known)
        return (
            self.press(page, "one-time-code", "continue", code=self.codes.code()) if page.has("one-time-code") else page
        )

    def comes_from(self, address: str) -> Page:
        """Arrive from an agency (its address for the browser) and sign in if asked to."""
        page = self.open(address)
        return self.sign_in(page) if page.has("sign-in") else page

    def goes_back(self, page: Page) -> Page:
        """Read that the service cannot be used, and press the button that leads back to it."""
        return self.press(page, "not-possible-back", "continue")

    def shares(self, page: Page, *items: str, **more: str) -> Page:
        """Press Share with these optional items ticked, then Continue; where the browser ends."""
        page = self.press(page, "consent", "share", item=list(items), **more)
        return self.press(page, "done", "continue")

    def sharing(self) -> dict[str, str]:
        """The permissions in the account, ended ones too: id to text."""
        page = self.open("/account/sharing")
        return {e["data-permission"]: e.text for e in page.content if "data-permission" in e}

    def activity(self) -> Page:
        """What happened, as the account tells it."""
        return self.open("/account/activity")

    def stops(self, permission: str, **more: str) -> Page:
        """Stop a permission in the account."""
        return self.press(self.open(f"/account/sharing/{permission}/stop"), "stop", "stop-sharing", **more)


@dataclass
class Agency:
    """An agency's program, played by the test: the same client as the demo's, with the same key."""

    client_id: str
    use: str
    url: str
    issuer: str
    key_file: Path
    http: httpx2.Client
    clock: Clock
    answers: list[dict[str, Any]]  # every data answer a client got, for the last look at the world
    dpop: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    nonce: str | None = None
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def callback(self) -> str:
        return f"{self.url}/callback"

    def metadata(self) -> dict[str, Any]:
        return dict(self.http.get(f"{self.issuer}/.well-known/openid-configuration").json())

    def request(self, **changed: str | None) -> dict[str, str]:
        """What an ordinary request says; `changed` replaces, adds, or (None) leaves out."""
        verifier = secrets.token_urlsafe(48)
        self.asked = {
            "verifier": verifier,
            "state": PLAYED + secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
        }
        said: dict[str, str | None] = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.callback,
            "scope": f"openid use:{self.use}",
            "state": self.asked["state"],
            "nonce": self.asked["nonce"],
            "code_challenge": b64(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "acr_values": SUBSTANTIAL,
        }
        return {name: value for name, value in (said | changed).items() if value is not None}

    def push(self, **changed: str | None) -> httpx2.Response:
        """Push a request (RFC 9126)."""
        return self.post("/par", self.request(**changed))

    def asks(self, **changed: str | None) -> str:
        """Push a request; the address for the person's browser."""
        pushed = self.push(**changed)
        assert pushed.status_code == 201, pushed.text
        return self.address(pushed.json()["request_uri"])

    def address(self, request_uri: str, client_id: str | None = None) -> str:
        said = {"client_id": client_id or self.client_id, "request_uri": request_uri}
        return f"{self.issuer}/authorize?{urlencode(said)}"

    def receives(self, page: Page) -> dict[str, str]:
        """What the browser brings back; `iss` and `state` are what they must be (RFC 9207)."""
        assert page.url.startswith(self.callback + "?"), f"not back at the agency but at {page.url}: {page.heading}"
        said = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
        assert said.pop("iss") == self.issuer
        assert said.pop("state") == self.asked["state"]
        return said

    def redeem(self, code: str, **changed: str) -> httpx2.Response:
        """Redeem a code (RFC 6749 §4.1.3)."""
        said = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback}
        return self.post("/token", said | {"code_verifier": self.asked["verifier"]} | changed)

    def token(self, page: Page) -> dict[str, Any]:
        """The token response for what the browser brings back, its ID token verified."""
        answer = self.redeem(self.receives(page)["code"])
        assert answer.status_code == 200, answer.text
        body = dict(answer.json())
        claims = self.verify(body["id_token"])
        assert claims["nonce"] == self.asked["nonce"]
        return body | {"subject": claims["sub"], "acr": claims["acr"]}

    def verify(self, id_token: str) -> dict[str, Any]:
        """An ID token's claims, found good by PyJWT (OpenID Connect Core §3.1.3.7)."""
        keys = jwt.PyJWKSet.from_dict(self.http.get(self.metadata()["jwks_uri"]).json())
        key = keys[jwt.get_unverified_header(id_token)["kid"]]
        options: jwt.types.Options = {"verify_exp": False, "verify_iat": False}  # PyJWT reads the machine's clock
        claims = jwt.decode(id_token, key, ["ES256"], audience=self.client_id, issuer=self.issuer, options=options)
        assert claims["iat"] <= self.clock() + 1 < claims.get("exp", math.inf)  # a signed data answer has no end
        return dict(claims)

    def own_token(self, scope: str = "ssf.manage") -> str:
        """A token for the agency itself (RFC 6749 §4.4)."""
        answer = self.post("/token", {"grant_type": "client_credentials", "scope": scope})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def data(self, token: str, **headers: str) -> httpx2.Response:
        """Call `/prefill`; a data answer carries a receipt that proves itself."""
        answer = self.call("GET", "/prefill", token=token, headers=headers)
        if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
            self.answers.append(answer.json() | {"client": self.client_id})
            check_receipt(answer.json()["ledger"], self.client_id)
        return answer

    def items(self, token: str) -> dict[str, dict[str, Any]]:
        """The items of a data answer that must come."""
        answer = self.data(token)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["items"])

    def post(self, path: str, form: dict[str, str]) -> httpx2.Response:
        """Call PAR or the token endpoint with a fresh assertion (RFC 7523) and proof."""
        return self.call("POST", path, form=form)

    def call(
        self,
        method: str,
        path: str,
        *,
        form: dict[str, str] | None = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        json: Any = None,
    ) -> httpx2.Response:
        """One signed call; again once when the server asks for its nonce (RFC 9449 §8, §9)."""
        for _ in range(2):
            sent = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
            sent["DPoP"] = self.proof(method, self.issuer + path, token)
            if token:
                sent["Authorization"] = f"DPoP {token}"
            data = (
                None
                if form is None
                else {**form, "client_assertion_type": ASSERTION, "client_assertion": self.assertion()}
            )
            answer = self.http.request(method, self.issuer + path, data=data, headers=sent, params=params, json=json)
            self.nonce = answer.headers.get("dpop-nonce", self.nonce)
            if "use_dpop_nonce" not in answer.text + answer.headers.get("www-authenticate", ""):
                break
        return answer

    def key(self) -> tuple[ec.EllipticCurvePrivateKey, str]:
        """The client's key and its `kid`, the RFC 7638 thumbprint."""
        key = load_pem_private_key(self.key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key, self.kid(holder.public_jwk(key))

    @staticmethod
    def kid(jwk: dict[str, str]) -> str:
        """The RFC 7638 thumbprint of a P-256 key."""
        members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
        return b64(hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest())

    def assertion(self) -> str:
        key, kid = self.key()
        now = int(self.clock())
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.issuer, "iat": now, "exp": now + 60}
        return jwt.encode(claims | {"jti": secrets.token_urlsafe(32)}, key, "ES256", headers={"kid": kid})

    def proof(self, method: str, url: str, token: str | None) -> str:
        claims = {"jti": secrets.token_urlsafe(32), "htm": method, "htu": url, "iat": int(self.clock())}
        claims |= {"nonce": self.nonce} if self.nonce else {}
        claims |= {"ath": b64(hashlib.sha256(token.encode()).digest())} if token else {}
        return jwt.encode(claims, self.dpop, "ES256", headers={"typ": "dpop+jwt", "jwk": holder.public_jwk(self.dpop)})


def check_receipt(receipt: dict[str, Any], client_id: str) -> None:
    """An agency's receipt proves itself: the published leaf commits to the body, and the body names the agency."""
    leaf, salt, body = unb64(receipt["leaf"]), unb64(receipt["salt"]), receipt["body"].encode()
    assert leaf[:1] == b"\x01"
    assert leaf[33:] == hmac.digest(salt, body, "sha256"), "the leaf does not commit to what the agency was told"
    assert json.loads(body)["party"] == client_id


@dataclass
class Holder:
    """A wallet: what the person scans and types goes in, a verified credential comes out."""

    http: httpx2.Client
    received: list[dict[str, Any]]

    def takes(self, offer: str, tx_code: str | None) -> holder.Held:
        """Take up an offer; raises `examples.holder.Refused`."""
        held = holder.receive(offer, tx_code, http=self.http)
        self.received.append(holder.verify(held.credential, self.http))
        return held


@dataclass
class Register:
    """The tax register's fault switch."""

    url: str
    http: httpx2.Client

    def fails(self, kind: str | None, seconds: float = 12.0) -> None:
        """From now on slow, down or malformed for everyone; None: no more."""
        told = self.http.put(f"{self.url}/fault", json={"fault": kind, "seconds": seconds})
        assert told.status_code == 200, told.text

    def asked(self) -> int:
        """How often it was asked about a person."""
        return int(self.http.get(f"{self.url}/asked").json()["count"])

    @contextmanager
    def failing(self, kind: str, seconds: float = 12.0) -> Iterator[None]:
        """It fails inside the block, and works again after it."""
        self.fails(kind, seconds)
        try:
            yield
        finally:
            self.fails(None)
