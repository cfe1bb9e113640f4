"""The mode that a database was initialised in: what is enrolled in a sandbox must never be served as production."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("install", sa.Column("mode", sa.Text(), nullable=True))
