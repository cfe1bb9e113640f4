"""Why an address that a client named could not be read, in words for the client's developer (RFC 6749 §5.2 `error_description`).

What is told is a fixed sentence. Whether a name is known to our resolver and whether its address is a public one are one
sentence: nobody learns which names exist inside our network.
"""

from __future__ import annotations

from collections.abc import Mapping

from broker.egress import EgressRefused

UNREADABLE = "it could not be read"
NOT_PUBLIC = "its host has no public address that may be fetched from"
SENTENCES: Mapping[str, str] = {
    "url": "it is not an address that may be fetched",
    "host": NOT_PUBLIC,
    "unresolved": NOT_PUBLIC,
    "address": NOT_PUBLIC,
    "port": "its port may not be fetched from",
    "plain_http": "it must begin with https",
    "header": UNREADABLE,
    "redirect": "it answers with a redirect, which is not followed",
    "too_large": "its answer is too large",
    "encoding": "its answer is compressed, though that was not asked for",
    "media_type": "its answer has another content type than it must have",
    "timeout": "it did not answer in time",
    "busy": "too many addresses are being fetched at this moment; try again",
    "unreachable": "it cannot be reached, or does not answer with 200",
}


def sentence(problem: EgressRefused) -> str:
    """Return the sentence for a failed fetch; a general one for a reason that has none."""
    return SENTENCES.get(problem.reason, UNREADABLE)
