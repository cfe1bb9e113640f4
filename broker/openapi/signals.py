"""Security events for agencies, over one stream each (OpenID Shared Signals Framework 1.0, RFC 8936)."""

from __future__ import annotations

from broker.openapi.operation import (
    OBJECT,
    TEXT,
    URI,
    WHOLE,
    YES_OR_NO,
    Body,
    Field,
    Operation,
    Refusals,
    listed,
    one_of,
)
from broker.openapi.terms import BAD_TOKEN, DOCUMENT, DPOP, MALFORMED, NOT_THERE, OUT_OF_SCOPE, SIGNALS, TOO_LARGE

WHICH = Field("stream_id", "Which stream")
ID = Field("stream_id", "Which stream", TEXT, required=True)
WHOM = Field("subject", "The person, as this agency knows them: `iss_sub`", OBJECT, required=True)
WANTED = (
    Field("events_requested", "Types of events", listed(TEXT)),
    Field("delivery", "How they come", OBJECT),
    Field("description", "For people", TEXT),
)
STREAM = Body(
    "The stream",
    (
        Field("stream_id", "Its id", TEXT, required=True),
        Field("iss", "This issuer", URI, required=True),
        Field("aud", "The client", TEXT, required=True),
        Field("events_supported", "What there is", listed(TEXT), required=True),
        Field("events_delivered", "What comes", listed(TEXT), required=True),
        Field("delivery", "How it comes", OBJECT, required=True),
    ),
)
STATUS = Body(
    "The status",
    (
        Field("stream_id", "Which stream", TEXT, required=True),
        Field("status", "Whether events come", one_of("enabled", "paused", "disabled"), required=True),
        Field("reason", "Why"),
    ),
)
TOO_OFTEN = Refusals("Asked again too soon; `Retry-After` says when", ("too_many_requests",))
REFUSALS = {400: MALFORMED, 401: BAD_TOKEN, 403: OUT_OF_SCOPE, 404: NOT_THERE}
CHANGES = {**REFUSALS, 413: TOO_LARGE, 415: Refusals("The body is not JSON", ("invalid_request",))}

# fmt: off
ROWS: tuple[Operation, ...] = (
    Operation(
        "GET", "/ssf/streams", SIGNALS, "Read the stream", "OpenID Shared Signals Framework 1.0 §8.1.1.2", "own token",
        headers=(DPOP,), query=(WHICH,),
        answers={200: Body("The stream; a list of at most one when none is named", schema={"type": ["object", "array"]})},
        refusals=REFUSALS,
    ),
    Operation(
        "POST", "/ssf/streams", SIGNALS, "Make the stream", "OpenID Shared Signals Framework 1.0 §8.1.1.1", "own token",
        text="A client has one. What happened to a person it knows waits in it until it is fetched.",
        headers=(DPOP,), body=Body("What it wants", WANTED), answers={201: STREAM},
        refusals={**CHANGES, 409: Refusals("It has one", ("conflict",))},
    ),
    *(Operation(
        method, "/ssf/streams", SIGNALS, title, spec, "own token",
        headers=(DPOP,), body=Body("What it wants", (ID, *WANTED)), answers={200: STREAM}, refusals=CHANGES,
    ) for method, title, spec in (
        ("PATCH", "Change the stream", "OpenID Shared Signals Framework 1.0 §8.1.1.3"),
        ("PUT", "Replace the stream", "OpenID Shared Signals Framework 1.0 §8.1.1.4"),
    )),
    Operation(
        "DELETE", "/ssf/streams", SIGNALS, "Delete the stream", "OpenID Shared Signals Framework 1.0 §8.1.1.5", "own token",
        headers=(DPOP,), query=(WHICH,), answers={204: Body("It is gone, with what waited in it", media_types=())}, refusals=REFUSALS,
    ),
    Operation(
        "GET", "/ssf/status", SIGNALS, "Read the stream's status", "OpenID Shared Signals Framework 1.0 §8.1.2.1", "own token",
        headers=(DPOP,), query=(WHICH,), answers={200: STATUS}, refusals=REFUSALS,
    ),
    Operation(
        "POST", "/ssf/status", SIGNALS, "Pause or resume the stream", "OpenID Shared Signals Framework 1.0 §8.1.2.2", "own token",
        headers=(DPOP,), body=Body("The new status", (ID, Field("status", "The status", one_of("enabled", "paused", "disabled"), required=True), Field("reason", "Why"))),
        answers={200: STATUS}, refusals=CHANGES,
    ),
    Operation(
        "POST", "/ssf/subjects/add", SIGNALS, "Hear of a person again", "OpenID Shared Signals Framework 1.0 §8.1.3.2", "own token",
        headers=(DPOP,), body=Body("Whom", (ID, WHOM)), answers={200: Body("Done; whether there is such a person is not told", media_types=())}, refusals=CHANGES,
    ),
    Operation(
        "POST", "/ssf/subjects/remove", SIGNALS, "Hear nothing of a person", "OpenID Shared Signals Framework 1.0 §8.1.3.3", "own token",
        headers=(DPOP,), body=Body("Whom", (ID, WHOM)), answers={204: Body("Done", media_types=())},
        refusals={**CHANGES, 403: Refusals("Not with this token, or not one more", ("insufficient_scope", "too_many_subjects"))},
    ),
    Operation(
        "POST", "/ssf/verify", SIGNALS, "Ask for an event that proves the stream", "OpenID Shared Signals Framework 1.0 §8.1.4.2", "own token",
        headers=(DPOP,), body=Body("What it shall repeat", (ID, Field("state", "Comes back as it is"))),
        answers={204: Body("It is in the stream", media_types=())}, refusals={**CHANGES, 429: TOO_OFTEN},
    ),
    Operation(
        "POST", "/ssf/poll/{id}", SIGNALS, "Fetch events", "RFC 8936 §2", "own token",
        path_fields=(Field("id", "From the stream's `delivery`", TEXT, required=True),), headers=(DPOP,),
        body=Body("What was received, and how much more is wanted", (
            Field("ack", "The `jti` of what was received", listed(TEXT)), Field("setErrs", "By `jti`: what was wrong with it", OBJECT),
            Field("maxEvents", "At most so many", WHOLE), Field("returnImmediately", "Do not wait for something to happen", YES_OR_NO),
        )),
        answers={200: Body("What waits", (
            Field("sets", "By `jti`: signed events (RFC 8417)", OBJECT, required=True), Field("moreAvailable", "There is more", YES_OR_NO),
        ))},
        refusals={**CHANGES, 429: TOO_OFTEN},
    ),
    Operation("GET", "/.well-known/ssf-configuration", SIGNALS, "Transmitter metadata", "OpenID Shared Signals Framework 1.0 §7", "anyone", DOCUMENT),
    Operation("GET", "/events/grant-ended/v1", SIGNALS, "The schema of the event that a permission ended", "house", "anyone",
              {200: Body("A JSON Schema", schema=OBJECT, media_types=("application/schema+json",))}),
)
# fmt: on
