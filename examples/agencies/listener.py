"""Hearing of what happens at the broker: one stream of security events, polled (OpenID Shared Signals Framework 1.0, RFC 8936).

    listener = Listener(fapi, http)
    await listener.tune_in([SESSION_REVOKED, f"{issuer}/events/grant-ended/v1"])
    while True:
        for event in await listener.listen():  # waits until there is something, half a minute at most
            ...                                # what is handled here is acknowledged by the next call

The client is registered with the scope `ssf.manage` and the grant type `client_credentials`. PyJWT verifies what comes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import jwt

from examples.agencies.fapi import Fapi, Refused

SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
CLAIMS = ["iss", "aud", "iat", "jti", "sub_id", "events"]
SECONDS = 40  # longer than the broker holds a poll back


@dataclass
class Listener:
    """One client's stream; `received` is acknowledged, `unusable` given back, by the next call."""

    fapi: Fapi
    http: httpx2.AsyncClient
    stream: dict[str, Any] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    unusable: dict[str, dict[str, str]] = field(default_factory=dict)
    token: str = ""
    token_ends: float = 0.0

    async def tune_in(self, wanted: Sequence[str]) -> None:
        """Make the stream, or change the one there is."""
        where = (await self.metadata("ssf-configuration"))["configuration_endpoint"]
        answer = await self.call("POST", where, {"events_requested": list(wanted)})
        if answer.status_code == 409:  # one stream a client
            (known,) = (await self.call("GET", where)).raise_for_status().json()
            named = {"stream_id": known["stream_id"], "events_requested": list(wanted)}
            answer = await self.call("PATCH", where, named)
        self.stream = dict(answer.raise_for_status().json())
        if self.stream["iss"] != self.fapi.issuer:
            raise Refused("invalid_issuer", "the stream is another issuer's")

    async def listen(self, *, wait: bool = True) -> list[dict[str, Any]]:
        """Acknowledge what came before, and return the events that came since, each verified."""
        said = {"ack": self.received, "setErrs": self.unusable, "returnImmediately": not wait}
        answer = await self.call("POST", self.stream["delivery"]["endpoint_url"], said)
        found = answer.raise_for_status().json()["sets"]
        self.received, self.unusable, events = [], {}, []
        keys = (
            (await self.http.get((await self.metadata("openid-configuration"))["jwks_uri"])).raise_for_status().json()
        )
        for jti, text in found.items():
            try:
                events.append(self.verify(text, keys))
                self.received.append(jti)
            except (jwt.PyJWTError, KeyError):
                self.unusable[jti] = {"err": "invalid_key", "description": "the token does not verify"}
        return events

    def verify(self, text: str, keys: dict[str, Any]) -> dict[str, Any]:
        """The claims of a security event token for this agency (RFC 8417 §2); it has no `exp` and is no other kind of token."""
        head = jwt.get_unverified_header(text)
        if head.get("typ") != "secevent+jwt":
            raise jwt.InvalidTokenError("not a security event token")
        key, ours, theirs = jwt.PyJWKSet.from_dict(keys)[head["kid"]], self.fapi.client_id, self.fapi.issuer
        return dict(jwt.decode(text, key, ["ES256"], {"require": CLAIMS}, audience=ours, issuer=theirs))

    async def metadata(self, name: str) -> dict[str, Any]:
        """One of the documents in which the broker says where everything is."""
        answer = (await self.http.get(f"{self.fapi.issuer}/.well-known/{name}")).raise_for_status().json()
        if answer["issuer"] != self.fapi.issuer:
            raise Refused("invalid_issuer", "the document names another issuer")
        return dict(answer)

    async def call(self, method: str, url: str, body: Any = None) -> httpx2.Response:
        """One call with a token of the agency's own (RFC 6749 §4.4), bound to its key."""
        if time.time() > self.token_ends - 30:
            asked = {"grant_type": "client_credentials", "scope": "ssf.manage"}
            endpoint = (await self.metadata("openid-configuration"))["token_endpoint"]
            given = (await self.http.post(endpoint, data=asked, auth=self.fapi.client())).raise_for_status().json()
            self.token, self.token_ends = given["access_token"], time.time() + given["expires_in"]
        return await self.http.request(method, url, json=body, auth=self.fapi.resource(self.token), timeout=SECONDS)
