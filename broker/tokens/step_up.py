"""Asking for a stronger sign-in: the challenge of a resource whose data need more assurance (RFC 9470 §3)."""

from broker.errors import Wire
from broker.tokens.access_token import AccessToken
from consent.intended_use import ACR


def require(token: AccessToken, acr: str) -> None:
    """Return when a token's assurance reaches `acr`; raise `Wire` (401) saying what the client has to ask for."""
    reached = ACR.index(token.acr) if token.acr in ACR else -1
    if reached >= ACR.index(acr):
        return
    why = "a stronger sign-in is needed"
    said = f'error="insufficient_user_authentication", error_description="{why}", acr_values="{acr}"'
    raise Wire(
        "insufficient_user_authentication", why, status=401, headers={"WWW-Authenticate": f"{token.scheme} {said}"}
    )
