"""What a client says when it asks behind the front: whom, with which words, until when, and how it is told (CIBA Core §7.1).

Whether there is such a person is told to nobody: a request about no one waits until its time is over (§13, FAPI-CIBA §7).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from broker.authorization.request import Unchecked
from broker.clients import display_name
from broker.clients.metadata import ClientMetadata
from broker.errors import Wire
from broker.parameters import Parameters

HINTS = ("login_hint", "id_token_hint", "login_hint_token")
MODES = ("poll", "ping")  # push is not offered (FAPI-CIBA §5.2.2)
MAX_MESSAGE = 80  # characters
LONGEST = 900  # seconds a request may wait
#: What authenticates the client may stand beside a signed request, and nothing else (CIBA Core §7.1.1).
BESIDE = frozenset({"request", "client_id", "client_secret", "client_assertion", "client_assertion_type"})
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{22,1024}=*", re.ASCII)  # RFC 6750 §2.1; 22 characters are 128 bits
_SECONDS = re.compile(r"[1-9][0-9]*", re.ASCII)


def one_hint(asked: Unchecked) -> Mapping[str, Any]:
    """Exactly one hint of whom to ask; tokens that only their issuer could read are not accepted here (CIBA Core §7.1)."""
    given = [name for name in HINTS if name in asked.parameters]
    if len(given) != 1:
        raise Wire("invalid_request", "exactly one of login_hint, id_token_hint and login_hint_token")
    if given == ["login_hint_token"]:
        raise Wire("invalid_request", "login_hint_token is not read here; use login_hint or id_token_hint")
    return {}


def message(asked: Unchecked) -> Mapping[str, Any]:
    """A few readable words that the person compares; a client of FAPI always gives some (CIBA Core §7.1, FAPI-CIBA §5.2.2)."""
    given = asked.parameters.get("binding_message")
    if given is None:
        if asked.client.profile != "baseline":
            raise Wire("invalid_binding_message", "binding_message is required for this client")
        return {}
    text = unicodedata.normalize("NFC", given).strip()
    if not 0 < len(text) <= MAX_MESSAGE:
        raise Wire("invalid_binding_message", f"binding_message is 1 to {MAX_MESSAGE} printable characters")
    try:
        display_name.check(text)
    except ValueError as problem:
        why = str(problem).replace("a name", "it")
        raise Wire("invalid_binding_message", f"binding_message: {why}") from problem
    return {"binding_message": text}


def notification_token(client: ClientMetadata, given: Parameters) -> str | None:
    """Return the bearer token for a ping; None for a client that only polls (CIBA Core §7.1, §10.2)."""
    if client.backchannel_token_delivery_mode != "ping":  # noqa: S105 - a mode's name
        return None
    token = given.get("client_notification_token", "")
    if len(token) > 1024 or not _TOKEN.fullmatch(token):
        raise Wire("invalid_request", "client_notification_token is 22 to 1024 characters of RFC 6750 section 2.1")
    return token


def lifetime(given: Parameters, ordinary: int) -> int:
    """Return for how many seconds a request waits: as asked, never longer than a quarter of an hour (CIBA Core §7.1)."""
    asked = given.get("requested_expiry")
    if asked is None:
        return ordinary
    if not _SECONDS.fullmatch(asked):
        raise Wire("invalid_request", "requested_expiry is a positive number of seconds")
    return LONGEST if len(asked) > len(str(LONGEST)) else min(int(asked), LONGEST)


def must_sign(client: ClientMetadata) -> bool:
    """Whether a client signs its requests: every one of FAPI, and whoever registered how (FAPI-CIBA §5.2.2, CIBA Core §4)."""
    return client.profile != "baseline" or client.backchannel_authentication_request_signing_alg is not None


def check_beside(given: Parameters) -> None:
    """Refuse what stands outside a signed request (CIBA Core §7.1.1)."""
    if not BESIDE.issuperset(given):
        raise Wire("invalid_request", "what is asked stands in the signed request and nowhere else")
