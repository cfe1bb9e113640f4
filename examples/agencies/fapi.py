"""What a FAPI 2.0 client needs beyond an ordinary OAuth library, to be copied by an agency's developer.

Three things, and they are one `httpx2.Auth`, so that any httpx2 client (authlib's too) can carry them:

* a client assertion made anew for every call to the PAR and token endpoints (RFC 7523; FAPI 2.0 §5.3.3.1),
* a DPoP proof made anew for every call, and a second try when the server asks for its nonce (RFC 9449 §8, §9),
* the pushed authorization request (RFC 9126), which turns an authorization URL into a short one.

    fapi = Fapi("my-client", issuer=..., client_key=..., dpop_key=...)
    url = await fapi.push(http, authorization_url, par_endpoint)  # then redirect the browser to it
    token = await oauth.fetch_token(..., auth=fapi.client())            # authlib, after the callback
    answer = await http.get(prefill_endpoint, auth=fapi.resource(token["access_token"]))
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Refused(Exception):
    """The server said no: `error` and `description` are its words (RFC 6749 §5.2)."""

    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


@dataclass
class Fapi:
    """One client at one issuer. `client_key` and `dpop_key` are P-256; `kid` names the first in the client's JWKS."""

    client_id: str
    issuer: str
    client_key: EllipticCurvePrivateKey
    kid: str
    dpop_key: EllipticCurvePrivateKey
    nonces: dict[str, str] = field(default_factory=dict)  # the last nonce each origin gave

    def client(self) -> "Signed":
        """Authentication for the PAR and token endpoints: assertion and DPoP proof."""
        return Signed(self, access_token=None)

    def resource(self, access_token: str) -> "Signed":
        """Authentication for a resource: the DPoP-bound access token and a proof with its hash."""
        return Signed(self, access_token=access_token)

    async def push(self, http: httpx2.AsyncClient, authorization_url: str, par_endpoint: str) -> str:
        """Push the request that `authorization_url` spells out; return the URL to send the browser to."""
        asked = dict(parse_qsl(urlsplit(authorization_url).query))
        answer = await http.post(par_endpoint, data=asked, auth=self.client())
        body = answer.json()
        if answer.status_code != 201:
            raise Refused(str(body.get("error", answer.status_code)), str(body.get("error_description", "")))
        short = urlencode({"client_id": self.client_id, "request_uri": body["request_uri"]})
        return f"{authorization_url.split('?', 1)[0]}?{short}"

    def assertion(self) -> str:
        """A client assertion for one call; its audience is the issuer, as one string."""
        claims: dict[str, str | int] = {"iss": self.client_id, "sub": self.client_id, "aud": self.issuer}
        claims |= {"jti": secrets.token_urlsafe(32), "iat": int(time.time()), "exp": int(time.time()) + 60}
        return jwt.encode(claims, self.client_key, algorithm="ES256", headers={"kid": self.kid})

    def proof(self, method: str, url: httpx2.URL, access_token: str | None) -> str:
        """A DPoP proof for one call (RFC 9449 §4.2)."""
        claims: dict[str, str | int] = {"jti": secrets.token_urlsafe(32), "htm": method, "iat": int(time.time())}
        claims["htu"] = str(url.copy_with(query=None, fragment=None))
        if nonce := self.nonces.get(origin(url)):
            claims["nonce"] = nonce
        if access_token:
            digest = hashlib.sha256(access_token.encode()).digest()
            claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        public = jwt.algorithms.ECAlgorithm.to_jwk(self.dpop_key.public_key(), as_dict=True)
        return jwt.encode(claims, self.dpop_key, algorithm="ES256", headers={"typ": "dpop+jwt", "jwk": public})


@dataclass
class Signed(httpx2.Auth):
    """Signs one call; when the server answers with a nonce to use, signs it once more."""

    requires_request_body = True
    requires_response_body = True
    fapi: Fapi
    access_token: str | None

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Sign, send, and repeat once when the answer is `use_dpop_nonce`; everything signed is made anew."""
        for _ in range(2):
            response = yield self.sign(request)
            if nonce := response.headers.get("dpop-nonce"):
                self.fapi.nonces[origin(request.url)] = nonce
            said = response.headers.get("www-authenticate", "") + response.text
            if response.status_code not in {400, 401} or "use_dpop_nonce" not in said:
                return

    def sign(self, request: httpx2.Request) -> httpx2.Request:
        """The request with its proof, and with a client assertion or the access token."""
        headers = {k: v for k, v in request.headers.items() if k.lower() not in {"content-length", "authorization"}}
        headers["DPoP"] = self.fapi.proof(request.method, request.url, self.access_token)
        if self.access_token:
            headers["Authorization"] = f"DPoP {self.access_token}"
            return httpx2.Request(request.method, request.url, headers=headers, content=request.content or None)
        form = dict(parse_qsl(request.content.decode())) | {"client_id": self.fapi.client_id}
        form |= {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.fapi.assertion()}
        return httpx2.Request(request.method, request.url, headers=headers, content=urlencode(form))


def origin(url: httpx2.URL) -> str:
    """Scheme, host and port: a nonce belongs to one server."""
    return f"{url.scheme}://{url.netloc.decode()}"
