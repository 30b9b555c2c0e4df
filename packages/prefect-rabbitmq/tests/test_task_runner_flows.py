"""Task runners and flow runs: several at once, one in another, none at all."""

import threading
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pika
import pytest
from prefect import flow, task
from prefect.client.schemas.objects import StateType
from prefect.exceptions import CrashedRun
from prefect.futures import PrefectFuture
from prefect_rabbitmq import topology
from prefect_rabbitmq.task_runner import RabbitMQTaskRunner

from tests.rabbitmq.pools import Pool
from tests.rabbitmq.records import counts, eventually, task_run, task_runs
from tests.rabbitmq.tasks import add, mark, mark_when, same
from tests.services.rabbitmq import Broker


def test_without_a_flow(pool: Pool) -> None:
    """A runner can be used by itself; its task runs belong to no flow run."""
    with pool.runner() as runner:
        futures = [runner.submit(add, {"a": 1, "b": number}) for number in range(3)]
        assert [future.result() for future in futures] == [1, 2, 3]
    assert task_run(futures[0].task_run_id, StateType.COMPLETED).flow_run_id is None


def test_a_runner_must_be_started(pool: Pool) -> None:
    """Outside of `with` nothing can be submitted; neither after it."""
    runner = pool.runner()
    with pytest.raises(RuntimeError, match="must be started"):
        runner.submit(add, {"a": 1})
    with runner:
        pass
    with pytest.raises(RuntimeError, match="must be started"):
        runner.submit(add, {"a": 1})


def test_its_copies(pool: Pool) -> None:
    """A flow run gets a copy, which knows the same; another one is for another work queue."""
    runner = RabbitMQTaskRunner(pool.name)
    copies = (runner.duplicate(), runner.on_queue("high"))
    assert runner not in copies
    assert [copy._work_queue for copy in copies] == ["default", "high"]
    # Its credentials are those of the environment.
    with copies[0] as copy:
        assert copy.submit(add, {"a": 1}).result() == 1


def test_a_flow_that_does_not_wait(pool: Pool, rabbitmq: Broker, tmp_path: Path) -> None:
    """What nobody has waited for is cancelled when the flow run is over, begun or not."""

    @flow(task_runner=pool.runner())
    def body() -> str:
        futures = mark_when.map([tmp_path / "marks"] * 20, tmp_path / "there")
        kept.extend([*futures, mark.submit(tmp_path / "marks", wait_for=futures)])
        return "done"

    kept: list[PrefectFuture[Any]] = []

    state = body(return_state=True)
    assert state.result() == "done"
    assert {future.state.name for future in kept} == {"Cancelled"}
    runs = task_runs(state.state_details.flow_run_id, 21)
    assert {run.state and run.state.name for run in runs} == {"Cancelled"}
    # The worker hears of the flow run's end when it asks next.
    queue = topology.queue_name(pool.name, "default")
    eventually(lambda _: rabbitmq.queues(pool.url)[queue], lambda waiting: waiting == 0)


def test_two_flows_at_once(pool: Pool, tmp_path: Path) -> None:
    """Each flow run gets its own results, also when they run in one process at one time."""
    found: dict[int, Any] = {}
    both = threading.Barrier(2)

    @flow(task_runner=pool.runner())
    def body(base: int) -> list[int]:
        both.wait(60)
        return add.map(range(100), base).result()

    def run(base: int) -> None:
        found[base] = body(base)

    threads = [
        threading.Thread(target=copy_context().run, args=(run, base)) for base in (1000, 2000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {base: list(range(base, base + 100)) for base in (1000, 2000)}


def test_flows_in_flows(pool: Pool) -> None:
    """A subflow has its own task runs, on the same workers; futures may go into it."""

    @flow(task_runner=pool.runner(), name="inner")
    def inner(number: Any) -> int:
        kept.append(add.submit(number, 10))
        found: int = kept[-1].result()
        return found

    @flow(task_runner=pool.runner())
    def body() -> list[int]:
        first = add.submit(1)
        return [inner(first), add.submit(inner(2), 100).result(), first.result()]

    kept: list[PrefectFuture[Any]] = []
    state = body(return_state=True)
    assert state.result() == [11, 112, 1]
    for future in kept:
        run = task_run(future.task_run_id, StateType.COMPLETED)
        assert run.flow_run_id not in {None, state.state_details.flow_run_id}
        assert counts(run.flow_run_id) == {StateType.COMPLETED: 1}


@task
def nobodys(number: int) -> int:
    """Be in no task module of the worker."""
    return number


def test_an_unknown_task(pool: Pool) -> None:
    """It crashes at once, with the reason; its message is a dead letter, its neighbours are run."""

    @flow(task_runner=pool.runner())
    def body() -> list[Any]:
        lost, known = nobodys.submit(1), same.submit(2)
        with pytest.raises(CrashedRun, match="unknown task 'nobodys'"):
            lost.result()
        kept.append(lost)
        return [known.result(), lost.state.type.value, lost.state.name]

    kept: list[PrefectFuture[Any]] = []
    assert body() == [2, "CRASHED", "Crashed"]
    with pika.BlockingConnection(pika.URLParameters(pool.url)) as connection:
        channel = connection.channel()
        queue = topology.dead_letters_name(pool.name)
        # It follows the reply; and other tests may have left some there.
        _, properties, body_ = eventually(
            lambda _: channel.basic_get(queue, auto_ack=True),
            lambda got: got[0] and got[1].message_id == str(kept[0].task_run_id),
        )
    assert "unknown task 'nobodys'" in properties.headers["x-reason"]
    assert b'"nobodys"' in body_
    run = task_run(kept[0].task_run_id, StateType.CRASHED)
    assert run.state
    assert "unknown task 'nobodys'" in (run.state.message or "")


def test_another_work_queue(pool: Pool, tmp_path: Path) -> None:
    """A flow that its caller sends to another work queue waits until there is one."""
    with pytest.raises(TimeoutError), pool.runner(work_queue="nowhere") as runner:
        runner.submit(mark, {"file": tmp_path / "marks"}).result(timeout=0.5)
    assert not (tmp_path / "marks").exists()
