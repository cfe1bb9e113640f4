"""What several described endpoints say alike: chapters, proofs, refusals, a client's credentials."""

from __future__ import annotations

from broker.openapi.operation import OBJECT, Body, Field, Refusals

AUTHORIZATION, TOKENS, DATA, SIGNALS, CLIENTS, WALLETS, METADATA = (
    "Asking a person",
    "Tokens",
    "Data",
    "Signals",
    "Clients",
    "Wallets",
    "What this server is",
)
DPOP = Field("DPoP", "A fresh proof of possession (RFC 9449 §4); a nonce comes with the first refusal")
MAYBE_DPOP = Field("DPoP", "A proof of possession (RFC 9449 §5), where tokens are to be bound to its key")

MALFORMED = Refusals("The request is not one", ("invalid_request",))
NOT_CLIENT = Refusals("The client did not prove who it is", ("invalid_client",))
BAD_TOKEN = Refusals(
    "The token or its proof does not hold; the challenge says which", ("invalid_token", "invalid_dpop_proof", "use_dpop_nonce", "invalid_request", "insufficient_user_authentication")
)  # fmt: skip
UNATTESTED = ("invalid_client_attestation", "use_attestation_challenge", "use_fresh_attestation")
OUT_OF_SCOPE = Refusals("The token is for something else", ("insufficient_scope", "access_denied"))
BEARER = Refusals("The token of registration does not hold", ("invalid_token",))
TOO_LARGE = Refusals("The body is longer than 64 KiB", ("invalid_request",))
NO_FORM = Refusals("The body is not a form", ("invalid_request",))
NOT_THERE = Refusals("There is nothing under this address, or not any more", ("not_found",))
CREDENTIALS = (
    Field("client_id", "The client"),
    Field("client_assertion_type", "`urn:ietf:params:oauth:client-assertion-type:jwt-bearer`"),
    Field("client_assertion", "A fresh JWT signed by the client; `aud` is the issuer (RFC 7523 §3)"),
    Field("client_secret", "Only for clients that registered `client_secret_post`"),
)
DOCUMENT = {200: Body("A document, the same for everybody", schema=OBJECT)}
