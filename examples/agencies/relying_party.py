"""The whole integration with the broker: push a request, redeem the code, verify the ID token, fetch the data.

authlib's OAuth client writes the request and redeems the code, `fapi.py` signs the calls, PyJWT verifies what comes
back. A developer of another agency can take this file and `fapi.py` and change the two lines with the scope.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx2
import jwt
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError

from examples.agencies.fapi import Fapi, Refused

SUBSTANTIAL = "http://eidas.europa.eu/LoA/substantial"
ID_TOKEN_CLAIMS = ["iss", "sub", "aud", "exp", "iat", "nonce", "sid"]
LOGOUT_CLAIMS = ["iss", "aud", "exp", "iat", "jti", "events", "sid"]
NOT_ELIGIBLE = "subject_not_eligible"  # beside `access_denied`: a register says so, the person said nothing
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True)
class RelyingParty:
    """One client of the broker; `visit` is what the agency keeps of one browser between two requests."""

    fapi: Fapi
    scope: str
    redirect_uri: str
    http: httpx2.AsyncClient

    def oauth(self) -> AsyncOAuth2Client:
        """authlib's client for one journey."""
        return AsyncOAuth2Client(
            self.fapi.client_id,
            scope=self.scope,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
            timeout=20,
            trust_env=False,
        )

    async def metadata(self) -> dict[str, Any]:
        """The broker's endpoints, found through discovery and nowhere else (OpenID Connect Discovery §4)."""
        answer = (await self.http.get(f"{self.fapi.issuer}/.well-known/openid-configuration")).raise_for_status().json()
        if answer["issuer"] != self.fapi.issuer:
            raise Refused("invalid_issuer", "the discovery document names another issuer")
        return dict(answer)

    async def fill(self, visit: dict[str, Any], language: str) -> str:
        """Push the request and return where to send the browser; the visit keeps what the callback will check."""
        server = await self.metadata()
        asked = {"code_verifier": generate_token(64), "nonce": generate_token(32)}
        async with self.oauth() as oauth:
            url, state = oauth.create_authorization_url(
                server["authorization_endpoint"], acr_values=SUBSTANTIAL, ui_locales=language, **asked
            )
        visit["asked"] = asked | {"state": state}
        return await self.fapi.push(self.http, url, server["pushed_authorization_request_endpoint"])

    async def callback(self, visit: dict[str, Any], url: str, query: Mapping[str, str]) -> None:
        """Redeem the code, verify the ID token, fetch the data: the visit then holds the answer and its access token."""
        asked = visit.pop("asked", None)
        if asked is None or not secrets.compare_digest(query.get("state", ""), asked["state"]):
            raise Refused("invalid_state", "this answer belongs to no request of this browser")
        if query.get("iss") != self.fapi.issuer:  # RFC 9207
            raise Refused("invalid_issuer", "the answer does not come from the broker")
        if "error" in query:
            raise Refused(query["error"], query.get("error_description", ""))
        server = await self.metadata()
        token = await self.redeem(server["token_endpoint"], url, asked)
        keys = (await self.http.get(server["jwks_uri"])).raise_for_status().json()
        claims = self.verify_id_token(token["id_token"], keys, asked["nonce"])
        visit |= {"access_token": token["access_token"], "id_token": token["id_token"]}
        visit |= {"subject": claims["sub"], "sid": claims["sid"]}
        await self.fetch(visit)
        if token["authorization_details"][0]["access"]["kind"] == "once":
            visit.pop("access_token")  # it was good for one answer

    async def redeem(self, endpoint: str, url: str, asked: dict[str, str]) -> dict[str, Any]:
        """The token response for the code in `url` (RFC 6749 §4.1.3), bound to this agency's key."""
        async with self.oauth() as oauth:
            try:
                token = await oauth.fetch_token(
                    endpoint,
                    authorization_response=url,
                    state=asked["state"],
                    code_verifier=asked["code_verifier"],
                    auth=self.fapi.client(),
                )
            except OAuthError as why:
                raise Refused(why.error, why.description or "") from why
        if token["token_type"].lower() != "dpop":
            raise Refused("invalid_token", "the access token is not bound to this agency's key")
        return dict(token)

    def verify_id_token(self, id_token: str, keys: dict[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of an ID token that PyJWT finds good (OpenID Connect Core §3.1.3.7)."""
        claims = self.verify(id_token, keys, ID_TOKEN_CLAIMS)
        if not secrets.compare_digest(claims["nonce"], nonce):
            raise Refused("invalid_nonce", "the ID token answers another request")
        return claims

    async def end_session(self, id_token: str, back: str) -> str:
        """Where to send the browser so that the person is asked to sign out there too (RP-Initiated Logout 1.0 §2)."""
        said = {"id_token_hint": id_token, "post_logout_redirect_uri": back}
        return f"{(await self.metadata())['end_session_endpoint']}?{urlencode(said)}"

    async def logged_out(self, token: str) -> str:
        """The session that has ended at the broker, by its `sid` (OpenID Connect Back-Channel Logout 1.0 §2.6)."""
        if jwt.get_unverified_header(token).get("typ") != "logout+jwt":
            raise Refused("invalid_request", "this is not a logout token")
        keys = (await self.http.get((await self.metadata())["jwks_uri"])).raise_for_status().json()
        claims = self.verify(token, keys, LOGOUT_CLAIMS)
        if LOGOUT not in claims["events"] or "nonce" in claims:
            raise Refused("invalid_request", "this is not a logout token")
        return str(claims["sid"])  # a second copy ends nothing more, so its `jti` need not be remembered

    def verify(self, token: str, keys: dict[str, Any], required: list[str]) -> dict[str, Any]:
        """The claims of a token that the broker signed for this agency."""
        key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
        ours, theirs = self.fapi.client_id, self.fapi.issuer
        return dict(jwt.decode(token, key, ["ES256"], {"require": required}, audience=ours, issuer=theirs))

    async def fetch(self, visit: dict[str, Any]) -> None:
        """Ask for the data. Every call is in the person's ledger, and is refused (401) once they stop sharing.

        The key makes a second try the same call: an answer that was lost on the way is given once more, also where the person
        allowed one answer only.
        """
        url, key = (await self.metadata())["prefill_endpoint"], {"Idempotency-Key": secrets.token_urlsafe(16)}
        for attempt in range(2):
            try:
                answer = await self.http.get(url, headers=key, auth=self.fapi.resource(visit["access_token"]))
                break
            except httpx2.TransportError:
                if attempt:
                    raise
        if answer.status_code == 401:
            visit.pop("access_token")
            raise Refused("stopped", challenge(answer.headers.get("www-authenticate", "")).get("error_description", ""))
        if answer.status_code == 403 and answer.json().get("error") == "access_denied":
            raise Refused("access_denied", NOT_ELIGIBLE)
        if answer.status_code != 200:
            raise Refused(str(answer.status_code), "the broker gave no data")
        visit |= {"answer": answer.json(), "fetched": datetime.now(UTC).isoformat()}


def challenge(header: str) -> dict[str, str]:
    """The parameters of a `WWW-Authenticate` header (RFC 9449 §7.1)."""
    pairs = (part.strip().partition("=") for part in header.partition(" ")[2].split('",'))
    return {name: value.strip('"') for name, _, value in pairs}
