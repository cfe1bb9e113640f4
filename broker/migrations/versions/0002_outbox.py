"""The outbox: letters to agencies, written where they are caused and sent afterwards."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INTEGER64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("position", INTEGER64, nullable=True),
        sa.Column("due", INTEGER64, nullable=False),
        sa.Column("expires", INTEGER64, nullable=False),
        sa.Column("attempts", INTEGER64, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("outbox_due", "outbox", ["state", "due"], unique=False)
    op.create_index("outbox_order", "outbox", ["client_id", "position"], unique=False)
