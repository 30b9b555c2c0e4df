"""A flow run has one run, which it finds again; another may go on with an unfinished one."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from database.runs import adopt_run, end_run, open_run, use_list
from tests.database.rows import keys, make_list

FILE, OTHER_FILE = "a" * 64, "b" * 64
CHECKS = ["host", "http"]


def test_a_flow_run_finds_its_run_again(engine: Engine) -> None:
    """Opening a run again gives the same one, with its list and its end."""
    run_id = uuid.uuid4()
    opened = open_run(engine, run_id, FILE, CHECKS)
    assert (opened.id, opened.list_id, opened.ended_at) == (run_id, None, None)
    list_id = make_list(engine, keys(1))
    use_list(engine, opened.number, list_id)
    again = open_run(engine, run_id, FILE, CHECKS)
    assert (again.number, again.list_id, again.ended_at) == (opened.number, list_id, None)
    end_run(engine, opened.number)
    assert open_run(engine, run_id, FILE, CHECKS).ended_at is not None


def test_each_flow_run_has_its_own(engine: Engine) -> None:
    """Other flow runs have other runs, also of the same file."""
    numbers = {open_run(engine, uuid.uuid4(), FILE, CHECKS).number for _ in range(5)}
    assert len(numbers) == 5


def test_a_flow_run_that_is_started_twice_has_one_run(engine: Engine) -> None:
    """Two processes that open the same new run at the same time both get it."""
    for _ in range(20):
        run_id = uuid.uuid4()

        def opened(_: int, run_id: uuid.UUID = run_id) -> int:
            return open_run(engine, run_id, FILE, CHECKS).number

        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(opened, range(8)))) == 1


def test_an_unfinished_run_is_gone_on_with(engine: Engine) -> None:
    """A new flow run that adopts a run opens that one from then on, list included."""
    first = open_run(engine, uuid.uuid4(), FILE, CHECKS)
    list_id = make_list(engine, keys(1))
    use_list(engine, first.number, list_id)
    new = uuid.uuid4()
    assert adopt_run(engine, new, FILE, CHECKS)
    adopted = open_run(engine, new, FILE, CHECKS)
    assert (adopted.number, adopted.id, adopted.list_id) == (first.number, new, list_id)
    assert open_run(engine, first.id, FILE, CHECKS).number != first.number


@pytest.mark.parametrize(
    ("fingerprint", "checks"),
    [
        (OTHER_FILE, CHECKS),
        (FILE, ["host"]),
        (FILE, ["http", "host"]),
        (FILE, []),
        (FILE, [*CHECKS, "mail"]),
    ],
)
def test_only_the_same_work_is_gone_on_with(
    engine: Engine, fingerprint: str, checks: list[str]
) -> None:
    """A run of another file, or with other checks in another order, is left alone."""
    open_run(engine, uuid.uuid4(), FILE, CHECKS)
    assert not adopt_run(engine, uuid.uuid4(), fingerprint, checks)


def test_a_finished_run_is_left_alone(engine: Engine) -> None:
    """What has ended is not gone on with."""
    run = open_run(engine, uuid.uuid4(), FILE, CHECKS)
    end_run(engine, run.number)
    assert not adopt_run(engine, uuid.uuid4(), FILE, CHECKS)


def test_the_newest_unfinished_run_is_taken(engine: Engine) -> None:
    """Of several runs it is the last that has not ended and fits."""
    runs = [open_run(engine, uuid.uuid4(), FILE, CHECKS) for _ in range(4)]
    open_run(engine, uuid.uuid4(), FILE, ["host"])
    end_run(engine, runs[3].number)
    new = uuid.uuid4()
    assert adopt_run(engine, new, FILE, CHECKS)
    assert open_run(engine, new, FILE, CHECKS).number == runs[2].number


def test_nothing_to_go_on_with(engine: Engine) -> None:
    """In an empty database there is nothing to adopt."""
    assert not adopt_run(engine, uuid.uuid4(), FILE, CHECKS)
