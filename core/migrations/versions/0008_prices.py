"""Prices: a daily close of Bitcoin; indexes for what the Overview reads of articles

Revision: 0008
Follows: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prices",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("close", sa.Numeric(precision=20, scale=8), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("close > 0", name=op.f("ck_prices_above_zero")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_prices")),
    )
    op.create_index(
        "ix_articles_story_published",
        "articles",
        [sa.literal_column("published_at DESC"), "story_id", "publisher_id"],
        postgresql_where=sa.text("story_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_articles_story_published", "articles")
    op.drop_table("prices")
