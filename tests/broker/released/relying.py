"""A website that only wants to know who you are: a `baseline` client with a secret, and one that cannot keep one."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx2
import jwt

from broker.clients import registered, secret
from broker.clients.metadata import ClientMetadata
from examples.browse import Page
from tests.actors import PLAYED, Citizen
from tests.broker.whole import ISSUER, Whole

CALLBACK = "https://library.example/callback"
SECRET, HASH = secret.make()
SCOPES = "openid profile email phone address"


@dataclass
class Website:
    """The client as its own program knows itself."""

    whole: Whole
    client_id: str
    confidential: bool = True
    asked: dict[str, str] = field(default_factory=dict)

    def address(self, **changed: str) -> str:
        """Where the person is sent: a plain request (OpenID Connect Core §3.1.2.1)."""
        verifier = secrets.token_urlsafe(48)
        self.asked = {
            "verifier": verifier,
            "state": PLAYED + secrets.token_urlsafe(9),
            "nonce": secrets.token_urlsafe(9),
        }
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        said = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid",
            "state": self.asked["state"],
            "nonce": self.asked["nonce"],
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{ISSUER}/authorize?{urlencode({**said, **changed}, quote_via=quote)}"

    def receives(self, page: Page) -> dict[str, str]:
        """What the browser brings back."""
        assert page.url.startswith(CALLBACK + "?"), f"not back at the website but at {page.url}: {page.heading}"
        said = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
        assert said["state"] == self.asked["state"]
        return said

    def redeem(self, code: str) -> httpx2.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        form |= {"code_verifier": self.asked["verifier"], "client_id": self.client_id}
        form |= {"client_secret": SECRET} if self.confidential else {}
        return self.whole.client().post("/token", data=form)

    def token(self, page: Page) -> dict[str, Any]:
        answer = self.redeem(self.receives(page)["code"])
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refresh(self, token: str, **more: str) -> dict[str, Any]:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.client_id, **more}
        answer = self.whole.client().post("/token", data={**form, "client_secret": SECRET})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def verified(self, id_token: str) -> dict[str, Any]:
        """The ID token's claims, found good by PyJWT."""
        keys = jwt.PyJWKSet.from_dict(self.whole.client().get("/jwks").json())
        key = keys[jwt.get_unverified_header(id_token)["kid"]]
        options: jwt.types.Options = {"verify_exp": False, "verify_iat": False}
        return dict(
            jwt.decode(
                id_token,
                key,
                ["RS256", "ES256", "PS256", "EdDSA"],
                audience=self.client_id,
                issuer=ISSUER,
                options=options,
            )
        )

    def userinfo(self, token: str, method: str = "GET") -> httpx2.Response:
        return self.whole.client().request(method, "/userinfo", headers={"Authorization": f"Bearer {token}"})

    def signs_in(self, person: Citizen, *ticked: str, press: str = "share", **changed: str) -> Page:
        """Go there, sign in, decide."""
        page = person.comes_from(self.address(**changed))
        return person.press(page, "consent", press, item=list(ticked)) if page.has("consent") else page


def website(whole: Whole, *, confidential: bool = True, name: str = "Norr library", **members: Any) -> Website:
    """Register one."""
    client_id = "c-" + secrets.token_hex(16)
    how = {"token_endpoint_auth_method": "client_secret_post", "client_secret_hash": HASH}
    if not confidential:
        how = {"token_endpoint_auth_method": "none"}
    client = ClientMetadata.model_validate(
        {
            "client_id": client_id,
            "client_name": name,
            "redirect_uris": [CALLBACK],
            "profile": "baseline",
            "scope": SCOPES,
            "grant_types": ["authorization_code", "refresh_token"],
            **how,
            **members,
        }
    )
    with whole.parts.database.write() as tx:
        registered.add(tx, client, "token", whole.clock())
    return Website(whole, client_id, confidential)


def claims(**places: Any) -> str:
    return json.dumps(places)
