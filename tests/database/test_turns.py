"""Turns are given out once each, at the pace that was asked for, to all who use the database."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, select, update

from database import turns as module
from database.engine import reading, transaction
from database.tables import turns
from database.turns import postpone_turns, take_turn

#: So long that no test reaches the next turn, and 64 of it are less than an hour.
LONG = 30.0


def next_at(engine: Engine, key: str) -> float:
    """Read a key's time."""
    statement = select(turns.c.next_at).where(turns.c.key == key)
    with reading(engine) as connection:
        return float(connection.execute(statement).scalar_one())


def test_turns_follow_each_other(engine: Engine) -> None:
    """The first is now, each later one an interval after the one before."""
    began = time.time()
    waits = [take_turn(engine, "a", LONG) for _ in range(4)]
    took = time.time() - began
    assert waits[0] == 0
    for number, wait in enumerate(waits):
        assert number * LONG - took - 0.1 <= wait <= number * LONG
    assert next_at(engine, "a") == pytest.approx(began + 4 * LONG, abs=took + 0.1)


def test_each_key_has_its_own(engine: Engine) -> None:
    """A server is not asked later because another one is asked."""
    assert [take_turn(engine, key, LONG) for key in "abc"] == [0, 0, 0]


def test_a_turn_that_nobody_wanted_is_not_saved_up(engine: Engine) -> None:
    """After a rest there is one turn at once, not as many as there were seconds."""
    take_turn(engine, "a", 0.001)
    time.sleep(0.05)
    assert take_turn(engine, "a", LONG) == 0
    assert take_turn(engine, "a", LONG) > 0


def test_who_asks_at_once_gets_turns_of_their_own(engine: Engine) -> None:
    """Many askers at the same moment, from the first turn on, all get another one."""
    with ThreadPoolExecutor(16) as threads:
        waits = sorted(threads.map(lambda _: take_turn(engine, "a", LONG), range(64)))
    assert [round(wait / LONG) for wait in waits] == list(range(64))
    assert next_at(engine, "a") == pytest.approx(time.time() + 64 * LONG, abs=LONG / 2)


def test_turns_can_be_postponed(engine: Engine) -> None:
    """A server that nobody knew is left alone, too; a shorter time does not undo a longer one."""
    postpone_turns(engine, "a", LONG)
    postpone_turns(engine, "a", 1.0)
    assert LONG / 2 < take_turn(engine, "a", 1.0) <= LONG
    postpone_turns(engine, "a", 2 * LONG)
    assert LONG < take_turn(engine, "a", 1.0) <= 2 * LONG


def test_a_clock_that_was_wrong_stops_nobody_for_long(engine: Engine) -> None:
    """A time far ahead, from before the clock was set back, counts as an hour at most."""
    take_turn(engine, "a", 1.0)
    with transaction(engine) as connection:
        connection.execute(update(turns).values(next_at=time.time() + 10 * module.FARTHEST))
    assert take_turn(engine, "a", 1.0) <= module.FARTHEST
