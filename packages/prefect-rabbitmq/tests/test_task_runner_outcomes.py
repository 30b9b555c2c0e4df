"""How task runs end: the same on both runners where JSON can tell, and clearly where it cannot."""

import logging
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, wait
from prefect.states import Cancelled
from prefect.task_runners import TaskRunner
from prefect.tasks import Task
from prefect_rabbitmq.exceptions import RemoteTaskFailed
from prefect_rabbitmq.futures import RabbitMQFuture

from tests.rabbitmq import modules
from tests.rabbitmq.pools import Pool
from tests.rabbitmq.records import task_runs
from tests.rabbitmq.tasks import (
    OwnError,
    Pair,
    Point,
    add,
    endless,
    fail,
    fail_async,
    lock,
    moved,
    next_day,
    retried,
    same,
    several,
    turned,
)


def ended(
    runner: TaskRunner[Any], *submissions: tuple[Task[..., Any], list[Any]]
) -> list[PrefectFuture[Any]]:
    """Run tasks in a flow, and return their futures when they have ended."""

    @flow(task_runner=runner)
    def body() -> None:
        kept.extend(task.submit(*arguments) for task, arguments in submissions)
        wait(kept)

    kept: list[PrefectFuture[Any]] = []
    body()
    return kept


#: Tasks, what they are given, and what they return.
VALUES: list[tuple[Task[..., Any], Any, Any]] = [
    (same, None, None),
    (same, {"a": [1, 2.5, "ü", None, True]}, {"a": [1, 2.5, "ü", None, True]}),
    (same, "😀 \x00", "😀 \x00"),
    (same, 2**70, 2**70),
    (next_day, date(2026, 2, 28), date(2026, 3, 1)),
    (moved, Point(x=1, day=date(2026, 1, 2)), Point(x=2, day=date(2026, 1, 2))),
    (turned, Pair(1, 2), Pair(2, 1)),
    (several, {3, 1, 2}, (1, 2, 3)),
]


def test_values(runner: TaskRunner[Any]) -> None:
    """Parameters arrive, and results come back, as the annotations say."""
    futures = ended(runner, *((task, [value]) for task, value, _ in VALUES))
    found = [future.result() for future in futures]
    expected = [returned for _, _, returned in VALUES]
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


#: Tasks, their arguments, the name of the state, the exception and its text.
ERRORS: list[tuple[Task[..., Any], list[Any], str, type[Exception], str]] = [
    (fail, ["value"], "Failed", ValueError, "so it is"),
    (fail, ["zero"], "Failed", ZeroDivisionError, "so it is"),
    (fail, ["key"], "Failed", KeyError, "'so it is'"),
    (fail_async, [], "Failed", ValueError, "so it is"),
    (endless, [], "TimedOut", TimeoutError, "Scope timed out after 0.2 second(s)."),
    (retried, ["value"], "Failed", ValueError, "so it is"),
]


def test_built_in_exceptions(runner: TaskRunner[Any]) -> None:
    """A built-in exception is raised by `result`, or returned, and the state says what happened."""
    futures = ended(runner, *((task, arguments) for task, arguments, *_ in ERRORS))
    for future, (_, _, name, kind, text) in zip(futures, ERRORS, strict=True):
        assert (future.state.name, future.state.type.value) == (name, "FAILED")
        assert future.state.message
        with pytest.raises(kind) as raised:
            future.result()
        assert str(raised.value) == text
        assert isinstance(future.result(raise_on_failure=False), kind)


def test_retries(runner: TaskRunner[Any]) -> None:
    """A task is run again if its retry condition says so."""
    (future,) = ended(runner, (retried, ["key"]))
    assert future.result() == 3


def test_other_exceptions(pool: Pool) -> None:
    """
    An exception of the user's own tells its type, its text and where in the worker it was; so does
    a built-in one that takes more than a text.
    """
    own, decoding = ended(pool.runner(), (fail, ["own", "of mine"]), (fail, ["unicode"]))
    with pytest.raises(RemoteTaskFailed, match="of mine") as raised:
        own.result()
    assert raised.value.type == f"{OwnError.__module__}.OwnError"
    assert "tests/rabbitmq/tasks.py" in raised.value.traceback
    assert "raise errors[kind](message)" in raised.value.traceback
    with pytest.raises(RemoteTaskFailed, match="UnicodeDecodeError: 'utf-8' codec"):
        decoding.result()


def test_a_task_that_exits(pool: Pool) -> None:
    """`sys.exit` in a task ends that task run, and neither the worker nor the flow."""
    left, other = ended(pool.runner(), (fail, ["exit"]), (add, [1]))
    assert (left.state.name, left.state.type.value) == ("Crashed", "CRASHED")
    assert other.result() == 1


def test_a_parameter_that_is_no_json(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    """It fails that task run alone, with one error that names the task."""

    @flow(task_runner=pool.runner())
    def body() -> list[PrefectFuture[Any]]:
        kept.extend(same.map([1, object(), 3]))
        wait(kept)
        return []

    kept: list[PrefectFuture[Any]] = []
    state: State[Any] = body(return_state=True)
    assert [kept[0].result(), kept[2].result()] == [1, 3]
    assert kept[1].state.is_failed()
    with pytest.raises(TypeError, match="the parameters of same cannot be written as JSON"):
        kept[1].result()
    runs = task_runs(state.state_details.flow_run_id, 3)
    assert sorted(run.state.name or "" for run in runs if run.state) == [
        "Completed",
        "Completed",
        "Failed",
    ]
    assert not [record for record in caplog.records if record.levelno > logging.ERROR]


def test_a_result_that_is_no_json(pool: Pool) -> None:
    """It fails that task run, with an error that names the task and says what to do."""
    (future,) = ended(pool.runner(), (lock, []))
    assert future.state.is_failed()
    with pytest.raises(TypeError, match=r"what lock returned cannot be written as JSON.*persist"):
        future.result()


def test_stored_results(runner: TaskRunner[Any], pool: Pool) -> None:
    """A task that stores its results may return what JSON cannot hold."""
    stored = modules.load(pool.directory, modules.STORED).stored
    number, binary = ended(runner, (stored, ["complex"]), (stored, ["bytes"]))
    assert (number.result(), binary.result()) == (1j, b"\xff")


def test_a_cancelled_dependency(pool: Pool) -> None:
    """What waits for a cancelled task run is cancelled, also for the server."""

    @flow(task_runner=pool.runner())
    def body() -> None:
        before: RabbitMQFuture[int] = RabbitMQFuture(uuid4())
        before.settle(Cancelled(message="so it is"))
        kept.append(add.submit(1, wait_for=[before]))
        kept[0].wait()

    kept: list[PrefectFuture[Any]] = []
    flow_run = body(return_state=True).state_details.flow_run_id
    (run,) = task_runs(flow_run, 1)
    assert kept[0].state.name == "Cancelled"
    assert run.state
    assert run.state.name == "Cancelled"
