"""
The tables.

A domain in a list is known by its slot and its name. The slot is a 32-bit hash of the name: rows
in the order of the primary key are shuffled, so a batch (a range of keys) does not ask one
authoritative server for all of its names in a row, and a list is loaded, checked and resumed in the
order of one B-tree, without a second index. Two names in one slot do no harm, since the name is in
the key.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

metadata = MetaData()

#: Compared byte by byte on both databases, so that ranges of names mean the same.
Name = String(253).with_variant(String(253, collation="C"), "postgresql")
#: An integer that SQLite counts up by itself.
Key = BigInteger().with_variant(Integer, "sqlite")
#: No second B-tree beside the primary key's.
CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}


def some(rows: str) -> dict[str, Any]:
    """Return the words for an index of some rows only; a query must say the same of them."""
    return {"sqlite_where": text(rows), "postgresql_where": text(rows)}


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


lists = Table(
    "lists",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False),
    #: SHA-256 of what was read and how; the same file is the same list.
    Column("fingerprint", String(64), nullable=False, index=True),
    #: None until the last of its rows is there.
    Column("loaded_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, default=now),
    #: What was detected, in a sentence.
    Column("description", Text),
    #: A sentence, where the file ended early and what came before was kept.
    Column("truncated", Text),
    #: lines, blank, comment, names, invalid, duplicate, unique.
    Column("ledger", JSON),
    #: Reason -> how many names were rejected for it.
    Column("reasons", JSON),
)

domains = Table(
    "domains",
    metadata,
    Column("list_id", Key, ForeignKey("lists.id", ondelete="CASCADE"), primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("name", Name, primary_key=True),
    #: The line of the file where the name was first seen, from 1.
    Column("line", BigInteger, nullable=False),
    **CLUSTERED,
)

rejected = Table(
    "rejected",
    metadata,
    Column("list_id", Key, ForeignKey("lists.id", ondelete="CASCADE"), primary_key=True),
    Column("line", BigInteger, primary_key=True),
    #: Which name of the line, from 0.
    Column("ordinal", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("reason", Text, nullable=False),
    **CLUSTERED,
)

runs = Table(
    "runs",
    metadata,
    #: Stands for the id in the results, of which there are many.
    Column("number", Key, primary_key=True),
    #: The id of the flow run.
    Column("id", Uuid, nullable=False, unique=True),
    #: Of the input, by which an interrupted run from a terminal is found again; None for a
    #: deployment's, which is retried under its own id.
    Column("fingerprint", String(64), index=True),
    Column("list_id", Key, ForeignKey("lists.id", ondelete="SET NULL")),
    Column("checks", JSON, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, default=now),
    #: None until every domain has a final result in every check.
    Column("ended_at", DateTime(timezone=True)),
    #: The number of the run that it was compared with; None where there was none, or not yet.
    Column("previous", Key),
    #: The digest that tells of its end; None until there is one, 0 for those before there were any.
    Column("digest", BigInteger),
)
Index("runs_told", runs.c.digest, **some("ended_at IS NOT NULL"))

results = Table(
    "results",
    metadata,
    Column("run", Key, ForeignKey("runs.number", ondelete="CASCADE"), primary_key=True),
    Column("check", String(64), primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("name", Name, primary_key=True),
    Column("status", String(32), nullable=False),
    #: JSON text.
    Column("answer", Text),
    Column("error", Text),
    Column("attempts", Integer, nullable=False),
    Column("decided_by", Text),
    Column("latency_ms", Float, nullable=False),
    Column("checked_at", DateTime(timezone=True), nullable=False),
    #: False while the name waits for its second pass.
    Column("final", Boolean, nullable=False),
    #: Of the answer, but for what changes without meaning; None where there is no answer, and in
    #: rows from before there were fingerprints.
    Column("fingerprint", BigInteger),
    **CLUSTERED,
)
Index(
    "results_unsure",
    results.c.run,
    results.c.check,
    # Always false in here; without it SQLite takes the primary key and reads all of the check.
    results.c.final,
    results.c.slot,
    results.c.name,
    sqlite_where=text("final = 0"),
    postgresql_where=text("NOT final"),
)

counters = Table(
    "counters",
    metadata,
    Column("run", Key, ForeignKey("runs.number", ondelete="CASCADE"), primary_key=True),
    Column("check", String(64), primary_key=True),
    #: What is counted, e.g. ``127.0.0.1:53 answered``.
    Column("key", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    **CLUSTERED,
)

changes = Table(
    "changes",
    metadata,
    #: The later run; `runs.previous` is the earlier one.
    Column("run", Key, ForeignKey("runs.number", ondelete="CASCADE"), primary_key=True),
    Column("check", String(64), primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("name", Name, primary_key=True),
    #: ``new``, ``gone``, ``status`` or ``answer``.
    Column("change", String(8), nullable=False),
    #: None where the domain had no result in the check.
    Column("before_status", String(32)),
    Column("after_status", String(32)),
    **CLUSTERED,
)

turns = Table(
    "turns",
    metadata,
    #: What has a pace, e.g. a server's name.
    Column("key", Text, primary_key=True),
    #: When it may be asked next, in seconds since the epoch by the database's clock.
    Column("next_at", Double, nullable=False),
    **CLUSTERED,
)

groups = Table(
    "groups",
    metadata,
    #: The jobs of a work queue are a group.
    Column("work_queue", Text, primary_key=True),
    #: The number of its latest job.
    Column("last", BigInteger, nullable=False),
    **CLUSTERED,
)

jobs = Table(
    "jobs",
    metadata,
    #: That of the Prefect task run of its first message.
    Column("id", Uuid, primary_key=True),
    Column("work_queue", Text, nullable=False),
    #: Its place in the group, from 1.
    Column("number", BigInteger, nullable=False),
    Column("command", Text, nullable=False),
    Column("payload", JSON),
    #: ``queued``, ``running``, ``completed``, ``failed``, ``cancelled``, ``superseded``, ``held``.
    Column("state", String(16), nullable=False),
    #: The task run of the message that counts: another one after a move to another work queue.
    Column("message", Uuid, nullable=False, unique=True),
    #: Of the command's code, for which it was made; None where nobody said.
    Column("version", Text),
    Column("attempts", Integer, nullable=False, default=0),
    Column("worker", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, default=now),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    #: What the command said; None before its end, or where it did not come to one.
    Column("status", Text),
    Column("answer", JSON),
    Column("error", Text),
    #: The flow run that waits for it, and its place among that one's jobs, from 0.
    Column("flow_run", Uuid, index=True),
    Column("step", Integer),
    #: The job that this one repeats, and the one that repeats this one.
    Column("rerun_of", Uuid),
    Column("rerun", Uuid),
    #: The digest that tells of its failure, as in `runs`.
    Column("digest", BigInteger),
)
Index("jobs_group", jobs.c.work_queue, jobs.c.number, unique=True)
#: For what failed between two times, and what has not ended.
Index("jobs_ended", jobs.c.state, jobs.c.ended_at)
#: With the state, though it is always the same, so that SQLite does not take `jobs_ended` instead.
Index("jobs_told", jobs.c.state, jobs.c.digest, **some("state = 'failed'"))

subscribers = Table(
    "subscribers",
    metadata,
    Column("address", Text, primary_key=True),
    #: Of what they are told: ``changes``, ``runs``, ``jobs``.
    Column("topics", JSON, nullable=False),
    #: The last digest that is none of theirs: what it tells had ended when they came.
    Column("since", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, default=now),
    **CLUSTERED,
)

digests = Table(
    "digests",
    metadata,
    #: Each later one has a higher number; runs and jobs name the one that tells of them.
    Column("id", Key, primary_key=True),
    Column("made_at", DateTime(timezone=True), nullable=False, default=now),
    #: When its mails were put into the outbox; None until then.
    Column("posted_at", DateTime(timezone=True)),
)
Index("digests_unposted", digests.c.id, **some("posted_at IS NULL"))

outbox = Table(
    "outbox",
    metadata,
    Column("id", Key, primary_key=True),
    #: Of the mail's header; the same however often it is sent.
    Column("message_id", Text, nullable=False, unique=True),
    Column("digest", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, default=now),
    #: ``pending``, ``sending`` (claimed), ``handing`` (the server may have it from now on),
    #: ``sent``, ``failed`` (refused for good), ``unsure`` (the sender died while handing it over).
    Column("state", String(8), nullable=False, default="pending"),
    #: When something is to be done: the next try, the end of a claim, or the row's removal.
    Column("due_at", DateTime(timezone=True), nullable=False, default=now),
    #: Whose claim it is: another one each time.
    Column("claim", Uuid),
    Column("tries", Integer, nullable=False, default=0),
    Column("sent_at", DateTime(timezone=True)),
    #: Why it is not sent, or was not the last time.
    Column("error", Text),
    UniqueConstraint("digest", "address"),
)
Index("outbox_due", outbox.c.state, outbox.c.due_at)
