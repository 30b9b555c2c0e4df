"""What a run has left in Rollcall's database, held against the truth."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

#: The statuses that are answers; the others say that nobody knows.
ANSWERS = frozenset({"resolves", "nodata", "nxdomain"})


def assert_true(database: Path, truth: Mapping[str, str]) -> None:
    """Fail unless each name has one result, which is its true one, and the ledger adds up."""
    with _reading(database) as connection:
        rows = connection.execute('SELECT name, status FROM results WHERE "check" = ?', ("host",))
        found = rows.fetchall()
        (ledger,) = connection.execute("SELECT ledger FROM lists").fetchone()
    statuses = dict(found)
    wrong = [name for name, status in truth.items() if statuses.get(name) != status]
    assert not wrong, f"{len(wrong)} results are wrong, e.g. {wrong[0]}"
    assert len(found) == len(truth), f"{len(found)} results of {len(truth)} names"
    count = json.loads(ledger)
    assert count["lines"] == sum(
        count[bucket] for bucket in ("blank", "comment", "invalid", "duplicate", "unique")
    ), count
    assert count["unique"] == len(found), count


def first_pass_statuses(database: Path, truth: Mapping[str, str]) -> Counter[str]:
    """
    Return what the names were after the first pass: status -> how many, `unsure` for no answer.

    A name that was sure then has had one attempt; fails if one of these is not the truth.
    """
    with _reading(database) as connection:
        rows = connection.execute("SELECT name, status, attempts FROM results").fetchall()
    sure = {name: status for name, status, attempts in rows if attempts == 1}
    assert sure.items() <= truth.items(), "a healthy name has another status"
    assert set(sure.values()) <= ANSWERS
    return Counter(sure.values()) + Counter({"unsure": len(rows) - len(sure)})


def final_statuses(database: Path) -> Counter[str]:
    """Return what the names are in the end: status -> how many."""
    with _reading(database) as connection:
        return Counter(status for (status,) in connection.execute("SELECT status FROM results"))


def counters(database: Path) -> dict[str, int]:
    """Return the questions by name server and what came of them, over both passes."""
    with _reading(database) as connection:
        return dict(connection.execute("SELECT key, count FROM counters ORDER BY key").fetchall())


def committed(database: Path) -> int:
    """Return how many results there are so far; none where there is no table yet."""
    try:
        with _reading(database) as connection:
            (count,) = connection.execute("SELECT count(*) FROM results").fetchone()
    except sqlite3.OperationalError:
        return 0
    return int(count)


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        yield connection
