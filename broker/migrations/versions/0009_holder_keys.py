"""The keys that a credential is bound to already, as codes: a key holds one credential."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "used_holder_key",
        sa.Column("key_mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key_mac"),
        sqlite_strict=True,
    )
