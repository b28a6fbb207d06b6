"""Spending: roll-ups of the ledger, indexes for its pages, and limits that remember what they were

Revision: 0007
Follows: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SUMS = (
    "calls",
    "released_calls",
    "unknown_calls",
    "usd",
    "unknown_usd",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "thinking_tokens",
    "search_credits",
)


def _usage() -> list[sa.Column]:
    money = ("usd", "unknown_usd", "search_credits")
    return [
        sa.Column(name, sa.Numeric(18, 8) if name in money else sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        for name in SUMS
    ]


def _called() -> list[sa.Column]:
    return [
        sa.Column("kind", sa.Enum("model", "search", name="ledgerkind", native_enum=False, length=32), nullable=False),
        sa.Column("agent", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=60), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "spend_days",
        sa.Column("day", sa.Date(), nullable=False),
        *_called(),
        *_usage(),
        sa.PrimaryKeyConstraint("day", "kind", "agent", "provider", "model", name=op.f("pk_spend_days")),
    )
    op.create_table(
        "spend_publishers",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("publisher_id", sa.BigInteger(), nullable=False),
        *_usage(),
        sa.PrimaryKeyConstraint("day", "publisher_id", name=op.f("pk_spend_publishers")),
    )
    op.create_table(
        "spend_batches",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        *_usage(),
        sa.PrimaryKeyConstraint("batch_id", "day", "model", name=op.f("pk_spend_batches")),
    )
    op.create_index("ix_spend_batches_day", "spend_batches", ["day"])
    op.create_table(
        "spend_slots",
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("usd", sa.Numeric(18, 8), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_spend_slots")),
    )
    op.create_table(
        "spend_deltas",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("publisher_id", sa.BigInteger(), nullable=False),
        *_called(),
        *_usage(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spend_deltas")),
    )
    _roll_up()
    op.drop_index("ix_ledger_entries_batch_id", "ledger_entries")
    op.create_index("ix_ledger_entries_batch_id", "ledger_entries", ["batch_id", "id"])
    op.create_index("ix_ledger_entries_model_id", "ledger_entries", ["model", "id"])
    op.create_index("ix_ledger_entries_day_id", "ledger_entries", ["day", "id"])
    op.create_index(
        "ix_ledger_entries_troubled", "ledger_entries", ["status", "id"], postgresql_where=sa.text("status IN ('RELEASED', 'UNKNOWN')")
    )
    op.add_column("budget_events", sa.Column("before_usd", sa.Numeric(14, 8), nullable=True))
    op.add_column("budget_events", sa.Column("undoes", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_budget_events_undoes"), "budget_events", "budget_events", ["undoes"], ["id"], ondelete="CASCADE")


def _roll_up() -> None:
    """What the ledger holds already. An entry without an end's time ended when it began."""
    sums, added = ", ".join(SUMS), ", ".join(f"sum({name})" for name in SUMS)
    op.execute(f"""
        WITH taken AS MATERIALIZED (
            SELECT e.day, date_bin('10 minutes', coalesce(e.settled_at, e.created_at), timestamptz '2000-01-01 00:00Z') AS slot,
                   coalesce(e.batch_id, 0) AS batch_id,
                   coalesce(a.publisher_id, 0) AS publisher_id, e.kind, e.agent, e.provider, e.model, count(*) AS calls,
                   count(*) FILTER (WHERE e.status = 'RELEASED') AS released_calls,
                   count(*) FILTER (WHERE e.status = 'UNKNOWN') AS unknown_calls, sum(e.usd) AS usd,
                   coalesce(sum(e.usd) FILTER (WHERE e.status = 'UNKNOWN'), 0) AS unknown_usd, sum(e.input_tokens) AS input_tokens,
                   sum(e.cached_tokens) AS cached_tokens, sum(e.output_tokens) AS output_tokens, sum(e.thinking_tokens) AS thinking_tokens,
                   sum(e.search_credits) AS search_credits
            FROM ledger_entries e LEFT JOIN articles a ON a.id = e.article_id
            WHERE e.status <> 'RESERVED' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ), days AS (
            INSERT INTO spend_days (day, kind, agent, provider, model, {sums})
            SELECT day, kind, agent, provider, model, {added} FROM taken GROUP BY 1, 2, 3, 4, 5
        ), publishers AS (
            INSERT INTO spend_publishers (day, publisher_id, {sums}) SELECT day, publisher_id, {added} FROM taken GROUP BY 1, 2
        ), batches AS (
            INSERT INTO spend_batches (batch_id, day, model, {sums}) SELECT batch_id, day, model, {added} FROM taken GROUP BY 1, 2, 3
        )
        INSERT INTO spend_slots (slot, usd) SELECT slot, sum(usd) FROM taken GROUP BY 1
    """)  # noqa: S608 - names of columns that stand above


def downgrade() -> None:
    op.drop_column("budget_events", "undoes")
    op.drop_column("budget_events", "before_usd")
    for name in ("troubled", "day_id", "model_id", "batch_id"):
        op.drop_index(f"ix_ledger_entries_{name}", "ledger_entries")
    op.create_index("ix_ledger_entries_batch_id", "ledger_entries", ["batch_id"])
    for table in ("spend_deltas", "spend_slots", "spend_batches", "spend_publishers", "spend_days"):
        op.drop_table(table)
