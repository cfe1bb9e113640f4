"""Where a session signed in to: sealed beside it, so that signing out can be told to those it concerns."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("session", sa.Column("relying_parties", sa.LargeBinary(), nullable=True))
