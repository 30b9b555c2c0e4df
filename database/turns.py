"""
When the next question to a server may be asked: one row for each server, by the database's clock.

A turn is taken by moving the row's time on, in one statement: whoever comes at the same moment
waits for the row and finds the time moved on (virtual scheduling, as in the GCRA of ATM networks).
Nothing is held, so nothing has to be given back.

Source:
    ITU-T I.371, annex A
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, text

from database.engine import transaction

#: However far the time of a row is ahead, in seconds: a clock that was wrong stops nobody for long.
FARTHEST = 3_600.0
#: Seconds since the epoch, the larger and the smaller of two. PostgreSQL's now() stands still
#: while a transaction waits for the row, so it is not that.
_WORDS = {
    "sqlite": {"now": "(julianday('now') - 2440587.5) * 86400.0", "larger": "max", "less": "min"},
    "postgresql": {
        "now": "extract(epoch FROM clock_timestamp())::float8",
        "larger": "greatest",
        "less": "least",
    },
}
_MOVE = """
INSERT INTO turns (key, next_at) VALUES (:key, {now} + :ahead)
ON CONFLICT (key) DO UPDATE SET next_at = {moved}
RETURNING next_at - {now}
"""
_NEXT = "{larger}({less}(turns.next_at, {now} + :farthest), {now}) + :ahead"
_NOT_BEFORE = "{larger}({less}(turns.next_at, {now} + :farthest), excluded.next_at)"


def take_turn(engine: Engine, key: str, interval: float) -> float:
    """
    Take the next turn.

    Args:
        engine: The database.
        key: What has a pace.
        interval: Seconds from this turn to the next one.

    Returns:
        In how many seconds it is, 0 for now.

    Raises:
        DatabaseUnreachable: The database is away.
    """
    return max(_moved(engine, _NEXT, key, interval) - interval, 0.0)


def postpone_turns(engine: Engine, key: str, seconds: float) -> None:
    """
    Let the next turn be no sooner than in so many seconds; a turn that somebody has stays as it is.

    Raises:
        DatabaseUnreachable: The database is away.
    """
    _moved(engine, _NOT_BEFORE, key, seconds)


def _moved(engine: Engine, how: str, key: str, ahead: float) -> float:
    """Move a key's time, and return how many seconds it is ahead of the clock then."""
    words = _WORDS[engine.dialect.name]
    statement = text(_MOVE.format(moved=how.format(**words), **words))
    values: dict[str, Any] = {"key": key, "ahead": ahead, "farthest": FARTHEST}
    with transaction(engine) as connection:
        return float(connection.execute(statement, values).scalar_one())
