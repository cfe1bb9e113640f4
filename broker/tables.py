"""The broker's own tables: what is between two requests of one story.

Every column is `Text`, `LargeBinary` or `Integer64`; times are microseconds since 1970, UTC; 0 and 1 are no and yes.
What identifies something secret (a cookie, a code, a `request_uri`) is kept as its SHA-256 only.
"""

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from broker import people_tables, waiting_tables
from keys.tables import Integer64

metadata = waiting_tables.metadata
waiting_request, waiting_person = waiting_tables.waiting_request, waiting_tables.waiting_person
known_subject = waiting_tables.known_subject
activation = people_tables.activation

install = Table(
    "install",
    metadata,
    Column("only", Integer64, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("created", Integer64, nullable=False),
    Column("mode", Text),  # as `semel init` was run; NULL where that was before it was recorded
    sqlite_strict=True,
)

person = Table(
    "person",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("username_mac", LargeBinary, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("totp_sealed", LargeBinary),
    Column("totp_step", Integer64, nullable=False, default=0),
    Column("profile_sealed", LargeBinary, nullable=False),
    Column("proofing", Text, nullable=False),
    Column("disabled", Integer64, nullable=False, default=0),
    Column("created", Integer64, nullable=False),
    sqlite_strict=True,
)

session = Table(
    "session",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    Column("person_id", Text, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("acr", Text, nullable=False),
    Column("amr", Text, nullable=False),
    Column("auth_time", Integer64, nullable=False),
    Column("fresh_code_at", Integer64),
    Column("secret", LargeBinary, nullable=False),
    Column("created", Integer64, nullable=False),
    Column("idle_until", Integer64, nullable=False),
    Column("expires", Integer64, nullable=False),
    Column("closed", Integer64, nullable=False, default=0),
    Column("relying_parties", LargeBinary),  # where it signed in to, sealed with the person's own key
    sqlite_strict=True,
)

handover = Table(
    "handover",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    Column("code_hash", LargeBinary, nullable=False, unique=True),
    Column("typed", LargeBinary, nullable=False, index=True),
    Column("box", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("person_id", Text),
    Column("acr", Text),
    Column("amr", Text),
    Column("auth_time", Integer64),
    Column("expires", Integer64, nullable=False),
    sqlite_strict=True,
)

throttle = Table(
    "throttle",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("tat", Integer64, nullable=False),
    sqlite_strict=True,
)

replay = Table(
    "replay",
    metadata,
    Column("kind", Text, nullable=False),
    Column("id_hash", LargeBinary, nullable=False),
    Column("expires", Integer64, nullable=False),
    PrimaryKeyConstraint("kind", "id_hash"),
    sqlite_strict=True,
)

activity = Table(
    "activity",
    metadata,
    Column("id", Text, primary_key=True),
    Column("stream_hash", LargeBinary, nullable=False, index=True),
    Column("ts", Integer64, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_strict=True,
)

pushed_request = Table(
    "pushed_request",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    Column("tx", Text, nullable=False, unique=True),
    Column("client_id", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("browser", LargeBinary),
    Column("pushed", Integer64, nullable=False),
    Column("expires", Integer64, nullable=False),
    Column("closed", Integer64, nullable=False, default=0),
    sqlite_strict=True,
)

journey = Table(
    "journey",
    metadata,
    Column("journey_id", Text, primary_key=True),
    Column("session", LargeBinary, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("handle_public", LargeBinary, nullable=False),
    Column("code_hash", LargeBinary, nullable=False, unique=True),
    Column("code_public", LargeBinary, nullable=False),
    Column("language", Text, nullable=False),
    Column("permission_id", Text, index=True),
    Column("family", Text),
    Column("acr", Text, nullable=False),
    Column("previewed_entry", Text),
    Column("expires", Integer64, nullable=False),
    Column("code_expires", Integer64),
    Column("spent", Integer64),
    sqlite_strict=True,
)

token_family = Table(
    "token_family",
    metadata,
    Column("family", Text, primary_key=True),
    Column("permission_id", Text, nullable=False, index=True),
    Column("client_id", Text, nullable=False),
    Column("created", Integer64, nullable=False),
    Column("expires", Integer64, nullable=False),
    Column("ended", Integer64),
    sqlite_strict=True,
)

sealed_row = Table(
    "sealed_row",
    metadata,
    Column("row_id", Text, primary_key=True),
    Column("person", LargeBinary, nullable=False),
    Column("found", LargeBinary, nullable=False),
    Column("day", Text, nullable=False),
    Column("expires", Integer64, nullable=False),
    Column("released", Integer64, nullable=False, default=0),
    Column("family", Text, index=True),
    sqlite_strict=True,
)

sealed_for = Table(
    "sealed_for",
    metadata,
    Column("row_id", Text, nullable=False),
    Column("public", LargeBinary, nullable=False),
    Column("box", LargeBinary, nullable=False),
    PrimaryKeyConstraint("row_id", "public"),
    sqlite_strict=True,
)

Index("sealed_for_public", sealed_for.c.public)

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("family", Text, nullable=False, index=True),
    Column("client_id", Text, nullable=False),
    Column("jkt", Text),
    Column("box", LargeBinary, nullable=False),
    Column("created", Integer64, nullable=False),
    Column("expires", Integer64, nullable=False),
    Column("superseded", Integer64),
    Column("successor", LargeBinary),
    sqlite_strict=True,
)

revoked_jti = Table(
    "revoked_jti",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("expires", Integer64, nullable=False),
    sqlite_strict=True,
)

registered_client = Table(
    "registered_client",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("registered", Text, nullable=False),  # canonical JSON, its secret as a hash
    Column("version", Integer64, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),  # of the registration access token (RFC 7592)
    Column("created", Integer64, nullable=False),
    sqlite_strict=True,
)

initial_access = Table(
    "initial_access",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("profile", Text, nullable=False),
    Column("uses_left", Integer64, nullable=False),
    Column("expires", Integer64, nullable=False),
    sqlite_strict=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("box", LargeBinary, nullable=False),  # what is sent, sealed
    Column("position", Integer64),  # only where the order counts
    Column("due", Integer64, nullable=False),  # of a claimed row the end of the lease
    Column("expires", Integer64, nullable=False),
    Column("attempts", Integer64, nullable=False),
    Column("state", Text, nullable=False),  # waiting, dead
    Column("error", Text),  # why it was not received, a word of a closed set
    sqlite_strict=True,
)

Index("outbox_due", outbox.c.state, outbox.c.due)
Index("outbox_order", outbox.c.client_id, outbox.c.position)

event_stream = Table(
    "event_stream",
    metadata,
    Column("stream_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False, unique=True),
    Column("alg", Text, nullable=False),
    Column("requested", Text),  # canonical JSON; NULL is everything
    Column("method", Text, nullable=False),
    Column("endpoint", Text),  # where tokens are pushed to
    Column("authorization", LargeBinary),  # the header that goes with them, sealed
    Column("description", Text),
    Column("status", Text, nullable=False),  # enabled, paused, disabled
    Column("reason", Text),
    Column("created", Integer64, nullable=False),
    Column("verified", Integer64),
    sqlite_strict=True,
)

security_event = Table(
    "security_event",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("stream_id", Text, nullable=False),
    Column("raised", Integer64, nullable=False),  # scattered: the very moment would join rows
    Column("box", LargeBinary, nullable=False),
    sqlite_strict=True,
)

Index("security_event_stream", security_event.c.stream_id, security_event.c.raised)

removed_subject = Table(
    "removed_subject",
    metadata,
    Column("stream_id", Text, nullable=False),
    Column("subject", LargeBinary, nullable=False),  # a keyed code
    PrimaryKeyConstraint("stream_id", "subject"),
    sqlite_strict=True,
)

grant_subject = Table(
    "grant_subject",
    metadata,
    Column("permission_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("box", LargeBinary, nullable=False),  # the subject that client knows, sealed
    Column("due", Integer64, index=True),
    sqlite_strict=True,
)
