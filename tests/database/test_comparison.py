"""A run is held against the one before it of the same list, or of an earlier file of that name."""

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from database import comparison
from database.comparison import Change, change_counts, change_examples, compare, previous_run
from database.engine import reading, transaction
from database.lists import ListWriter
from database.results import result_rows, save_results
from database.runs import end_run, open_run, use_list
from database.tables import changes, results
from tests.database.rows import Key, keys, make_list, result

DOMAINS = keys(8)
NXDOMAIN = {"status": "nxdomain", "answer": None}
OTHER = {"answer": {"a": ["192.0.2.2"]}}
#: By what a domain had before and has now: the kind of change. None is no row.
CASES: list[tuple[dict[str, Any] | None, dict[str, Any] | None, str | None]] = [
    ({}, {}, None),
    (NXDOMAIN, NXDOMAIN, None),
    ({}, NXDOMAIN, "status"),
    (NXDOMAIN, {}, "status"),
    ({}, OTHER, "answer"),
    ({}, {"answer": None}, "answer"),
    ({"answer": None}, {}, "answer"),
    ({}, OTHER | {"fingerprint": result(DOMAINS[0])[-1]}, None),
    ({"fingerprint": None}, OTHER, None),
    (OTHER, {"fingerprint": None}, None),
    ({"fingerprint": None}, NXDOMAIN, "status"),
    ({}, {"error": "other", "latency_ms": 99.0, "attempts": 2, "decided_by": "other"}, None),
    (None, {}, "status"),
    ({}, None, "status"),
    (None, None, None),
]


def make_run(
    engine: Engine,
    list_id: int,
    rows: Sequence[tuple[Any, ...]],
    *,
    checks: Sequence[str] = ("host",),
    ended: bool = True,
) -> int:
    """Store a run of a list with results, the same ones in each check."""
    run = open_run(engine, uuid.uuid4(), None, list(checks))
    use_list(engine, run.number, list_id)
    for check in checks:
        save_results(engine, run.number, check, rows)
    if ended:
        end_run(engine, run.number)
    return run.number


def all_of(domains: Sequence[Key], **values: Any) -> list[tuple[Any, ...]]:
    """Make a row for each domain."""
    return [result(key, **values) for key in domains]


def found(engine: Engine, run: int) -> list[tuple[Any, ...]]:
    """List all changes of a run."""
    columns = (changes.c.check, changes.c.name, changes.c.change)
    with reading(engine) as connection:
        rows = connection.execute(select(*columns).where(changes.c.run == run))
        return sorted(tuple(row) for row in rows)


@pytest.mark.parametrize("same_list", [True, False])
def test_every_kind_of_change_is_told(engine: Engine, *, same_list: bool) -> None:
    """A domain that was listed all the time has another status, another answer, or no change."""
    domains = keys(len(CASES), slots=4)
    first = make_list(engine, domains)
    second = first if same_list else make_list(engine, domains)
    sides = [
        [result(key, **side) for key, side in zip(domains, column, strict=True) if side is not None]
        for column in ([case[0] for case in CASES], [case[1] for case in CASES])
    ]
    before, after = make_run(engine, first, sides[0]), make_run(engine, second, sides[1])
    assert compare(engine, after) == before == previous_run(engine, after)
    expected = [
        ("host", name, change)
        for (_, name), (_, _, change) in zip(domains, CASES, strict=True)
        if change
    ]
    assert found(engine, after) == sorted(expected)
    assert found(engine, before) == []


def test_domains_come_and_go_with_the_list(engine: Engine) -> None:
    """Of a later file with the same name, domains are new or gone; what stayed is compared."""
    old, new = DOMAINS[:6], DOMAINS[2:]
    before = make_run(engine, make_list(engine, old), all_of(old))
    # What is listed later and has no result has not come.
    after = make_run(engine, make_list(engine, new), all_of(new[1:-1], **NXDOMAIN))
    assert compare(engine, after) == before
    kinds = {name: kind for _, name, kind in found(engine, after)}
    names = [name for _, name in DOMAINS]
    assert kinds == {
        **dict.fromkeys(names[:2], "gone"),
        **dict.fromkeys(names[2:6], "status"),
        names[6]: "new",
    }


def test_only_checks_of_both_runs_are_compared(engine: Engine) -> None:
    """A check that the earlier run did not have is no change of every domain."""
    list_id = make_list(engine, DOMAINS)
    before = make_run(engine, list_id, all_of(DOMAINS), checks=("a", "b"))
    after = make_run(engine, list_id, all_of(DOMAINS, **NXDOMAIN), checks=("b", "c"))
    assert compare(engine, after) == before
    assert change_counts(engine, after) == {"b": Counter(status=len(DOMAINS))}


