"""Results: one row for each run, check and domain."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Engine, and_, func, select

from database.bulk import insert_rows
from database.engine import reading, transaction
from database.tables import changes, counters, domains, results, runs

#: A later attempt replaces what an unsure first one left; a final row stays as it is.
_REPLACE = (
    "DO UPDATE SET "
    + ", ".join(
        f"{name} = excluded.{name}"
        for name in ("status", "answer", "error", "attempts", "decided_by", "latency_ms")
    )
    + ", checked_at = excluded.checked_at, final = excluded.final"
    + ", fingerprint = excluded.fingerprint WHERE NOT results.final"
)
#: `json.dumps` with options would make an encoder for every row.
_as_json = json.JSONEncoder(ensure_ascii=False).encode
_ADD = "DO UPDATE SET count = counters.count + excluded.count"
COLUMNS = (
    "slot",
    "name",
    "status",
    "answer",
    "error",
    "attempts",
    "decided_by",
    "latency_ms",
    "checked_at",
    "final",
    "fingerprint",
)
#: The columns of a result file, in its order.
FILE_COLUMNS = (
    "domain",
    "check",
    "status",
    "answer",
    "error",
    "attempts",
    "decided_by",
    "latency_ms",
    "checked_at",
    # Since the previous run of the list: ``new``, ``status``, ``answer``, or none.
    "change",
)


def save_results(
    engine: Engine,
    run: int,
    check: str,
    rows: Iterable[tuple[Any, ...]],
    counts: Mapping[str, int] | None = None,
) -> None:
    """
    Write the results of a chunk in one transaction.

    Args:
        engine: The database.
        run: The run's number.
        check: The check's name.
        rows: (n, 11) in the order of `COLUMNS`; `answer` as an object, `checked_at` in seconds
            since the epoch. A row that is final already is left as it is.
        counts: What to add to the check's counters.
    """
    stored = [(run, check, *_as_stored(row)) for row in rows]
    tallies = [(run, check, key, n) for key, n in (counts or {}).items()]
    with transaction(engine) as connection:
        insert_rows(connection, results, ("run", "check", *COLUMNS), stored, _REPLACE)
        insert_rows(connection, counters, ("run", "check", "key", "count"), tallies, _ADD)


def status_counts(engine: Engine, run: int) -> dict[str, Counter[str]]:
    """Return check -> status -> how many domains."""
    return counts_by_check(engine, results.c.status, run)


def counts_by_check(engine: Engine, kind: Column[str], run: int) -> dict[str, Counter[str]]:
    """Return check -> value -> how many rows of a run have it, in a table's column."""
    columns = kind.table.c
    statement = (
        select(columns.check, kind, func.count())
        .where(columns.run == run)
        .group_by(columns.check, kind)
    )
    found: dict[str, Counter[str]] = {}
    with reading(engine) as connection:
        for check, value, count in connection.execute(statement):
            found.setdefault(check, Counter())[value] = count
    return found


def counter_values(engine: Engine, run: int, check: str) -> dict[str, int]:
    """Return a check's counters."""
    statement = select(counters.c.key, counters.c.count).where(
        counters.c.run == run, counters.c.check == check
    )
    with reading(engine) as connection:
        return dict(connection.execute(statement.order_by("key")).tuples().all())


def slowest(engine: Engine, run: int, check: str, limit: int) -> list[tuple[str, str, float]]:
    """Return the slowest results: rows (<= limit, 3) of name, status, milliseconds."""
    statement = (
        select(results.c.name, results.c.status, results.c.latency_ms)
        .where(results.c.run == run, results.c.check == check)
        .order_by(results.c.latency_ms.desc(), results.c.name)
        .limit(limit)
    )
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(statement)]


def examples(
    engine: Engine, run: int, check: str, status: str, limit: int
) -> list[tuple[str, str | None]]:
    """Return the first domains of a status: rows (<= limit, 2) of name, error."""
    statement = (
        select(results.c.name, results.c.error)
        .where(results.c.run == run, results.c.check == check, results.c.status == status)
        .order_by(results.c.slot, results.c.name)
        .limit(limit)
    )
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(statement)]


def result_rows(engine: Engine, run: int, rows_at_once: int) -> Iterator[list[tuple[Any, ...]]]:
    """
    Yield a run's results in the order of the uploaded file, in chunks.

    Yields:
        Rows (<= rows_at_once, 10) in the order of `FILE_COLUMNS`.
    """
    columns = [results.c[name] for name in FILE_COLUMNS[1:-1]]
    change = and_(*(changes.c[key] == results.c[key] for key in ("run", "check", "slot", "name")))
    of_list = select(runs.c.list_id).where(runs.c.number == run).scalar_subquery()
    statement = (
        select(results.c.name, *columns, changes.c.change)
        .select_from(results)
        .join(
            domains,
            and_(
                domains.c.list_id == of_list,
                domains.c.slot == results.c.slot,
                domains.c.name == results.c.name,
            ),
        )
        .outerjoin(changes, change)
        .where(results.c.run == run)
        .order_by(domains.c.line, domains.c.name, results.c.check)
        .execution_options(yield_per=rows_at_once)
    )
    with reading(engine) as connection:
        for chunk in connection.execute(statement).partitions():
            yield [tuple(row) for row in chunk]


def _as_stored(row: tuple[Any, ...]) -> tuple[Any, ...]:
    slot, name, status, answer, error, attempts, decided_by, latency, checked_at, *rest = row
    text = None if answer is None else _storable(_as_json(answer))
    error = None if error is None else _storable(error)
    # Naive UTC text: SQLite keeps it as it is, and PostgreSQL's session is set to UTC.
    moment = datetime.fromtimestamp(checked_at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return slot, name, status, text, error, attempts, decided_by, round(latency, 3), moment, *rest


def _storable(text: str) -> str:
    """Replace what PostgreSQL or UTF-8 cannot hold: an error's text may come from anywhere."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
