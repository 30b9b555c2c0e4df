"""Turns of servers; what changed from run to run."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.String(253).with_variant(sa.String(253, collation="C"), "postgresql")


def upgrade() -> None:
    """Go to this form."""
    op.create_table(
        "turns",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        # A crash may forget whose turn it was; so no turn has to wait for the disk.
        op.execute("ALTER TABLE turns SET UNLOGGED")
    # No foreign key: SQLite would have to copy the table, and take all results away with the old.
    op.add_column("runs", sa.Column("previous", KEY, nullable=True))
    op.add_column("results", sa.Column("fingerprint", sa.BigInteger(), nullable=True))
    op.create_table(
        "changes",
        sa.Column("run", KEY, nullable=False),
        sa.Column("check", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("change", sa.String(length=8), nullable=False),
        sa.Column("before_status", sa.String(length=32), nullable=True),
        sa.Column("after_status", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["runs.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "check", "slot", "name"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("changes")
    op.drop_column("results", "fingerprint")
    op.drop_column("runs", "previous")
    op.drop_table("turns")