def test_the_previous_run_is_of_the_same_list(engine: Engine) -> None:
    """The newest ended run of the same list counts; else that of a list with the same name."""
    rows = all_of(DOMAINS)
    same, namesake = make_list(engine, DOMAINS), make_list(engine, DOMAINS)
    foreign = ListWriter(engine, "another list", "f" * 64)
    foreign.finish(description="", ledger={}, reasons={})
    make_run(engine, foreign.id, rows)
    first = make_run(engine, same, rows)
    assert compare(engine, first) is None
    second = make_run(engine, namesake, rows)
    assert compare(engine, second) == first
    third = make_run(engine, same, rows)
    # Not the second one: the very same list counts more than its name.
    assert compare(engine, third) == first
    make_run(engine, same, rows, ended=False)
    later = make_run(engine, same, rows)
    assert compare(engine, later) == third
    # What comes later is not earlier.
    assert compare(engine, third) == first
    assert previous_run(engine, first) is None


def test_a_run_without_a_list_is_compared_with_nothing(engine: Engine) -> None:
    """Neither a run whose list is not there, nor one that does not exist, has a previous one."""
    make_run(engine, make_list(engine, DOMAINS), all_of(DOMAINS))
    run = open_run(engine, uuid.uuid4(), None, ["host"])
    assert compare(engine, run.number) is None
    assert compare(engine, run.number + 1) is None


def test_comparing_again_replaces(engine: Engine) -> None:
    """A repeated comparison leaves what is right now, whatever the first one found."""
    list_id = make_list(engine, DOMAINS)
    make_run(engine, list_id, all_of(DOMAINS))
    after = make_run(engine, list_id, all_of(DOMAINS, **NXDOMAIN))
    compare(engine, after)
    compare(engine, after)
    assert len(found(engine, after)) == len(DOMAINS)
    with transaction(engine) as connection:
        one = results.c.name == DOMAINS[0][1]
        mine = results.c.run == after
        connection.execute(update(results).where(mine, ~one).values(status="resolves"))
        fingerprint = result(DOMAINS[0])[-1]
        connection.execute(update(results).where(mine, ~one).values(fingerprint=fingerprint))
    compare(engine, after)
    assert found(engine, after) == [("host", DOMAINS[0][1], "status")]


def test_many_parts_are_as_good_as_one(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each domain is in one part, also at the ends of the slots."""
    monkeypatch.setattr(comparison, "PART", 7)
    ends = [(0, "first.org"), (comparison.SLOTS - 1, "last.org"), (1 << 31, "middle.org")]
    domains = [*keys(100), *ends]
    list_id = make_list(engine, domains)
    make_run(engine, list_id, all_of(domains))
    after = make_run(engine, list_id, all_of(domains, **OTHER))
    compare(engine, after)
    assert change_counts(engine, after) == {"host": Counter(answer=len(domains))}


def test_examples_have_both_answers(engine: Engine) -> None:
    """What a domain had before stands beside what it has now, in the order of the slots."""
    old, new = DOMAINS[:6], DOMAINS[2:]
    make_run(engine, make_list(engine, old), all_of(old))
    after = make_run(engine, make_list(engine, new), all_of(new, **OTHER))
    compare(engine, after)
    before_answer, after_answer = '{"a": ["192.0.2.1"]}', '{"a": ["192.0.2.2"]}'
    assert change_examples(engine, after, "host", "answer", 2) == [
        Change(
            name=name,
            before_status="resolves",
            after_status="resolves",
            before_answer=before_answer,
            after_answer=after_answer,
        )
        for _, name in sorted(DOMAINS[2:6])[:2]
    ]
    (gone, _) = change_examples(engine, after, "host", "gone", 9)
    assert (gone.before_status, gone.after_status, gone.after_answer) == ("resolves", None, None)
    assert gone.before_answer == before_answer
    assert len(change_examples(engine, after, "host", "new", 9)) == 2
    assert change_examples(engine, after, "host", "status", 9) == []


def test_result_files_say_what_changed(engine: Engine) -> None:
    """The last column is the kind of change, or nothing; what is gone is in no row."""
    old, new = DOMAINS[:6], DOMAINS[2:]
    make_run(engine, make_list(engine, old), all_of(old))
    rows = [result(key, **(OTHER if number == 0 else {})) for number, key in enumerate(new)]
    after = make_run(engine, make_list(engine, new), rows)
    compare(engine, after)
    written = [(row[0], row[-1]) for chunk in result_rows(engine, after, 100) for row in chunk]
    expected = ["answer", None, None, None, "new", "new"]
    assert written == [(name, kind) for (_, name), kind in zip(new, expected, strict=True)]
