"""First tables: lists, domains, rejected lines, runs, results, counters."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.String(253).with_variant(sa.String(253, collation="C"), "postgresql")
UNSURE: dict[str, Any] = {
    "sqlite_where": sa.text("final = 0"),
    "postgresql_where": sa.text("NOT final"),
}


def upgrade() -> None:
    """Go to this form."""
    op.create_table(
        "lists",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("truncated", sa.Text(), nullable=True),
        sa.Column("ledger", sa.JSON(), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_lists_fingerprint"), "lists", ["fingerprint"], unique=False)
    op.create_table(
        "domains",
        sa.Column("list_id", KEY, nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["lists.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("list_id", "slot", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rejected",
        sa.Column("list_id", KEY, nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["lists.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("list_id", "line", "ordinal"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "runs",
        sa.Column("number", KEY, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("list_id", KEY, nullable=True),
        sa.Column("checks", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["list_id"], ["lists.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(op.f("ix_runs_fingerprint"), "runs", ["fingerprint"], unique=False)
    op.create_table(
        "counters",
        sa.Column("run", KEY, nullable=False),
        sa.Column("check", sa.String(length=64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "check", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "results",
        sa.Column("run", KEY, nullable=False),
        sa.Column("check", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "check", "slot", "name"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "results_unsure",
        "results",
        ["run", "check", "final", "slot", "name"],
        unique=False,
        **UNSURE,
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index("results_unsure", table_name="results", **UNSURE)
    op.drop_table("results")
    op.drop_table("counters")
    op.drop_index(op.f("ix_runs_fingerprint"), table_name="runs")
    op.drop_table("runs")
    op.drop_table("rejected")
    op.drop_table("domains")
    op.drop_index(op.f("ix_lists_fingerprint"), table_name="lists")
    op.drop_table("lists")
