"""Sign-ins that a phone hands to another screen."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INTEGER64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "handover",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("typed", sa.LargeBinary(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("acr", sa.Text(), nullable=True),
        sa.Column("amr", sa.Text(), nullable=True),
        sa.Column("auth_time", INTEGER64, nullable=True),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.PrimaryKeyConstraint("id_hash"),
        sa.UniqueConstraint("code_hash"),
        sqlite_strict=True,
    )
    op.create_index("ix_handover_typed", "handover", ["typed"], unique=False)
