"""Lists and counts that stay fast at any size: a narrow list of articles, roll-ups by day, indexes for each order

Revision: 0006
Follows: 0005

Everything new follows from what is there; it is filled here, and kept by triggers from then on.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCRIPT = Path(__file__).resolve().parents[1] / "sql" / "0006.sql"
KINDS = ("weak_signal", "pattern_anomaly", "adjacent_connection", "narrative_gap", "edge_indicator")
VERDICTS = ("VALIDATED", "CONTRADICTED", "INCONCLUSIVE", "INSUFFICIENT_DATA")
DECISIONS = ("accepted", "rejected", "unsure", "withdrawn")
SIGNAL_SEARCH = (
    "to_tsvector('english', coalesce(corrected_description, description) || ' ' || implications || ' '"
    " || coalesce(corrected_category, category))"
)


def upgrade() -> None:
    _new_tables()
    op.add_column("signals", sa.Column("publisher_id", sa.BigInteger(), nullable=True))
    op.add_column("signals", sa.Column("published_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("signals", sa.Column("is_sample", sa.Boolean(), nullable=True))
    op.add_column("signals", sa.Column("batch_id", sa.BigInteger(), nullable=True))
    op.add_column("signals", sa.Column("search", postgresql.TSVECTOR(), sa.Computed(SIGNAL_SEARCH, persisted=True), nullable=False))
    op.get_bind().exec_driver_sql(SCRIPT.read_text(encoding="utf-8"))
    op.execute("ALTER TABLE signals DISABLE TRIGGER signals_changed")
    op.execute("SELECT rebuild_lists()")
    op.execute("ALTER TABLE signals ENABLE TRIGGER signals_changed")
    for name in ("publisher_id", "published_at", "is_sample", "batch_id"):
        op.alter_column("signals", name, nullable=False)
    _indexes()
    op.execute("ANALYZE articles, article_list, article_cells, signals, publisher_days, signal_days")


def _new_tables() -> None:
    op.create_table(
        "article_cells",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("publisher_id", sa.BigInteger(), nullable=False),
        sa.Column("analysed_with", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("thousands", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_sample", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article_cells")),
        sa.UniqueConstraint(
            "publisher_id",
            "analysed_with",
            "thousands",
            "is_active",
            "is_sample",
            name=op.f("uq_article_cells_publisher_id_analysed_with_thousands_is_active_is_sample"),
        ),
    )
    op.create_table(
        "article_list",
        sa.Column("article_id", sa.BigInteger(), nullable=False),
        sa.Column("cell_id", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body_chars", sa.Integer(), nullable=False),
        sa.Column("promise", sa.Float(), nullable=False),
        sa.Column("story_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_article_list_article_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", name=op.f("pk_article_list")),
    )
    op.create_table(
        "standing_decisions",
        sa.Column("signal_id", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reviewer", sa.String(length=100), nullable=False),
        sa.Column("in_bulk", sa.Boolean(), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("verdict", _text_of("verdict", VERDICTS), nullable=True),
        sa.Column("decision", _text_of("decision", DECISIONS), nullable=False),
        sa.Column("kind", _text_of("signalkind", KINDS), nullable=False),
        sa.Column("category", sa.String(length=100), nullable=False),
        sa.Column("publisher_id", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("prompt_version", sa.String(length=40), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("adjustment", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["signal_id"], ["signals.id"], name=op.f("fk_standing_decisions_signal_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_standing_decisions")),
    )
    _rollup("publisher_days", _day(), sa.Column("publisher_id", sa.BigInteger(), nullable=False), *_sums("articles", "signals", "accepted"))
    _rollup(
        "signal_days",
        _day(),
        sa.Column("kind", _text_of("signalkind", KINDS), nullable=False),
        sa.Column("verdict", _text_of("verdict", VERDICTS), nullable=True),
        sa.Column("decision", _text_of("decision", DECISIONS), nullable=True),
        sa.Column("signals", sa.Integer(), nullable=False),
    )
    _rollup(
        "signal_categories",
        sa.Column("category", sa.String(length=100), nullable=False),
        sa.Column("signals", sa.Integer(), nullable=False),
    )


def _indexes() -> None:
    by_strength = [sa.text("confidence DESC"), sa.text("id DESC")]
    op.drop_index("ix_signals_decision", "signals")
    op.create_index("ix_signals_strongest", "signals", by_strength)
    op.create_index("ix_signals_published", "signals", [sa.text("published_at DESC"), sa.text("id DESC")])
    op.create_index("ix_signals_disagreement", "signals", [sa.text("disagreement DESC"), *by_strength])
    op.create_index("ix_signals_decision", "signals", ["decision", *by_strength])
    op.create_index("ix_signals_kind", "signals", ["kind", *by_strength])
    op.create_index("ix_signals_verdict", "signals", ["verdict", *by_strength])
    op.create_index("ix_signals_publisher", "signals", ["publisher_id", *by_strength])
    op.create_index("ix_signals_batch", "signals", ["batch_id", *by_strength])
    op.create_index("ix_signals_category", "signals", [sa.text("COALESCE(corrected_category, category)"), *by_strength])
    op.create_index("ix_signals_search", "signals", ["search"], postgresql_using="gin")
    op.create_index("ix_reviews_reviewer", "reviews", ["reviewer", "id"])
    published, promise = ([sa.text(f"{first} DESC"), sa.text("article_id DESC")] for first in ("published_at", "promise"))
    op.create_index("ix_article_list_newest", "article_list", ["cell_id", *published], postgresql_include=["body_chars"])
    op.create_index("ix_article_list_promise", "article_list", ["cell_id", *promise], postgresql_include=["body_chars"])
    op.create_index("ix_article_list_any_newest", "article_list", published, postgresql_include=["cell_id", "body_chars"])
    op.create_index("ix_article_list_length", "article_list", ["cell_id", sa.text("body_chars DESC"), sa.text("article_id DESC")])
    op.create_index("ix_article_list_story", "article_list", ["story_id"], postgresql_where=sa.text("story_id IS NOT NULL"))
    op.create_index("ix_standing_decisions_decided_at", "standing_decisions", ["decided_at"])
    op.create_index("ix_publisher_days_day", "publisher_days", ["day", "publisher_id"])
    op.create_index("ix_signal_days_day", "signal_days", ["day", "kind"])
    op.create_index("ix_signal_categories_category", "signal_categories", ["category"])
    for table in ("publisher_days", "signal_days"):
        op.create_index(f"ix_{table}_unfolded", table, ["id"], postgresql_where=sa.text("NOT folded"))
    op.create_index("ix_batch_records_position", "batch_records", ["batch_id", "position"])


def _rollup(name: str, *columns: sa.Column) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *columns,
        sa.Column("folded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )


def _day() -> sa.Column:
    return sa.Column("day", sa.Date(), nullable=False)


def _sums(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False) for name in names]


def _text_of(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=32)


TRIGGERS = {
    "articles": ("articles_new", "article_changed", "articles_gone"),
    "analyses": ("analyses_new", "analyses_changed", "analyses_gone"),
    "signals": ("signal_coming", "signals_new", "signals_changed", "signals_gone"),
    "validations": ("validations_new",),
    "reviews": ("review_changed",),
}
FUNCTIONS = (
    "on_articles_new",
    "on_article_changed",
    "on_articles_gone",
    "on_analyses_new",
    "on_analyses_changed",
    "on_analyses_gone",
    "on_signal_coming",
    "on_signals_new",
    "on_signals_changed",
    "on_signals_gone",
    "on_validations_new",
    "on_review_changed",
    "rebuild_lists",
    "note_decisions",
    "list_articles",
    "fold_rollups",
    "utc_day",
)


def downgrade() -> None:
    for table, triggers in TRIGGERS.items():
        for trigger in triggers:
            op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP VIEW decision_facts, article_facts")
    for table in ("article_list", "article_cells", "standing_decisions", "publisher_days", "signal_days", "signal_categories"):
        op.drop_table(table)
    for column in ("search", "batch_id", "is_sample", "published_at", "publisher_id"):
        op.drop_column("signals", column)
    for index in ("strongest", "disagreement", "decision", "kind", "verdict", "category"):
        op.drop_index(f"ix_signals_{index}", "signals")
    op.create_index("ix_signals_decision", "signals", ["decision"])
    op.drop_index("ix_reviews_reviewer", "reviews")
    op.drop_index("ix_batch_records_position", "batch_records")
