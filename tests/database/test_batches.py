"""What is still to be checked is cut into ranges: every pending domain in one of them, once."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from database.batches import Range, Stage, pending_count, pending_names, pending_ranges
from database.results import save_results
from tests.database.rows import Key, keys, make_stage, result

NAMES = st.text("ab.-0", min_size=1, max_size=4)
#: Few slots, so that names share them; the largest hash is 2**32 - 1.
DOMAINS = st.sets(st.tuples(st.sampled_from([0, 1, 2, 2**31, 2**32 - 1]), NAMES), max_size=40)


def second(stage: Stage) -> Stage:
    """Give the second pass of a stage."""
    return Stage(run=stage.run, list_id=stage.list_id, check=stage.check, second_pass=True)


def cut(engine: Engine, stage: Stage, size: int) -> tuple[list[Range], list[Key]]:
    """Cut a stage, and read the domains of all ranges."""
    ranges = list(pending_ranges(engine, stage, size))
    found = []
    for within in ranges:
        names = pending_names(engine, stage, within)
        assert within.count == len(names)
        assert (within.first, within.last) == (min(names), max(names))
        found += names
    return ranges, found


@given(domains=DOMAINS, done=st.sets(st.integers(0, 39)), size=st.integers(1, 45))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_ranges_hold_every_pending_domain_once(
    engine: Engine, domains: set[Key], done: set[int], size: int
) -> None:
    """Whatever names share a slot and whatever is done, there is no gap and no overlap."""
    listed = sorted(domains)
    stage = make_stage(engine, listed)
    finished = [key for n, key in enumerate(listed) if n in done]
    save_results(engine, stage.run, stage.check, [result(key) for key in finished])
    pending = [key for key in listed if key not in finished]
    ranges, found = cut(engine, stage, size)
    assert sorted(found) == pending
    assert [r.count for r in ranges[:-1]] == [size] * (len(ranges) - 1)
    assert all(a.last < b.first for a, b in itertools.pairwise(ranges))
    assert pending_count(engine, stage) == len(pending)


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [
        (0, 5, []),
        (1, 5, [1]),
        (4, 5, [4]),
        (5, 5, [5]),
        (6, 5, [5, 1]),
        (10, 5, [5, 5]),
        (3, 1, [1, 1, 1]),
        (1000, 300, [300, 300, 300, 100]),
    ],
)
@pytest.mark.parametrize("slots", [1, 3, None])
def test_ranges_have_their_size(
    engine: Engine, count: int, size: int, sizes: list[int], slots: int | None
) -> None:
    """All ranges but the last have the size asked for, also when all names share a slot."""
    stage = make_stage(engine, keys(count, slots=slots))
    ranges, found = cut(engine, stage, size)
    assert [r.count for r in ranges] == sizes
    assert len(set(found)) == count


def test_a_range_is_cut_when_it_is_asked_for(engine: Engine) -> None:
    """Results that come while the ranges are used take nothing away from the later ones."""
    domains = keys(100)
    stage = make_stage(engine, domains)
    seen = []
    for within in pending_ranges(engine, stage, 30):
        names = pending_names(engine, stage, within)
        seen += names
        save_results(engine, stage.run, stage.check, [result(key) for key in names])
    assert sorted(seen) == sorted(domains)
    assert pending_count(engine, stage) == 0


def test_a_resumed_stage_does_only_the_rest(engine: Engine) -> None:
    """Domains that have a result, final or not, are out of the first pass and of its ranges."""
    domains = sorted(keys(100))
    stage = make_stage(engine, domains)
    (whole,) = pending_ranges(engine, stage, 100)
    rows = [result(key, final=n % 2 == 0) for n, key in enumerate(domains[20:70])]
    save_results(engine, stage.run, stage.check, rows)
    rest = domains[:20] + domains[70:]
    assert sorted(pending_names(engine, stage, whole)) == rest
    assert [r.count for r in pending_ranges(engine, stage, 30)] == [30, 20]
    assert pending_count(engine, stage) == 50


def test_the_second_pass_has_the_unsure_ones(engine: Engine) -> None:
    """Only names without a final result are in the second pass, and they leave it one by one."""
    domains = sorted(keys(90))
    stage = make_stage(engine, domains)
    assert cut(engine, second(stage), 10) == ([], [])
    unsure = domains[::3]
    rows = [result(key, final=key not in unsure) for key in domains]
    save_results(engine, stage.run, stage.check, rows)
    ranges, found = cut(engine, second(stage), 8)
    assert [r.count for r in ranges] == [8, 8, 8, 6]
    assert sorted(found) == unsure
    assert pending_count(engine, stage) == 0
    save_results(engine, stage.run, stage.check, [result(key) for key in unsure[:25]])
    assert sorted(cut(engine, second(stage), 8)[1]) == unsure[25:]
    assert pending_count(engine, second(stage)) == 5


def test_stages_do_not_see_each_other(engine: Engine) -> None:
    """Results of another check, another run or another list leave a stage as it was."""
    domains = keys(20)
    stage, other = make_stage(engine, domains), make_stage(engine, domains)
    save_results(engine, other.run, stage.check, [result(key, final=False) for key in domains])
    save_results(engine, stage.run, "http", [result(key, final=False) for key in domains])
    assert pending_count(engine, stage) == 20
    assert pending_count(engine, second(stage)) == 0
    assert pending_count(engine, other) == 0
    assert pending_count(engine, second(other)) == 20
