"""Submitting and mapping: a flow on RabbitMQ does what it does on Prefect's own threads."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from prefect import allow_failure, flow, unmapped
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, as_completed, wait
from prefect.task_runners import TaskRunner

from tests.rabbitmq.pools import Pool
from tests.rabbitmq.tasks import (
    add,
    add_async,
    fail,
    mark,
    mark_when,
    name_of_type,
    same,
    texts,
    total,
)


def test_submit_and_map(runner: TaskRunner[Any]) -> None:
    """Tasks and async tasks are submitted and mapped, with their defaults and `unmapped`."""

    @flow(task_runner=runner)
    def body() -> list[Any]:
        return [
            add.submit(1).result(),
            add.submit(1, b=2).result(),
            add_async.submit(3, 4).result(),
            add.map([1, 2, 3], b=10).result(),
            add_async.map([1, 2], [30, 40]).result(),
            add.map(unmapped(5), [1, 2]).result(),
        ]

    assert body() == [1, 3, 7, [11, 12, 13], [31, 42], [6, 7]]


# Prefect leaves a client's socket to the garbage collector when an event loop ends.
@pytest.mark.filterwarnings("ignore:unclosed <socket", "ignore:.*unclosed <socket")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_async_flows(runner: TaskRunner[Any]) -> None:
    """In an async flow tasks are submitted and mapped as well."""

    @flow(task_runner=runner)
    async def body() -> list[Any]:
        first = add_async.submit(1, 2)
        mapped = add.map([first, 10], 1)
        return [first.result(), mapped.result(), await add_async(5, 6)]

    assert asyncio.run(body()) == [3, [4, 11], 11]


def test_a_flow_returns_futures(runner: TaskRunner[Any]) -> None:
    """A flow may leave the waiting to Prefect by returning its futures."""

    @flow(task_runner=runner)
    def body() -> Any:
        return [add.submit(1), add.submit(add.submit(2), 1)]

    found: Any = body()
    assert [state.result() for state in found] == [1, 3]


def test_futures_are_parameters(runner: TaskRunner[Any]) -> None:
    """Futures of any depth are replaced by their results, before or after they are done."""

    @flow(task_runner=runner)
    def body() -> list[Any]:
        one, two = add.submit(1), add_async.submit(2)
        deep = total.submit([one, {"a": two, "b": [one, [two]]}])
        chain = add.submit(add.submit(add.submit(deep, 1), 1), 1)
        done = add.submit(5)
        done.wait()
        many = total.submit(add.map([1, 2, 3]))
        states = total.submit([done.state, 1])
        return [each.result() for each in (deep, chain, add.submit(done, one), many, states)]

    assert body() == [6, 9, 6, 6, 6]


def test_wait_for(runner: TaskRunner[Any], tmp_path: Path) -> None:
    """A task begins after those that it is to wait for, which is all that it has from them."""
    file, there = tmp_path / "marks", tmp_path / "there"

    @flow(task_runner=runner)
    def body() -> None:
        first = mark_when.submit(file, there, "first")
        second = mark.submit(file, "second", wait_for=[first])
        third = mark.submit(file, "third", wait_for=second)
        there.touch()
        wait([first, second, third])

    body()
    assert file.read_text().split() == ["first", "second", "third"]


def outcome(state: State[Any]) -> tuple[str | None, str]:
    """Return name and type of a state."""
    return state.name, state.type.value


def test_an_upstream_failure(runner: TaskRunner[Any]) -> None:
    """What depends on a failure is not run, unless it allows for it."""

    @flow(task_runner=runner)
    def body() -> list[Any]:
        failed = fail.submit("value")
        found = [
            add.submit(failed),
            same.submit({"deep": [failed]}),
            add.submit(1, wait_for=[failed]),
            name_of_type.submit(allow_failure(failed)),
            add.submit(1, wait_for=[allow_failure(failed)]),
        ]
        after = add.submit(found[0])
        wait([*found, after])
        return [outcome(each.state) for each in [failed, *found, after]]

    ready = [("NotReady", "PENDING")]
    completed = [("Completed", "COMPLETED")]
    assert body() == [("Failed", "FAILED"), *ready * 3, *completed * 2, *ready]


def test_what_failed_is_given_as_it_is(runner: TaskRunner[Any]) -> None:
    """With `allow_failure` a task gets the exception itself."""

    @flow(task_runner=runner)
    def body() -> list[Any]:
        failed = allow_failure(fail.submit("value"))
        return [name_of_type.submit(failed).result(), texts.submit([{"a": failed}]).result()]

    assert body() == ["ValueError", "[{'a': ValueError('so it is')}]"]


def test_futures_of_another_runner(pool: Pool) -> None:
    """A future may come from elsewhere: of a thread here, of another work queue, in the past."""

    @flow(task_runner=pool.runner())
    def body() -> list[Any]:
        with pool.runner() as other:
            future: PrefectFuture[Any] = other.submit(add, {"a": 1})
            first = add.submit(future, 1)
            return [first.result(), future.result()]

    assert body() == [2, 1]


def test_done_callbacks_and_as_completed(runner: TaskRunner[Any], tmp_path: Path) -> None:
    """Futures are waited for in the order of their ends, with a time limit, and call back."""
    called: list[Any] = []

    @flow(task_runner=runner)
    def body() -> list[Any]:
        late = mark_when.submit(tmp_path / "marks", tmp_path / "there", "late")
        early = mark.submit(tmp_path / "marks", "early")
        for each in (late, early):
            each.add_done_callback(lambda future: called.append(future.task_run_id))
        early.wait()
        done, not_done = wait([early, late], timeout=0.1)
        with pytest.raises(TimeoutError):
            late.result(timeout=0.01)
        late.wait(timeout=0.01)
        assert not late.state.is_final()
        order = []
        for future in as_completed([late, early]):
            order.append(future.result())
            (tmp_path / "there").touch()
        early.add_done_callback(lambda _: called.append("at once"))
        assert called == [early.task_run_id, late.task_run_id, "at once"]
        return [done == {early}, not_done == {late}, order]

    assert body() == [True, True, ["early", "late"]]


def test_parameters_of_other_types(pool: Pool) -> None:
    """A path, a date or a set arrives as what the task's annotation says."""

    @flow(task_runner=pool.runner())
    def body() -> Any:
        return name_of_type.submit(date(2026, 1, 2)).result()

    # Without an annotation it is what JSON makes of it.
    assert body() == "str"
