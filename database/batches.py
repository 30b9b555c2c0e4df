"""Which domains of a run are still to be checked, in ranges of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import ge, gt, le
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    Select,
    except_,
    func,
    intersect,
    literal,
    select,
    tuple_,
)

from database.engine import reading
from database.tables import domains, results

#: Slot and name of a domain, by which domains and results are ordered.
Key = tuple[int, str]
#: A comparison, and what a key is compared with.
Bound = tuple[Callable[[Any, Any], Any], Key]


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
    #: Pairs of a check and its statuses: only a domain with a final one of them in each is pending.
    needs: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A range of a stage's pending domains, both ends included."""

    #: Slot and name of the first and the last domain.
    first: tuple[int, str]
    last: tuple[int, str]
    #: How many were pending between them when it was made.
    count: int


def pending_count(engine: Engine, stage: Stage) -> int:
    """
    Return how many domains the stage has still to check.

    Where it needs other checks, these must be done, and what they do not pass on be skipped.
    """
    with reading(engine) as connection:

        def count(statement: Select[Any]) -> int:
            return connection.execute(
                select(func.count()).select_from(statement.subquery())
            ).scalar_one()

        if stage.second_pass:
            return count(_unsure(stage))
        return count(_listed(stage)) - count(_checked(stage))


def pending_ranges(engine: Engine, stage: Stage, size: int) -> Iterator[Range]:
    """
    Cut what a stage has still to check into ranges of `size` domains, the last one smaller.

    Reads one range ahead of the caller at a time, so cost and memory follow the batches asked for.
    """
    waiting: list[Key] = []
    for keys in _pending_keys(engine, stage, size):
        waiting += keys
        while len(waiting) >= size:
            yield _range(waiting[:size])
            del waiting[:size]
    if waiting:
        yield _range(waiting)


def segments(engine: Engine, list_id: int, size: int) -> Iterator[Range]:
    """Cut a list into ranges of `size` domains, the last one smaller; the same ones each time."""
    everything = _listed(Stage(run=0, list_id=list_id, check=""))
    after: list[Bound] = []
    while True:
        keys = _within(everything, after).order_by(*everything.selected_columns).limit(size)
        with reading(engine) as connection:
            found = _read(connection, keys)
        if found:
            yield _range(found)
        if len(found) < size:
            return
        after = [(gt, found[-1])]


def pending_names(engine: Engine, stage: Stage, within: Range) -> list[Key]:
    """Return slot and name of the domains in a range that the stage has still to check."""
    with reading(engine) as connection:
        return sorted(_read(connection, _pending(stage, (ge, within.first), (le, within.last))))


def _pending_keys(engine: Engine, stage: Stage, size: int) -> Iterator[list[Key]]:
    """Go through all of the stage by `size`, and give of each part what is pending."""
    everything = _unsure(stage) if stage.second_pass else _listed(stage)
    after: list[Bound] = []
    while True:
        in_order = _within(everything, after).order_by(*everything.selected_columns)
        with reading(engine) as connection:
            last = _read(connection, in_order.offset(size - 1).limit(1))
            upto = [(le, last[0])] if last else []
            yield sorted(_read(connection, _pending(stage, *after, *upto)))
        if not last:
            return
        after = [(gt, last[0])]


def _pending(stage: Stage, *bounds: Bound) -> Executable:
    """
    Select what is pending between bounds.

    Not as an anti-join: while a run writes, PostgreSQL's statistics are minutes old, and it would
    read all results for each domain. Bounds on both sides leave it no choice but the keys.
    """
    if stage.second_pass:
        return _within(_unsure(stage), bounds)
    wanted = _within(_listed(stage), bounds)
    if stage.needs:
        passed = intersect(*(_within(_passed(stage, *need), bounds) for need in stage.needs))
        wanted = select(*passed.subquery().columns)
    return except_(wanted, _within(_checked(stage), bounds))


def _listed(stage: Stage) -> Select[Any]:
    return select(domains.c.slot, domains.c.name).where(domains.c.list_id == stage.list_id)


def _checked(stage: Stage) -> Select[Any]:
    return select(results.c.slot, results.c.name).where(
        results.c.run == stage.run, results.c.check == stage.check
    )


def _unsure(stage: Stage) -> Select[Any]:
    return _checked(stage).where(~results.c.final)


def _passed(stage: Stage, check: str, statuses: tuple[str, ...]) -> Select[Any]:
    return select(results.c.slot, results.c.name).where(
        results.c.run == stage.run,
        results.c.check == check,
        results.c.final,
        results.c.status.in_(statuses),
    )


def _within(statement: Select[Any], bounds: Iterable[Bound]) -> Select[Any]:
    key = tuple_(*statement.selected_columns)
    ends = [compare(key, tuple_(*map(literal, end))) for compare, end in bounds]
    return statement.where(*ends)


def ranges(keys: Sequence[Key], size: int) -> Iterator[Range]:
    """Cut sorted keys into ranges of `size`, the last one smaller."""
    for begin in range(0, len(keys), size):
        yield _range(list(keys[begin : begin + size]))


def _read(connection: Connection, statement: Executable) -> list[Key]:
    return [(slot, name) for slot, name in connection.execute(statement)]


def _range(keys: list[Key]) -> Range:
    return Range(first=keys[0], last=keys[-1], count=len(keys))
