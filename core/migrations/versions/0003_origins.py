"""What a source counts for, authority by domain, and the model's own verdict beside the desk's

Revision: 0003
Follows: 0002

Validations made before this have no origins, and only the model's verdict.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    authority = sa.Enum("HIGH", "MEDIUM", "LOW", name="authority", native_enum=False, length=32)
    op.create_table(
        "domain_authorities",
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("authority", authority, nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_domain_authorities")),
    )
    verdict = sa.Enum("VALIDATED", "CONTRADICTED", "INCONCLUSIVE", "INSUFFICIENT_DATA", name="verdict", native_enum=False, length=32)
    op.add_column("validations", sa.Column("model_verdict", verdict, nullable=True))
    op.add_column("signals", sa.Column("disagreement", sa.Float(), server_default=sa.text("0"), nullable=False))
    op.add_column("validation_sources", sa.Column("origin", sa.Integer(), nullable=True))
    op.add_column("validation_sources", sa.Column("is_own", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    op.drop_table("domain_authorities")
    op.drop_column("validation_sources", "is_own")
    op.drop_column("validation_sources", "origin")
    op.drop_column("signals", "disagreement")
    op.drop_column("validations", "model_verdict")
