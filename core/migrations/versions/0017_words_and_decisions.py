"""Frequent words are looked for in a narrow table, and decisions of all time are sums

Revision: 0017
Follows: 0016

Both follow from what is there; they are filled here, and kept by triggers from then on. With a million articles this takes a minute.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SCRIPT = Path(__file__).resolve().parents[1] / "sql" / "0017.sql"
DECISIONS = ("accepted", "rejected", "unsure", "withdrawn")
TRIGGERS = {
    "articles": ("articles_new_words", "article_words_changed"),
    "standing_decisions": ("decisions_new", "decisions_changed", "decisions_gone"),
}
FUNCTIONS = (
    "on_articles_new_words",
    "on_article_words_changed",
    "on_decisions",
    "fold_decisions",
    "rebuild_decisions",
    "rebuild_words",
    "parts_of",
)


def upgrade() -> None:
    op.create_table(
        "article_words",
        sa.Column("article_id", sa.BigInteger(), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_article_words_article_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", name=op.f("pk_article_words")),
    )
    op.create_table(
        "decision_sums",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reviewer", sa.String(length=100), nullable=False),
        sa.Column("in_bulk", sa.Boolean(), nullable=False),
        sa.Column("about", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("decision", sa.Enum(*DECISIONS, name="decision", native_enum=False, length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("confidence", sa.Numeric(), nullable=False),
        sa.Column("error", sa.Numeric(), nullable=False),
        sa.Column("folded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_sums")),
    )
    op.create_index("ix_decision_sums_about", "decision_sums", ["about", "name"])
    op.create_index("ix_decision_sums_unfolded", "decision_sums", ["id"], postgresql_where=sa.text("NOT folded"))
    op.get_bind().exec_driver_sql(SCRIPT.read_text(encoding="utf-8"))
    op.execute("SELECT rebuild_words(), rebuild_decisions()")
    op.execute("ANALYZE article_words, decision_sums")


def downgrade() -> None:
    for table, triggers in TRIGGERS.items():
        for trigger in triggers:
            op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("decision_sums")
    op.drop_table("article_words")
