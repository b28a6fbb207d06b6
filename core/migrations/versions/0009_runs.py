"""Runs: why a batch paused, and indexes for its page

Revision: 0009
Follows: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch_sessions", sa.Column("pause_kind", sa.String(40), nullable=True))
    op.execute("UPDATE batch_sessions SET pause_kind = 'budget' WHERE status = 'PAUSED' AND pause_budget_id IS NOT NULL")
    op.create_index("ix_batch_sessions_status_id", "batch_sessions", ["status", "id"])
    op.create_index("ix_batch_records_place", "batch_records", ["batch_id", "status", "position"])
    op.drop_index("ix_batch_records_batch_id_status", "batch_records")
    op.create_index(
        "ix_ledger_entries_run",
        "ledger_entries",
        ["batch_id", "created_at"],
        postgresql_include=["settled_at", "status", "usd", "reserved_usd"],
    )
    op.create_index("ix_validations_failed", "validations", ["signal_id"], postgresql_where=sa.text("failed"))


def downgrade() -> None:
    op.drop_index("ix_validations_failed", "validations")
    op.drop_index("ix_ledger_entries_run", "ledger_entries")
    op.create_index("ix_batch_records_batch_id_status", "batch_records", ["batch_id", "status"])
    op.drop_index("ix_batch_records_place", "batch_records")
    op.drop_index("ix_batch_sessions_status_id", "batch_sessions")
    op.drop_column("batch_sessions", "pause_kind")
