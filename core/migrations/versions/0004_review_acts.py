"""Reviews become acts: decisions, corrections, notes and undos; claims on signals; what a blind decision was

Revision: 0004
Follows: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ACTS = ("decision", "correction", "note", "undo")
TIMEFRAMES = ("immediate", "short-term", "medium-term", "long-term")
VERDICTS = ("VALIDATED", "CONTRADICTED", "INCONCLUSIVE", "INSUFFICIENT_DATA")


def _text_of(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=32)


def _corrections() -> list[sa.Column]:
    return [
        sa.Column("corrected_category", sa.String(length=100), nullable=True),
        sa.Column("corrected_description", sa.Text(), nullable=True),
        sa.Column("corrected_timeframe", _text_of("timeframe", TIMEFRAMES), nullable=True),
    ]


def upgrade() -> None:
    for column in _corrections():
        op.add_column("signals", column)
    op.add_column("signals", sa.Column("review_id", sa.BigInteger(), nullable=True))
    for column in _corrections():
        op.add_column("reviews", column)
    op.alter_column("reviews", "decision", nullable=True)
    op.add_column("reviews", sa.Column("act", _text_of("reviewact", ACTS), server_default="decision", nullable=False))
    op.add_column("reviews", sa.Column("undoes", sa.BigInteger(), nullable=True))
    op.add_column("reviews", sa.Column("verdict", _text_of("verdict", VERDICTS), nullable=True))
    op.add_column("reviews", sa.Column("blind", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("reviews", sa.Column("bulk", sa.String(length=36), nullable=True))
    op.create_foreign_key(op.f("fk_reviews_undoes"), "reviews", "reviews", ["undoes"], ["id"], ondelete="CASCADE")
    op.create_index("ix_reviews_bulk", "reviews", ["bulk"], postgresql_where=sa.text("bulk IS NOT NULL"))
    # A decision made before this was made in sight of the verdict, and the newest of a signal is the one that counts.
    op.execute(
        "UPDATE signals SET review_id = (SELECT max(id) FROM reviews WHERE reviews.signal_id = signals.id) WHERE decision IS NOT NULL"
    )
    op.execute("UPDATE reviews SET verdict = signals.verdict FROM signals WHERE signals.review_id = reviews.id")
    op.create_table(
        "review_claims",
        sa.Column("signal_id", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("reviewer", sa.String(length=100), nullable=False),
        sa.Column("handed_by", sa.String(length=100), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["signal_id"], ["signals.id"], name=op.f("fk_review_claims_signal_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_review_claims")),
    )
    op.create_index("ix_review_claims_holder", "review_claims", ["holder"])


def downgrade() -> None:
    op.drop_table("review_claims")
    op.drop_index("ix_reviews_bulk", "reviews")
    op.execute("DELETE FROM reviews WHERE decision IS NULL")
    for column in ("bulk", "blind", "verdict", "undoes", "act", "corrected_timeframe", "corrected_description", "corrected_category"):
        op.drop_column("reviews", column)
    op.alter_column("reviews", "decision", nullable=False)
    for column in ("review_id", "corrected_timeframe", "corrected_description", "corrected_category"):
        op.drop_column("signals", column)
