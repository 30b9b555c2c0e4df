"""What a run has left in Rollcall's database, held against the truth."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError, ProgrammingError

#: The file of a SQLite database, or an SQLAlchemy URL.
Database = Path | str

#: The statuses that are answers; the others say that nobody knows.
ANSWERS = frozenset({"resolves", "nodata", "nxdomain"})


def assert_true(database: Database, truth: Mapping[str, str]) -> None:
    """
    Fail unless each name has one result, which is its true one, and the ledgers add up.

    Args:
        database: Where there are no other lists than those that the names are of.
        truth: Name -> status; no name is in two lists.
    """
    found = _rows(database, "SELECT name, status FROM results WHERE \"check\" = 'host'")
    statuses = dict(found)
    wrong = [name for name, status in truth.items() if statuses.get(name) != status]
    assert not wrong, f"{len(wrong)} results are wrong, e.g. {wrong[0]}"
    assert len(found) == len(truth), f"{len(found)} results of {len(truth)} names"
    assert _unique(database) == len(found), "the ledgers do not add up to the results"


def first_pass_statuses(database: Database, truth: Mapping[str, str]) -> Counter[str]:
    """
    Return what the names were after the first pass: status -> how many, `unsure` for no answer.

    A name that was sure then has had one attempt; fails if one of these is not the truth.
    """
    rows = _rows(database, "SELECT name, status, attempts FROM results")
    sure = {name: status for name, status, attempts in rows if attempts == 1}
    assert sure.items() <= truth.items(), "a healthy name has another status"
    assert set(sure.values()) <= ANSWERS
    return Counter(sure.values()) + Counter({"unsure": len(rows) - len(sure)})


def final_statuses(database: Database) -> Counter[str]:
    """Return what the names are in the end: status -> how many."""
    return Counter(status for (status,) in _rows(database, "SELECT status FROM results"))


def counters(database: Database) -> dict[str, int]:
    """Return the questions by name server and what came of them, over both passes."""
    return dict(_rows(database, "SELECT key, count FROM counters ORDER BY key"))


def committed(database: Database) -> int:
    """Return how many results there are so far; none where there is no table yet."""
    try:
        ((count,),) = _rows(database, "SELECT count(*) FROM results")
    except (OperationalError, ProgrammingError):
        return 0
    return int(count)


def run_times(database: Database, flow_run: UUID) -> tuple[datetime, datetime]:
    """Return when a run began, and when its last result came; PostgreSQL only."""
    ((began, last),) = _rows(
        database,
        "SELECT runs.started_at, max(results.checked_at)"
        " FROM runs JOIN results ON results.run = runs.number"
        f" WHERE runs.id = '{flow_run}' GROUP BY runs.started_at",
    )
    return began, last


def _unique(database: Database) -> int:
    """Return how many names the lists have by their ledgers."""
    unique = 0
    for (ledger,) in _rows(database, "SELECT ledger FROM lists"):
        # PostgreSQL's driver has read it already.
        count = json.loads(ledger) if isinstance(ledger, str) else ledger
        assert count["lines"] == sum(
            count[bucket] for bucket in ("blank", "comment", "invalid", "duplicate", "unique")
        ), count
        unique += count["unique"]
    return unique


def _rows(database: Database, query: str) -> list[Any]:
    """Ask, over a connection that is closed at once."""
    if isinstance(database, Path):
        database = f"sqlite:///file:{database}?mode=ro&uri=true"
    with create_engine(database, poolclass=NullPool).connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]
