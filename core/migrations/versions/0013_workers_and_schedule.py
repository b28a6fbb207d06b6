"""Celery's tasks and workers, the schedule, and the feeds it fetches

Revision: 0013
Follows: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch_records", sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_batch_records_sent",
        "batch_records",
        ["batch_id", "sent_at"],
        postgresql_where=sa.text("status = 'PENDING' AND sent_at IS NOT NULL"),
    )
    kinds = sa.Enum("pool", "console", "celery", "beat", name="workerkind", native_enum=False, length=32)
    op.add_column("workers", sa.Column("kind", kinds, server_default="pool", nullable=False))
    op.add_column("workers", sa.Column("name", sa.String(100), server_default=sa.text("''"), nullable=False))
    op.add_column("workers", sa.Column("slots", sa.Integer(), nullable=True))
    op.add_column("workers", sa.Column("tasks", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "schedule",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("options", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("running_owner", sa.String(200), nullable=True),
        sa.Column("running_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed", sa.Boolean(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedule")),
    )
    op.create_table(
        "feeds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("added_by", sa.String(100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed", sa.Boolean(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feeds")),
        sa.UniqueConstraint("address", name=op.f("uq_feeds_address")),
    )


def downgrade() -> None:
    op.drop_table("feeds")
    op.drop_table("schedule")
    for column in ("tasks", "slots", "name", "kind"):
        op.drop_column("workers", column)
    op.drop_index("ix_batch_records_sent", "batch_records")
    op.drop_column("batch_records", "sent_at")
