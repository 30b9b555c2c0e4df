"""What a check does not look at, and what it does, by the results of those that it needs."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from database.batches import Stage, pending_count, pending_names, segments
from database.results import save_results, status_counts
from database.skips import skip
from tests.database.rows import keys, make_stage, result, stored

DOMAINS = sorted(keys(100, slots=40))
#: Each fifth is unsure, and of the others each second one resolves.
RESULTS = [
    result(key, status="nxdomain" if n % 2 else "resolves", final=n % 5 != 0)
    for n, key in enumerate(DOMAINS)
]
FINAL = [key for n, key in enumerate(DOMAINS) if n % 5]
PASSED = [key for n, key in enumerate(DOMAINS) if n % 5 and n % 2 == 0]


@pytest.fixture
def stage(engine: Engine) -> Stage:
    """Give the stage of a check that needs another one, which has its results."""
    first = make_stage(engine, DOMAINS)
    save_results(engine, first.run, "host", RESULTS)
    return replace(first, check="http", needs=(("host", ("resolves",)),))


def test_only_what_was_passed_on_is_pending(engine: Engine, stage: Stage) -> None:
    """A domain is pending when its needed result is final and good, and it has none itself."""
    parts = list(segments(engine, stage.list_id, 30))
    assert [part.count for part in parts] == [30, 30, 30, 10]
    assert [key for part in parts for key in pending_names(engine, stage, part)] == PASSED
    save_results(engine, stage.run, "http", [result(PASSED[0])])
    assert pending_names(engine, stage, parts[0])[0] == PASSED[1]


def test_the_others_are_skipped_once(engine: Engine, stage: Stage) -> None:
    """Each domain that is not passed on gets one row with the reason; unsure ones wait."""
    counts = [skip(engine, stage, "skipped", part) for part in segments(engine, stage.list_id, 30)]
    assert sum(counts) == len(FINAL) - len(PASSED)
    assert skip(engine, stage, "skipped") == 0
    assert status_counts(engine, stage.run)["http"] == {"skipped": sum(counts)}
    rows = [row for row in stored(engine, stage.run) if row[1] == "http"]
    assert {row[0] for row in rows} == {name for _, name in set(FINAL) - set(PASSED)}
    assert {row[2:] for row in rows} == {("skipped", None, "host: nxdomain", 0, "host", 0.0)}


def test_what_was_unsure_comes_later(engine: Engine, stage: Stage) -> None:
    """When the needed check has its last results, all that is left is pending or skipped."""
    skip(engine, stage, "skipped")
    late = [result(key, status="resolves") for key in DOMAINS]
    save_results(engine, stage.run, "host", late)
    assert skip(engine, stage, "skipped") == 0
    assert pending_count(engine, stage) == len(DOMAINS) - len(FINAL) + len(PASSED)


def test_two_needs(engine: Engine, stage: Stage) -> None:
    """A domain goes on only when both pass it on; it is skipped when one does not."""
    save_results(engine, stage.run, "http", [result(key, status="ok") for key in PASSED[:10]])
    save_results(engine, stage.run, "http", [result(key, status="gone") for key in PASSED[10:15]])
    both = replace(stage, check="tls", needs=(("host", ("resolves",)), ("http", ("ok",))))
    (everything,) = segments(engine, stage.list_id, 1_000)
    assert pending_names(engine, both, everything) == PASSED[:10]
    assert skip(engine, both, "skipped") == len(FINAL) - len(PASSED) + 5
    assert skip(engine, both, "skipped", everything) == 0
