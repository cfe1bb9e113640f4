"""Who calls an endpoint of the back channel: its client, its token, and the certificate that a trusted proxy hands on (RFC 9440, RFC 8705).

A TLS connection ends at the proxy, so what was shown in its handshake comes in a header. From anybody else that header
means nothing, and without an origin where certificates are asked for (`SEMEL_MTLS_ORIGIN`) from nobody at all.
"""

from __future__ import annotations

from starlette.requests import Request

from broker import needs
from broker.clients import attestation, authentication, profile
from broker.clients.attestation import Attested
from broker.clients.authentication import Audiences, AuthenticatedClient
from broker.errors import Wire
from broker.parameters import Parameters
from broker.tokens import dpop, presented
from broker.tokens.dpop import VerifiedProof
from broker.tokens.presented import Presented
from keys import certificates
from keys import errors as keys_errors
from keys.certificates import Certificate

HEADER, CHAIN = "client-cert", "client-cert-chain"
TOKEN, PUSHED, BACKCHANNEL = "/token", "/par", "/backchannel_authentication"


def certificate(request: Request) -> Certificate | None:
    """Give the certificate that the client showed in its TLS handshake, if it did; nothing of it was checked yet.

    Raises `Wire` `invalid_request` for a header of the proxy's that cannot be read (RFC 9440 §2.2): it may hide another.
    """
    wired = needs.parts(request)
    direct = request.client.host if request.client else ""
    sent = request.headers.getlist(HEADER)
    if not sent or wired.registry.mutual_tls is None or direct not in wired.trusted_proxies:
        return None
    try:
        return certificates.from_header(",".join(sent), ",".join(request.headers.getlist(CHAIN)))
    except keys_errors.Malformed as problem:
        raise Wire("invalid_request", f"the client certificate cannot be read: {problem}") from problem


def addresses(request: Request, path: str) -> tuple[str, ...]:
    """Give every address of an endpoint: under the issuer, and where certificates are asked for (RFC 8705 §5)."""
    wired = needs.parts(request)
    offered = wired.registry.mutual_tls
    return (wired.issuer + path,) if offered is None else (wired.issuer + path, offered.origin + path)


async def client(request: Request, given: Parameters, now: int) -> AuthenticatedClient:
    """Find out which client sent a form; raises `Wire` `invalid_client` (401). `now` in microseconds."""
    wired = needs.parts(request)
    return await authentication.authenticate(
        given,
        request.headers.getlist("authorization"),
        registry=wired.registry,
        issuer=wired.issuer,
        now=now,
        certificate=certificate(request),
        attested=attested(request),
        audiences=_audiences(request, given),
    )


def _audiences(request: Request, given: Parameters) -> Audiences:
    """Say which addresses of ours a client's assertion may name here beside the issuer (CIBA Core §7.1, RFC 9126 §2)."""
    path, token_endpoint = request.url.path, addresses(request, TOKEN)
    asking = path == BACKCHANNEL or (path == TOKEN and given.get("grant_type") == profile.CIBA)
    return Audiences(
        baseline=(*token_endpoint, *(addresses(request, PUSHED) if path == PUSHED else ())),
        anyone=(*token_endpoint, *addresses(request, BACKCHANNEL)) if asking else (),
    )


def attested(request: Request) -> Attested:
    """Give a wallet's headers, sent or not."""
    headers = request.headers
    ring = needs.parts(request).roots.ring("attestation")
    return Attested(headers.getlist(attestation.ATTESTATION), headers.getlist(attestation.PROOF), ring)


def proof(request: Request, path: str, now: int) -> VerifiedProof:
    """Verify the DPoP proof of a request to the authorization server; raises `Wire` (400)."""
    wired = needs.parts(request)
    return dpop.verify(
        request.headers.getlist("dpop"),
        method=request.method,
        url=addresses(request, path),
        ring=wired.roots.ring("dpop-nonce"),
        now=now,
    )


def bound_to(request: Request, who: AuthenticatedClient | None, now: int) -> str | None:
    """Give the thumbprint of the certificate that a client's tokens are to be bound to, if they are (RFC 8705 §3).

    Raises `Wire` `invalid_request` when the client shows none, or one out of its time.
    """
    if who is None or not who.client.tls_client_certificate_bound_access_tokens:
        return None
    shown = certificate(request)
    if shown is None:
        raise Wire("invalid_request", "a client certificate is needed: this client's tokens are bound to it")
    try:
        shown.require_time(now)
    except keys_errors.InvalidCertificate as problem:
        raise Wire("invalid_request", str(problem)) from problem
    return shown.thumbprint


def token(request: Request, path: str, now: int, *, own: bool = False) -> Presented:
    """Verify the access token of a request to a resource, with whatever it is bound to; raises `Wire` (401). `own` as `presented.verify`."""
    wired = needs.parts(request)
    return presented.verify(
        request.headers.getlist("authorization"),
        request.headers.getlist("dpop"),
        method=request.method,
        url=addresses(request, path),
        keyring=wired.keyring,
        ring=wired.roots.ring("dpop-nonce"),
        issuer=wired.issuer,
        now=now,
        certificate=certificate(request),
        own=own,
    )
