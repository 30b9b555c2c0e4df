"""What Prefect's server has of a flow's task runs: the same on both runners."""

from typing import Any
from uuid import UUID

import pytest
from prefect import flow, tags
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.task_runners import TaskRunner
from prefect_rabbitmq.exceptions import RemoteTaskFailed

from tests.rabbitmq.pools import Pool
from tests.rabbitmq.records import counts, inner_task_run, inputs, log_lines, state_names, task_runs
from tests.rabbitmq.tasks import add, endless, fail, half, nested, retried, same, talk, total, where


def by_task(flow_run: UUID | None, count: int) -> dict[str, TaskRun]:
    """Return the task runs of a flow run by the names of their tasks, which are all different."""
    found = {run.name.partition("-")[0]: run for run in task_runs(flow_run, count)}
    assert len(found) == count
    return found


def test_states_counts_names_and_tags(runner: TaskRunner[Any]) -> None:
    """States, run counts, names, tags and times are recorded."""

    @flow(task_runner=runner)
    def body() -> None:
        with tags("ours"):
            first = half.submit(5)
        for future in (first, endless.submit(), retried.submit("key"), fail.submit("value")):
            future.wait()

    state = body(return_state=True)
    runs = by_task(state.state_details.flow_run_id, 4)
    shown = {
        name: (run.state and run.state.name, run.run_count, sorted(run.tags))
        for name, run in runs.items()
    }
    assert shown == {
        "half of 5": ("Completed", 1, ["ours", "theirs"]),
        "endless": ("TimedOut", 1, []),
        "retried": ("Completed", 3, []),
        "fail": ("Failed", 1, []),
    }
    for run in runs.values():
        assert run.start_time
        assert run.end_time
        assert run.start_time <= run.end_time
        assert run.flow_run_run_count == 1
    assert state_names(runs["half of 5"].id, 3) == ["Pending", "Running", "Completed"]
    again = ["Retrying"] * 2
    assert state_names(runs["retried"].id, 5) == ["Pending", "Running", *again, "Completed"]
    failed = runs["fail"].state
    assert failed
    assert "ValueError: so it is" in (failed.message or "")


def test_dependencies(runner: TaskRunner[Any]) -> None:
    """From where a parameter came, and what was waited for, can be drawn."""

    @flow(task_runner=runner)
    def body() -> None:
        first = add.submit(1)
        second = half.submit(3, wait_for=[first])
        third = same.submit([first, second])
        total.submit(third.result(), extra=first).wait()

    runs = by_task(body(return_state=True).state_details.flow_run_id, 4)
    found = {name: inputs(run) for name, run in runs.items()}
    first, second, third = (runs[name].id for name in ("add", "half of 3", "same"))
    assert found == {
        "add": {"a": set(), "b": set()},
        "half of 3": {"number": set(), "wait_for": {first}},
        "same": {"value": {first, second}},
        "total": {"numbers": {third}, "more": {first}},
    }


def test_logs(runner: TaskRunner[Any]) -> None:
    """What a task logs and prints is in its log, and so is how it ended."""

    @flow(task_runner=runner)
    def body() -> None:
        talk.submit("hello").wait()
        fail.submit("value").wait()

    runs = by_task(body(return_state=True).state_details.flow_run_id, 2)
    log_lines(runs["talk"].id, "logged hello", "printed hello", "Finished in state Completed()")
    end = "Failed('Task run encountered an exception ValueError: so it is')"
    log_lines(runs["fail"].id, f"Finished in state {end}")


def test_where_a_task_runs(runner: TaskRunner[Any]) -> None:
    """A task knows its flow run and its task run."""

    @flow(task_runner=runner)
    def body() -> None:
        kept.append(where.submit().result())

    kept: list[dict[str, str | None]] = []
    flow_run = body(return_state=True).state_details.flow_run_id
    (run,) = task_runs(flow_run, 1)
    assert kept == [{"flow_run": str(flow_run), "task_run": str(run.id)}]


def test_a_task_in_a_task(pool: Pool) -> None:
    """A task may call another one, which is a task run of its own, known to come from the first."""

    @flow(task_runner=pool.runner())
    def body() -> int:
        found: int = nested.submit(4).result()
        return found

    state = body(return_state=True)
    assert state.result() == 5
    (outer,) = task_runs(state.state_details.flow_run_id, 1)
    inner = inner_task_run(outer.id)
    assert inner.state
    assert (inner.name, inner.state.name) == ("add", "Completed")


def test_all_that_is_mapped_is_recorded(pool: Pool) -> None:
    """When the flow has ended, the server has every task run, completed: nobody waits for it."""

    @flow(task_runner=pool.runner())
    def body() -> list[int]:
        found: list[int] = add.map(range(300), 1).result()
        return found

    state = body(return_state=True)
    assert state.result() == list(range(1, 301))
    assert counts(state.state_details.flow_run_id) == {StateType.COMPLETED: 300}


def test_an_error_is_not_told_twice(pool: Pool) -> None:
    """A flow that fails for a task's own exception shows that exception."""

    @flow(task_runner=pool.runner())
    def body() -> None:
        fail.submit("own").result()

    state = body(return_state=True)
    assert state.is_failed()
    with pytest.raises(RemoteTaskFailed):
        state.result()
    assert "OwnError: so it is" in (state.message or "")
