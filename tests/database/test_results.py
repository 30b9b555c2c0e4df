"""A domain has one result in each check, the best that was found; none is lost or doubled."""

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from database.results import (
    counter_values,
    examples,
    result_rows,
    save_results,
    slowest,
    status_counts,
)
from tests.database.rows import CHECKED_AT, Key, keys, make_stage, result, stored

KEY: Key = (7, "a.org")
UNSURE = {"status": "timeout", "answer": None, "error": "silence", "final": False}
FINAL = {"status": "nxdomain", "answer": None, "attempts": 2, "latency_ms": 9.0, "final": True}
OTHER = {"status": "resolves", "decided_by": "127.0.0.2:53", "attempts": 3, "final": True}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ([UNSURE], 0),
        ([FINAL], 0),
        ([UNSURE, FINAL], 1),
        ([FINAL, UNSURE], 0),
        ([FINAL, OTHER], 0),
        ([FINAL, FINAL], 0),
        ([UNSURE, UNSURE | {"attempts": 2}], 1),
        ([UNSURE, OTHER, FINAL], 1),
        ([UNSURE, UNSURE | {"error": "again"}, OTHER, UNSURE], 2),
    ],
)
def test_the_first_final_result_stays(
    engine: Engine, written: list[dict[str, Any]], kept: int
) -> None:
    """A later result replaces an unsure one in all its columns, and never a final one."""
    stage = make_stage(engine, [KEY])
    for values in written:
        save_results(engine, stage.run, stage.check, [result(KEY, **values)])
    slot_name_and_more = result(KEY, **written[kept])
    _, name, status, answer, error, attempts, decided_by, latency, _, _, _ = slot_name_and_more
    text = None if answer is None else json.dumps(answer)
    expected = (name, stage.check, status, text, error, attempts, decided_by, latency)
    assert stored(engine, stage.run) == [expected]


def test_a_stage_has_its_own_results(engine: Engine) -> None:
    """The same domain in another check or another run is another row."""
    stages = [make_stage(engine, [KEY]) for _ in range(2)]
    for stage in stages:
        for check in ("host", "http"):
            status = f"{check} in {stage.run}"
            save_results(engine, stage.run, check, [result(KEY, status=status)])
    for stage in stages:
        assert [row[2] for row in stored(engine, stage.run)] == [
            f"host in {stage.run}",
            f"http in {stage.run}",
        ]


def test_times_come_back(engine: Engine) -> None:
    """The moment of a result is kept to the microsecond, in UTC."""
    stage = make_stage(engine, [KEY])
    save_results(engine, stage.run, stage.check, [result(KEY)])
    moment = next(iter(result_rows(engine, stage.run, 10)))[0][-2]
    assert moment.replace(tzinfo=UTC) == datetime.fromtimestamp(CHECKED_AT, UTC)


@pytest.mark.parametrize("rows_at_once", [1, 7, 1000])
def test_results_come_in_the_order_of_the_file(engine: Engine, rows_at_once: int) -> None:
    """Rows are in the order of the lines, the checks of a line together, whatever the chunks."""
    domains = keys(60, slots=5)
    stage = make_stage(engine, domains)
    for check in ("http", "host"):
        mixed = random.Random(check).sample(domains, k=len(domains))
        save_results(engine, stage.run, check, [result(key) for key in mixed])
    expected = [(name, check) for _, name in domains for check in ("host", "http")]
    assert [row[:2] for row in stored(engine, stage.run, rows_at_once=rows_at_once)] == expected
    sizes = [len(chunk) for chunk in result_rows(engine, stage.run, rows_at_once)]
    assert max(sizes) <= rows_at_once


def test_a_reader_may_stop_in_the_middle(engine: Engine) -> None:
    """Leaving the rows half read gives the connection back."""
    domains = keys(100)
    stage = make_stage(engine, domains)
    save_results(engine, stage.run, stage.check, [result(key) for key in domains])
    for _ in range(50):
        assert len(next(iter(result_rows(engine, stage.run, 10)))) == 10
    assert len(stored(engine, stage.run)) == 100


def test_counters_add_up(engine: Engine) -> None:
    """Counts from many threads at once are added, each to its own check and key."""
    stage = make_stage(engine, [KEY])
    counts = [{f"server{n % 3} answered": n + 1, "server0 timeout": 1} for n in range(40)]

    def add(count: dict[str, int]) -> None:
        save_results(engine, stage.run, "host", [], count)
        save_results(engine, stage.run, "http", [], {"pages": 1})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, counts))
    expected: Counter[str] = Counter()
    for count in counts:
        expected.update(count)
    assert counter_values(engine, stage.run, "host") == dict(expected)
    assert counter_values(engine, stage.run, "http") == {"pages": 40}
    assert counter_values(engine, stage.run + 1, "host") == {}


def test_statuses_are_counted(engine: Engine) -> None:
    """Each check's domains are counted by status, replaced results once."""
    domains = keys(30)
    stage = make_stage(engine, domains)
    statuses = ["resolves"] * 20 + ["nxdomain"] * 7 + ["timeout"] * 3
    rows = [result(key, status=s) for key, s in zip(domains, statuses, strict=True)]
    save_results(engine, stage.run, "host", [result(key, **UNSURE) for key in domains])
    save_results(engine, stage.run, "host", rows)
    save_results(engine, stage.run, "http", rows[:5])
    assert status_counts(engine, stage.run) == {
        "host": Counter(statuses),
        "http": Counter({"resolves": 5}),
    }
    assert status_counts(engine, stage.run + 1) == {}


def test_samples_are_of_the_asked_kind(engine: Engine) -> None:
    """The slowest come slowest first, and examples are of their status, both no more than asked."""
    domains = keys(30)
    stage = make_stage(engine, domains)
    rows = [
        result(key, latency_ms=float(n), status="error" if n % 2 else "resolves", error=f"no {n}")
        for n, key in enumerate(domains)
    ]
    save_results(engine, stage.run, stage.check, rows)
    names = [name for _, name in domains]
    assert slowest(engine, stage.run, stage.check, 2) == [
        (names[29], "error", 29.0),
        (names[28], "resolves", 28.0),
    ]
    found = examples(engine, stage.run, stage.check, "error", 4)
    order = [name for _, name in sorted(domains)]
    wrong = [name for name in order if names.index(name) % 2]
    assert found == [(name, f"no {names.index(name)}") for name in wrong[:4]]
    assert examples(engine, stage.run, stage.check, "timeout", 4) == []
