"""Which domains of a run are still to be checked, in ranges of keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, exists, func, literal, select, tuple_

from database.engine import reading
from database.tables import domains, results


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One pass of one check of a run."""

    #: The run's number.
    run: int
    #: The list's id.
    list_id: int
    #: The check's name.
    check: str
    #: Whether it is the second look at the names that were unsure in the first.
    second_pass: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A range of a stage's pending domains, both ends included."""

    #: Slot and name of the first and the last domain.
    first: tuple[int, str]
    last: tuple[int, str]
    #: How many were pending between them when it was made.
    count: int


def pending_count(engine: Engine, stage: Stage) -> int:
    """Return how many domains the stage has still to check."""
    with reading(engine) as connection:
        return connection.execute(
            select(func.count()).select_from(_pending(stage).subquery())
        ).scalar_one()


def pending_ranges(engine: Engine, stage: Stage, size: int) -> Iterator[Range]:
    """
    Cut what a stage has still to check into ranges of `size` domains, the last one smaller.

    Reads one range ahead of the caller at a time, so cost and memory follow the batches asked for.
    """
    after: tuple[int, str] | None = None
    while True:
        statement = _pending(stage)
        if after is not None:
            statement = statement.where(_key(statement) > _value(after))
        slot, name = statement.selected_columns
        rows = statement.order_by(slot, name).limit(size).subquery()
        with reading(engine) as connection:
            found = connection.execute(select(rows.c.slot, rows.c.name)).all()
        if not found:
            return
        first, last = tuple(found[0]), tuple(found[-1])
        yield Range(first=first, last=last, count=len(found))
        after = last


def pending_names(engine: Engine, stage: Stage, within: Range) -> list[tuple[int, str]]:
    """Return slot and name of the domains in a range that the stage has still to check."""
    statement = _pending(stage)
    key = _key(statement)
    statement = statement.where(key >= _value(within.first), key <= _value(within.last))
    with reading(engine) as connection:
        return [(slot, name) for slot, name in connection.execute(statement)]


def _pending(stage: Stage) -> Select[Any]:
    if stage.second_pass:
        return select(results.c.slot, results.c.name).where(
            results.c.run == stage.run, results.c.check == stage.check, ~results.c.final
        )
    done = exists().where(
        and_(
            results.c.run == stage.run,
            results.c.check == stage.check,
            results.c.slot == domains.c.slot,
            results.c.name == domains.c.name,
        )
    )
    return select(domains.c.slot, domains.c.name).where(domains.c.list_id == stage.list_id, ~done)


def _key(statement: Select[Any]) -> ColumnElement[Any]:
    return tuple_(*statement.selected_columns)


def _value(key: tuple[int, str]) -> ColumnElement[Any]:
    return tuple_(literal(key[0]), literal(key[1]))
