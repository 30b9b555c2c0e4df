"""
What changed from a run of a list to the next one, found by the database itself.

The rows of both runs are put under each other and grouped by domain, a part of the slots at a time.
Not joined: while tables are young, PostgreSQL's statistics may say that one side is empty, and it
would read all of that side for each row of the other. A GROUP BY can only be sorted or hashed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, func, literal, or_, select, text, update

from database.engine import reading, transaction
from database.results import counts_by_check
from database.tables import changes, lists, results, runs

#: About so many domains in one statement: sorted in memory, and no other writer waits long.
PART = 25_000
#: Slots are 32-bit hashes, so equal parts of them have about as many domains each.
SLOTS = 1 << 32
#: Every kind of change, in the order of reports.
KINDS = ("new", "gone", "status", "answer")

#: One run's results. An answer without a fingerprint is from before there were any: nobody can say
#: whether it has changed.
_RESULTS = """
SELECT slot, name, {before} AS before_status, {after} AS after_status,
       {before_print} AS before_print, {after_print} AS after_print,
       CASE WHEN answer IS NOT NULL AND fingerprint IS NULL THEN 1 ELSE 0 END AS unknown,
       {listed} AS was_listed, {listed} AS is_listed
FROM results WHERE run = {run} AND "check" = :check AND slot >= :first AND slot < :end
"""
_LISTED = """
SELECT slot, name, CAST(NULL AS VARCHAR(32)), CAST(NULL AS VARCHAR(32)),
       CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), 0, {was}, {now}
FROM domains WHERE list_id = {list_id} AND slot >= :first AND slot < :end
"""
_INSERT = """
INSERT INTO changes (run, "check", slot, name, change, before_status, after_status)
SELECT :run, :check, slot, name,
       CASE WHEN before_status IS NULL AND was_listed = 0 THEN 'new'
            WHEN after_status IS NULL AND is_listed = 0 THEN 'gone'
            WHEN before_status = after_status THEN 'answer'
            ELSE 'status' END,
       before_status, after_status
FROM (
    SELECT slot, name, max(before_status) AS before_status, max(after_status) AS after_status,
           max(before_print) AS before_print, max(after_print) AS after_print,
           max(unknown) AS unknown, max(was_listed) AS was_listed, max(is_listed) AS is_listed
    FROM ({sides}) AS sides GROUP BY slot, name
) AS pairs
WHERE before_status <> after_status
   OR (before_status IS NULL) <> (after_status IS NULL)
   OR (unknown = 0 AND before_print <> after_print)
   OR (unknown = 0 AND (before_print IS NULL) <> (after_print IS NULL))
