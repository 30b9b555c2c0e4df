"""Subscribers, digests of what ended, and the mails that tell of them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
#: Table -> which of its rows can be told, in SQL, and the columns by which they are found.
TOLD = {
    "runs": ("ended_at IS NOT NULL", ["digest"]),
    "jobs": ("state = 'failed'", ["state", "digest"]),
}


def partial(where: str) -> dict[str, Any]:
    """Return the words for an index of some rows only."""
    return {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}


def upgrade() -> None:
    """Go to this form."""
    op.create_table(
        "subscribers",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("address"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "digests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("posted_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("digests_unposted", "digests", ["id"], **partial("posted_at IS NULL"))
    op.create_table(
        "outbox",
        sa.Column("id", KEY, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id"),
        sa.UniqueConstraint("digest", "address"),
    )
    op.create_index("outbox_due", "outbox", ["state", "due_at"])
    for table, (rows, columns) in TOLD.items():
        # No foreign key: SQLite would have to copy the table.
        op.add_column(table, sa.Column("digest", sa.BigInteger(), nullable=True))
        # What has ended until now is history.
        op.execute(f"UPDATE {table} SET digest = 0 WHERE {rows}")
        op.create_index(f"{table}_told", table, columns, **partial(rows))


def downgrade() -> None:
    """Go back."""
    for table, (rows, _) in TOLD.items():
        op.drop_index(f"{table}_told", table_name=table, **partial(rows))
        op.drop_column(table, "digest")
    op.drop_table("outbox")
    op.drop_table("digests")
    op.drop_table("subscribers")
