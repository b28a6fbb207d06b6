"""Moving in: which rows of which other databases were imported

Revision: 0015
Follows: 0014
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "moves",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("identity", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("place", postgresql.JSONB(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moves")),
        sa.UniqueConstraint("identity", name=op.f("uq_moves_identity")),
    )
    op.create_table(
        "moved_rows",
        sa.Column("move_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=500), nullable=False),
        sa.Column("article_id", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["move_id"], ["moves.id"], name=op.f("fk_moved_rows_move_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_moved_rows_article_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("move_id", "kind", "key", name=op.f("pk_moved_rows")),
    )
    op.create_index(op.f("ix_moved_rows_article_id"), "moved_rows", ["article_id"])


def downgrade() -> None:
    op.drop_table("moved_rows")
    op.drop_table("moves")
