"""The first schema: keys, ledger and permissions, wallet, and what is between two requests."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INTEGER64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ONLY_GROW = ("ledger_leaf", "ledger_batch")


def upgrade() -> None:
    _tables()
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _guard_sqlite() -> None:
    for table in ONLY_GROW:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
            )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION semel_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% only grows', TG_TABLE_NAME; END $$"
    )
    for table in ONLY_GROW:
        op.execute(
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION semel_append_only()"
        )


def _tables() -> None:
    op.create_table(
        "ledger_key",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("generation", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("kek", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "generation"),
        sqlite_strict=True,
    )
    op.create_table(
        "person_root",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kek", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("alg", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created", INTEGER64, nullable=False),
        sa.Column("staged", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("kid"),
        sqlite_strict=True,
    )
    op.create_index("signing_key_purpose", "signing_key", ["purpose", "stage"], unique=False)
    op.create_table(
        "ledger_batch",
        sa.Column("log_id", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("size", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("ts", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("log_id", "size"),
        sqlite_strict=True,
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("log_id", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("size", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", INTEGER64, nullable=False),
        sa.Column("cosigned_at", INTEGER64, nullable=True),
        sa.PrimaryKeyConstraint("log_id", "size"),
        sqlite_strict=True,
    )
    op.create_table(
        "ledger_event",
        sa.Column("log_id", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("seq", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("ts", INTEGER64, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("permission", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ct", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "seq"),
        sqlite_strict=True,
    )
    op.create_index("ledger_event_permission", "ledger_event", ["permission"], unique=False)
    op.create_table(
        "ledger_leaf",
        sa.Column("log_id", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("seq", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("kind", INTEGER64, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "seq"),
        sqlite_strict=True,
    )
    op.create_table(
        "ledger_once",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("seq", INTEGER64, nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_strict=True,
    )
    op.create_index("ledger_once_expires", "ledger_once", ["expires"], unique=False)
    op.create_table(
        "ledger_tag",
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("log_id", INTEGER64, nullable=False),
        sa.Column("seq", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("tag"),
        sqlite_strict=True,
    )
    op.create_table(
        "ledger_tile",
        sa.Column("log_id", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("level", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("idx", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "level", "idx"),
        sqlite_strict=True,
    )
    op.create_table(
        "notice",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_strict=True,
    )
    op.create_table(
        "permission",
        sa.Column("permission_id", sa.Text(), nullable=False),
        sa.Column("lookup", sa.LargeBinary(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("use_id", sa.Text(), nullable=False),
        sa.Column("use_version", INTEGER64, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.Column("notice_digest", sa.LargeBinary(), nullable=False),
        sa.Column("valid_from", INTEGER64, nullable=False),
        sa.Column("valid_to", INTEGER64, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uses", INTEGER64, nullable=False),
        sa.Column("max_uses", INTEGER64, nullable=True),
        sa.Column("given_seq", INTEGER64, nullable=False),
        sa.Column("ended_seq", INTEGER64, nullable=True),
        sa.Column("ended_at", INTEGER64, nullable=True),
        sa.PrimaryKeyConstraint("permission_id"),
        sqlite_strict=True,
    )
    op.create_index("permission_lookup", "permission", ["lookup"], unique=False)
    op.create_table(
        "stream",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("generation", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("log_id", INTEGER64, autoincrement=False, nullable=False),
        sa.Column("next_n", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "generation", "log_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "credential_offer",
        sa.Column("permission_id", sa.Text(), nullable=False),
        sa.Column("configuration", sa.Text(), nullable=False),
        sa.Column("lookup", sa.LargeBinary(), nullable=False),
        sa.Column("offer_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("page_box", sa.LargeBinary(), nullable=False),
        sa.Column("holder_box", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("tx_code_mac", sa.LargeBinary(), nullable=True),
        sa.Column("attempts", INTEGER64, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("permission_id"),
        sa.UniqueConstraint("code_hash"),
        sa.UniqueConstraint("offer_hash"),
        sa.UniqueConstraint("token_hash"),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_credential_offer_expires"), "credential_offer", ["expires"], unique=False)
    op.create_index(op.f("ix_credential_offer_lookup"), "credential_offer", ["lookup"], unique=False)
    op.create_table(
        "used_nonce",
        sa.Column("nonce_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("nonce_hash"),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_used_nonce_expires"), "used_nonce", ["expires"], unique=False)
    op.create_table(
        "activity",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("stream_hash", sa.LargeBinary(), nullable=False),
        sa.Column("ts", INTEGER64, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_activity_stream_hash"), "activity", ["stream_hash"], unique=False)
    op.create_table(
        "initial_access",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("uses_left", INTEGER64, nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
        sqlite_strict=True,
    )
    op.create_table(
        "install",
        sa.Column("only", INTEGER64, nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("created", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("only"),
        sqlite_strict=True,
    )
    op.create_table(
        "journey",
        sa.Column("journey_id", sa.Text(), nullable=False),
        sa.Column("session", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("handle_public", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_public", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("permission_id", sa.Text(), nullable=True),
        sa.Column("family", sa.Text(), nullable=True),
        sa.Column("acr", sa.Text(), nullable=False),
        sa.Column("previewed_entry", sa.Text(), nullable=True),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.Column("code_expires", INTEGER64, nullable=True),
        sa.Column("spent", INTEGER64, nullable=True),
        sa.PrimaryKeyConstraint("journey_id"),
        sa.UniqueConstraint("code_hash"),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_journey_permission_id"), "journey", ["permission_id"], unique=False)
    op.create_table(
        "person",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("username_mac", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("totp_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", INTEGER64, nullable=False),
        sa.Column("profile_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("proofing", sa.Text(), nullable=False),
        sa.Column("disabled", INTEGER64, nullable=False),
        sa.Column("created", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
        sa.UniqueConstraint("username_mac"),
        sqlite_strict=True,
    )
    op.create_table(
        "pushed_request",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tx", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=True),
        sa.Column("pushed", INTEGER64, nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.Column("closed", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("id_hash"),
        sa.UniqueConstraint("tx"),
        sqlite_strict=True,
    )
    op.create_table(
        "refresh_token",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("jkt", sa.Text(), nullable=True),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("created", INTEGER64, nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.Column("superseded", INTEGER64, nullable=True),
        sa.Column("successor", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("hash"),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_refresh_token_family"), "refresh_token", ["family"], unique=False)
    op.create_table(
        "registered_client",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("registered", sa.Text(), nullable=False),
        sa.Column("version", INTEGER64, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("client_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "replay",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("kind", "id_hash"),
        sqlite_strict=True,
    )
    op.create_table(
        "revoked_jti",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("hash"),
        sqlite_strict=True,
    )
    op.create_table(
        "sealed_for",
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", "public"),
        sqlite_strict=True,
    )
    op.create_index("sealed_for_public", "sealed_for", ["public"], unique=False)
    op.create_table(
        "sealed_row",
        sa.Column("row_id", sa.Text(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("found", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.Column("released", INTEGER64, nullable=False),
        sa.Column("family", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("row_id"),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_sealed_row_family"), "sealed_row", ["family"], unique=False)
    op.create_table(
        "session",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("acr", sa.Text(), nullable=False),
        sa.Column("amr", sa.Text(), nullable=False),
        sa.Column("auth_time", INTEGER64, nullable=False),
        sa.Column("fresh_code_at", INTEGER64, nullable=True),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created", INTEGER64, nullable=False),
        sa.Column("idle_until", INTEGER64, nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.Column("closed", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("id_hash"),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_session_person_id"), "session", ["person_id"], unique=False)
    op.create_table(
        "throttle",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("tat", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_strict=True,
    )
    op.create_table(
        "token_family",
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("permission_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("created", INTEGER64, nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.Column("ended", INTEGER64, nullable=True),
        sa.PrimaryKeyConstraint("family"),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_token_family_permission_id"), "token_family", ["permission_id"], unique=False)
