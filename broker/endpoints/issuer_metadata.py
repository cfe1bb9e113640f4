"""What wallets and verifiers read about the credential issuer (OpenID4VCI 1.0 §12.2; JWT VC Issuer Metadata, SD-JWT VC §4)."""

from __future__ import annotations

from starlette.requests import Request

from broker import needs
from broker.answers import Raw
from broker.endpoints import credential, nonce
from keys import canonical
from wallet import issuer_metadata
from wallet.credential_type import Label

PATH = issuer_metadata.CREDENTIAL_ISSUER
JWT_VC_ISSUER = issuer_metadata.JWT_VC_ISSUER
MAX_AGE = 300  # seconds; far less than a new key is announced before it signs
DISPLAY = (Label(locale="en", name="Semel"), Label(locale="ar", name="Semel"))


async def gather(request: Request) -> bytes:
    """Compute the credential issuer's metadata from the declared types."""
    wired = needs.parts(request)
    document = issuer_metadata.build(
        wired.credentials,
        issuer=wired.issuer,
        display=DISPLAY,
        credential_endpoint=wired.issuer + credential.PATH,
        nonce_endpoint=wired.issuer + nonce.PATH,
    )
    return canonical.dumps(document)


async def gather_keys(request: Request) -> bytes:
    """Take the public keys that sign credentials, every stage."""
    wired = needs.parts(request)
    keys = wired.keyring.jwks("credential")["keys"]
    return canonical.dumps(issuer_metadata.jwt_vc_issuer(issuer=wired.issuer, keys=keys))


def act(content: bytes, _now: int) -> Raw:
    """Publish it; any site's script may read it (a wallet in a browser does)."""
    headers = {
        "Cache-Control": f"public, max-age={MAX_AGE}",
        "Vary": "Accept, Accept-Language",
        "Access-Control-Allow-Origin": "*",
    }
    return Raw(content, "application/json", headers=headers)
