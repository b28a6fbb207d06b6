"""Stories: which articles tell the same text

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("articles", sa.Column("story_id", sa.BigInteger(), nullable=True))
    op.add_column("articles", sa.Column("story_keys", sa.ARRAY(sa.BigInteger()), nullable=True))
    op.create_index("ix_articles_story", "articles", ["story_id", "published_at", "id"], postgresql_where=sa.text("story_id IS NOT NULL"))
    op.create_index("ix_articles_ungrouped", "articles", ["id"], postgresql_where=sa.text("story_keys IS NULL"))
    op.create_index("ix_articles_story_keys", "articles", ["story_keys"], postgresql_using="gin", postgresql_with={"fastupdate": "off"})


def downgrade() -> None:
    op.drop_index("ix_articles_story_keys", "articles")
    op.drop_index("ix_articles_ungrouped", "articles")
    op.drop_index("ix_articles_story", "articles")
    op.drop_column("articles", "story_keys")
    op.drop_column("articles", "story_id")
