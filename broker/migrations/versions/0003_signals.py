"""Event streams, and the security events that wait in them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INTEGER64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "event_stream",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("alg", sa.Text(), nullable=False),
        sa.Column("requested", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column("authorization", sa.LargeBinary(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created", INTEGER64, nullable=False),
        sa.Column("verified", INTEGER64, nullable=True),
        sa.PrimaryKeyConstraint("stream_id"),
        sa.UniqueConstraint("client_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "security_event",
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("raised", INTEGER64, nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("jti"),
        sqlite_strict=True,
    )
    op.create_index("security_event_stream", "security_event", ["stream_id", "raised"], unique=False)
    op.create_table(
        "removed_subject",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "subject"),
        sqlite_strict=True,
    )
    op.create_table(
        "grant_subject",
        sa.Column("permission_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("due", INTEGER64, nullable=True),
        sa.PrimaryKeyConstraint("permission_id"),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_grant_subject_due"), "grant_subject", ["due"], unique=False)
