"""The client code that agencies copy: everything signed is fresh, and a nonce is used when it is given."""

import base64
import hashlib
from urllib.parse import parse_qs

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from examples.agencies.fapi import Fapi, Refused

ISSUER = "https://id.example"


@pytest.fixture
def fapi() -> Fapi:
    return Fapi(
        "norr-childcare", ISSUER, ec.generate_private_key(ec.SECP256R1()), "k1", ec.generate_private_key(ec.SECP256R1())
    )


class Server:
    """Answers from a list, and keeps what it was asked."""

    def __init__(self, *answers: httpx2.Response) -> None:
        self.answers, self.asked = list(answers), []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        return self.answers.pop(0)

    @property
    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self))


def proof(request: httpx2.Request) -> dict:
    token = request.headers["DPoP"]
    key = jwt.PyJWK(jwt.get_unverified_header(token)["jwk"])
    return jwt.decode(token, key, ["ES256"])


def form(request: httpx2.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


WANTS_NONCE = httpx2.Response(400, json={"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": "n-1"})


@pytest.mark.anyio
async def test_a_push_is_signed_anew_with_the_nonce_it_was_given(fapi: Fapi) -> None:
    server = Server(WANTS_NONCE, httpx2.Response(201, json={"request_uri": "urn:x", "expires_in": 60}))
    url = await fapi.push(server.client, f"{ISSUER}/authorize?scope=openid&state=s%261", f"{ISSUER}/par")
    assert url == f"{ISSUER}/authorize?client_id=norr-childcare&request_uri=urn%3Ax"
    first, second = (form(request) for request in server.asked)
    assert second["state"] == "s&1"
    claims = [
        jwt.decode(sent["client_assertion"], fapi.client_key.public_key(), ["ES256"], audience=ISSUER)
        for sent in (first, second)
    ]
    assert claims[0]["jti"] != claims[1]["jti"]
    assert claims[1]["aud"] == ISSUER
    assert claims[1]["iss"] == claims[1]["sub"] == "norr-childcare"
    proofs = [proof(request) for request in server.asked]
    assert "nonce" not in proofs[0]
    assert proofs[1]["nonce"] == "n-1"
    assert proofs[0]["jti"] != proofs[1]["jti"]
    assert proofs[1]["htu"] == f"{ISSUER}/par"


@pytest.mark.anyio
async def test_a_nonce_is_asked_for_only_once(fapi: Fapi) -> None:
    server = Server(WANTS_NONCE, WANTS_NONCE, WANTS_NONCE)
    with pytest.raises(Refused, match="use_dpop_nonce"):
        await fapi.push(server.client, f"{ISSUER}/authorize?scope=openid", f"{ISSUER}/par")
    assert len(server.asked) == 2


@pytest.mark.anyio
async def test_a_refusal_is_told_in_the_servers_words(fapi: Fapi) -> None:
    body = {"error": "invalid_authorization_details", "error_description": "not registered: income.gross_annual"}
    with pytest.raises(Refused, match=r"income\.gross_annual"):
        await fapi.push(Server(httpx2.Response(400, json=body)).client, f"{ISSUER}/authorize?a=b", f"{ISSUER}/par")


@pytest.mark.anyio
async def test_a_resource_gets_the_token_and_a_proof_of_it(fapi: Fapi) -> None:
    server = Server(
        httpx2.Response(401, headers={"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": "n-2"}),
        httpx2.Response(200, json={}, headers={"DPoP-Nonce": "n-3"}),
    )
    async with server.client as http:
        await http.get(f"{ISSUER}/prefill?x=1", auth=fapi.resource("token"))
    proved = proof(server.asked[1])
    assert server.asked[1].headers["Authorization"] == "DPoP token"
    assert proved["htm"] == "GET"
    assert proved["htu"] == f"{ISSUER}/prefill"
    assert proved["nonce"] == "n-2"
    assert proved["ath"] == base64.urlsafe_b64encode(hashlib.sha256(b"token").digest()).rstrip(b"=").decode()
    assert fapi.nonces == {ISSUER: "n-3"}
    assert b"client_assertion" not in server.asked[1].content
