"""The queries that run for every batch go by the keys, however many rows there are."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from database.batches import Range, Stage, pending_count, pending_names, pending_ranges
from database.comparison import change_counts
from database.engine import open_database, reading
from database.results import counter_values, examples, save_results, slowest, status_counts
from tests.database.rows import keys, make_stage, result, stored

DOMAINS = sorted(keys(100))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give the file of an SQLite database: PostgreSQL's plans follow the sizes of the tables."""
    return tmp_path / "rollcall.db"


@pytest.fixture
def stage(file: Path) -> tuple[Engine, Stage]:
    """Give a stage with final, unsure and pending domains."""
    engine = open_database(f"sqlite:///{file}")
    made = make_stage(engine, DOMAINS)
    rows = [result(key, final=n % 3 == 0) for n, key in enumerate(DOMAINS[:60])]
    save_results(engine, made.run, made.check, rows)
    return engine, made


@contextlib.contextmanager
def recorded(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Record the queries and updates, each with its parameters."""
    queries: list[tuple[str, Any]] = []

    def record(_connection: object, _cursor: object, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            queries.append((statement, values))

    event.listen(engine, "before_cursor_execute", record)
    try:
        yield queries
    finally:
        event.remove(engine, "before_cursor_execute", record)


def steps(file: Path, queries: list[tuple[str, Any]]) -> list[list[str]]:
    """Ask SQLite for the steps of each query."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [
            [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            for statement, values in queries
        ]


def read(engine: Engine, stage: Stage) -> None:
    """Do what a pass does: count, cut into ranges, read each range."""
    pending_count(engine, stage)
    for within in pending_ranges(engine, stage, 10):
        pending_names(engine, stage, within)


def test_the_first_pass_goes_by_the_primary_keys(file: Path, stage: tuple[Engine, Stage]) -> None:
    """Domains and results of a batch are found by their keys, within its bounds."""
    engine, first = stage
    with recorded(engine) as queries:
        read(engine, first)
    plans = ["\n".join(plan) for plan in steps(file, queries)]
    # Two to count; for each ten domains of the list its end and its pending ones; four batches.
    assert len(plans) == 2 + 2 * (100 // 10 + 1) + 4
    for plan in plans:
        assert "PRIMARY KEY (" in plan
        assert "SCAN domains" not in plan
        assert "SCAN results" not in plan
    bounds = "(slot,name)>(?,?) AND (slot,name)<(?,?)"
    within = [plan for plan in plans if "USING PRIMARY KEY (run=? AND check=?" in plan]
    # The first has no lower bound, the last no upper one.
    assert sum(plan.count(bounds) == 2 for plan in within) == 100 // 10 - 1 + 4


def test_the_second_pass_goes_by_its_small_index(file: Path, stage: tuple[Engine, Stage]) -> None:
    """Unsure names are found by the index that holds nothing else; nothing is sorted."""
    engine, first = stage
    with recorded(engine) as queries:
        read(engine, Stage(run=first.run, list_id=first.list_id, check="host", second_pass=True))
    plans = ["\n".join(plan) for plan in steps(file, queries)]
    assert len(plans) == 1 + 2 * (40 // 10 + 1) + 4
    for plan in plans:
        assert "INDEX results_unsure (run=? AND check=? AND final=?" in plan
        assert "SCAN results" not in plan
        assert "PRIMARY KEY" not in plan
        assert "TEMP B-TREE" not in plan


def test_postgresql_goes_by_the_keys_before_it_knows_the_sizes(postgres_url: str) -> None:
    """Nobody has analysed the tables of a young run: a batch is found by keys all the same."""
    engine = open_database(postgres_url)
    domains = sorted(keys(5_000))
    stage = make_stage(engine, domains)
    save_results(engine, stage.run, stage.check, [result(key) for key in domains[:4_000]])
    within = Range(first=domains[3_950], last=domains[4_049], count=50)
    with recorded(engine) as queries:
        assert pending_names(engine, stage, within) == domains[4_000:4_050]
    ((statement, values),) = queries
    with reading(engine) as connection:
        explained = connection.exec_driver_sql(f"EXPLAIN {statement}", values)
        plan = [row[0] for row in explained]
    assert not any("Seq Scan" in line for line in plan), plan
    found = [line for line in plan if "Index Cond" in line]
    assert len(found) == 2
    assert all(line.count("ROW(slot, name)") == 2 for line in found), plan


REPORTS: dict[str, Callable[[Engine, int], object]] = {
    "status_counts": status_counts,
    "counter_values": lambda engine, run: counter_values(engine, run, "host"),
    "slowest": lambda engine, run: slowest(engine, run, "host", 5),
    "examples": lambda engine, run: examples(engine, run, "host", "resolves", 5),
    "result_rows": stored,
    "change_counts": change_counts,
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_reads_its_own_run_only(
    file: Path, stage: tuple[Engine, Stage], name: str
) -> None:
    """What is read for a report is searched by the run's number, never all runs of the database."""
    engine, first = stage
    with recorded(engine) as queries:
        REPORTS[name](engine, first.run)
    (plan,) = steps(file, queries)
    assert any(step.startswith("SEARCH") and "(run=?" in step for step in plan), plan
    assert not any(step.startswith("SCAN") for step in plan), plan
