"""Sign-ins that were ended, for every console of the desk and past its restart

Revision: 0018
Follows: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ended_sign_ins",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_ended_sign_ins")),
    )
    op.create_index("ix_ended_sign_ins_ended_at", "ended_sign_ins", ["ended_at"])


def downgrade() -> None:
    op.drop_table("ended_sign_ins")
