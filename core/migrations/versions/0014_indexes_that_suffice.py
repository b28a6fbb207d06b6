"""Signals are filtered and counted in their indexes, without a look at the rows

Revision: 0014
Follows: 0013

Each index carries what the filters test beside what it is ordered by. Ten thousand rows scattered over the table take 150 ms to look at,
the same in an index 5 ms. With two million signals this takes a minute, in which nothing else is written.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TESTED = ("kind", "verdict", "decision", "publisher_id", "published_at", "is_sample", "category", "corrected_category", "confidence")
STRENGTH = ("confidence DESC", "id DESC")
CATEGORY = "COALESCE(corrected_category, category)"
INDEXES: dict[str, tuple[str, ...]] = {
    "strongest": STRENGTH,
    "published": ("published_at DESC", "id DESC"),
    "disagreement": ("disagreement DESC", *STRENGTH),
    "decision": ("decision", *STRENGTH),
    "kind": ("kind", *STRENGTH),
    "verdict": ("verdict", *STRENGTH),
    "publisher": ("publisher_id", *STRENGTH),
    "category": (CATEGORY, *STRENGTH),
}
BESIDES = {"published": ("article_id", "analysis_id")}


def upgrade() -> None:
    op.execute("SET LOCAL maintenance_work_mem = '256MB'")
    for name, columns in INDEXES.items():
        _replace(name, columns, [*(one for one in TESTED if f"{one} DESC" not in columns and one not in columns), *BESIDES.get(name, ())])


def downgrade() -> None:
    for name, columns in INDEXES.items():
        _replace(name, columns, None)


def _replace(name: str, columns: tuple[str, ...], included: list[str] | None) -> None:
    op.drop_index(f"ix_signals_{name}", "signals", if_exists=True)
    op.create_index(f"ix_signals_{name}", "signals", [sa.text(one) for one in columns], postgresql_include=included)
