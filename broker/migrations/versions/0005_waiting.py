"""Requests that a person decides elsewhere: devices and the back channel."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INTEGER64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "waiting_request",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tx", sa.Text(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("user_code", sa.LargeBinary(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=True),
        sa.Column("interval", INTEGER64, nullable=False),
        sa.Column("due", INTEGER64, nullable=False),
        sa.Column("asked", INTEGER64, nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("id_hash"),
        sa.UniqueConstraint("tx"),
        sa.UniqueConstraint("user_code"),
        sqlite_strict=True,
    )
    op.create_table(
        "waiting_person",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.LargeBinary(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_waiting_person_owner"), "waiting_person", ["owner"], unique=False)
    op.create_table(
        "known_subject",
        sa.Column("sub_hash", sa.LargeBinary(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("sub_hash"),
        sqlite_strict=True,
    )