ON CONFLICT DO NOTHING
"""
_NO_TEXT, _NO_NUMBER = "CAST(NULL AS VARCHAR(32))", "CAST(NULL AS BIGINT)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One domain in one check, in the earlier and in the later run."""

    name: str
    #: None where it had no result.
    before_status: str | None
    after_status: str | None
    #: JSON text; None where there was no answer.
    before_answer: str | None
    after_answer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A run and the one before it, each with its list."""

    run: int
    list_id: int
    previous: int
    previous_list: int

    def statement(self) -> str:
        """Return the SQL that compares a part of a check."""
        same = self.list_id == self.previous_list
        nothing = {"before": _NO_TEXT, "after": _NO_TEXT}
        nothing |= {"before_print": _NO_NUMBER, "after_print": _NO_NUMBER}
        nothing |= {"listed": str(int(same))}
        before = nothing | {"before": "status", "before_print": "fingerprint"}
        after = nothing | {"after": "status", "after_print": "fingerprint"}
        sides = [
            _RESULTS.format(run=":previous", **before),
            _RESULTS.format(run=":run", **after),
        ]
        if not same:
            sides.append(_LISTED.format(list_id=":previous_list", was=1, now=0))
            sides.append(_LISTED.format(list_id=":list_id", was=0, now=1))
        return _INSERT.format(sides=" UNION ALL ".join(sides))


def compare(engine: Engine, run: int, *, by_name: bool = True) -> int | None:
    """
    Find what changed since the previous run of the same list, and keep it.

    That is the newest earlier run that has ended, of the very same list; where there is none, of
    a list of the same name: a later version of a file. Only checks of both runs are compared, and
    only by the same command with the same options. Again is safe: it replaces what was found.

    Args:
        engine: The database.
        run: The number of a run whose results are all there.
        by_name: Whether the name of its list says anything: not where every list of a kind has it.

    Returns:
        The previous run's number; None where there is none.
    """
    with transaction(engine) as connection:
        connection.execute(delete(changes).where(changes.c.run == run))
        connection.execute(update(runs).where(runs.c.number == run).values(previous=None))
        pair = _pair(connection, run, by_name=by_name)
    if pair is None:
        return None
    statement = text(pair.statement())
    for part in _parts(engine, pair):
        with transaction(engine) as connection:
            connection.execute(statement, part)
    with transaction(engine) as connection:
        connection.execute(update(runs).where(runs.c.number == run).values(previous=pair.previous))
    return pair.previous


def previous_run(engine: Engine, run: int) -> int | None:
    """Return the number of the run that a run was compared with; None where it was not."""
    with reading(engine) as connection:
        return connection.execute(select(runs.c.previous).where(runs.c.number == run)).scalar()


def change_counts(engine: Engine, run: int) -> dict[str, Counter[str]]:
    """Return check -> kind of change -> how many domains; nothing where nothing changed."""
    return counts_by_check(engine, changes.c.change, run)


def change_examples(engine: Engine, run: int, check: str, change: str, limit: int) -> list[Change]:
    """Return the first domains (<= limit) of a kind of change, with both answers."""
    first = (
        select(changes)
        .where(changes.c.run == run, changes.c.check == check, changes.c.change == change)
        .order_by(changes.c.slot, changes.c.name)
        .limit(limit)
        .subquery()
    )
    before, after = results.alias(), results.alias()
    statement = (
        select(first, before.c.answer, after.c.answer)
        .select_from(first)
        .join(runs, runs.c.number == first.c.run)
        .outerjoin(before, _same(before, first, runs.c.previous))
        .outerjoin(after, _same(after, first, first.c.run))
        .order_by(first.c.slot, first.c.name)
    )
    with reading(engine) as connection:
        return [
            Change(
                name=row[3],
                before_status=row[5],
                after_status=row[6],
                before_answer=row[7],
                after_answer=row[8],
            )
            for row in connection.execute(statement)
        ]


def _same(result: Any, change: Any, run: Any) -> Any:
    """Say that a result is of a change's domain and check, in a run."""
    keys = (result.c[key] == change.c[key] for key in ("check", "slot", "name"))
    return and_(result.c.run == run, *keys)


def _pair(connection: Connection, run: int, *, by_name: bool) -> _Pair | None:
    mine = connection.execute(
        select(lists.c.id, lists.c.name)
        .join(runs, runs.c.list_id == lists.c.id)
        .where(runs.c.number == run)
    ).one_or_none()
    if mine is None:
        return None
    earlier = connection.execute(
        select(runs.c.number, runs.c.list_id)
        .join(lists, lists.c.id == runs.c.list_id)
        .where(
            runs.c.number < run,
            runs.c.ended_at.is_not(None),
            or_(lists.c.id == mine.id, and_(literal(by_name), lists.c.name == mine.name)),
        )
        .order_by((lists.c.id == mine.id).desc(), runs.c.number.desc())
        .limit(1)
    ).one_or_none()
    if earlier is None:
        return None
    return _Pair(run=run, list_id=mine.id, previous=earlier.number, previous_list=earlier.list_id)


def _parts(engine: Engine, pair: _Pair) -> Iterator[dict[str, Any]]:
    """Yield the parameters of each statement."""
    numbers = {
        "run": pair.run,
        "previous": pair.previous,
        "list_id": pair.list_id,
        "previous_list": pair.previous_list,
    }
    with reading(engine) as connection:
        before, after = (_checks(connection, run) for run in (pair.previous, pair.run))
        kinds = [_kinds(connection, run) for run in (pair.previous, pair.run)]
    for check in sorted(before.keys() & after.keys()):
        if kinds[0].get(check) != kinds[1].get(check):
            continue
        count = -(-max(before[check], after[check], 1) // PART)
        ends = [SLOTS * n // count for n in range(count + 1)]
        for first, end in pairwise(ends):
            yield {**numbers, "check": check, "first": first, "end": end}


def _kinds(connection: Connection, run: int) -> dict[str, Any]:
    """Return a run's checks with what each does: other options may well give other answers."""
    checks = connection.execute(select(runs.c.checks).where(runs.c.number == run)).scalar_one()
    nodes = [check for check in checks if isinstance(check, dict)]
    return {node["check"]: (node.get("command"), node.get("options")) for node in nodes}


def _checks(connection: Connection, run: int) -> dict[str, int]:
    """Return a run's checks, and how many results each has."""
    statement = select(results.c.check, func.count()).where(results.c.run == run)
    return dict(connection.execute(statement.group_by(results.c.check)).tuples().all())
