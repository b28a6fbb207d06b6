"""The few articles that are samples or archived are found without reading the others

Revision: 0010
Follows: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FACETS = {"ix_articles_samples": "is_sample", "ix_articles_archived": "NOT is_active"}


def upgrade() -> None:
    for name, condition in FACETS.items():
        op.create_index(name, "articles", [sa.text("published_at DESC"), sa.text("id DESC")], postgresql_where=sa.text(condition))


def downgrade() -> None:
    for name in FACETS:
        op.drop_index(name, "articles")
