"""A task runner whose way to RabbitMQ breaks, at any time: nothing is lost."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pika
import pytest
from prefect import flow
from prefect.client.schemas.objects import StateType
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner
from prefect_rabbitmq.task_runner import RabbitMQTaskRunner

from tests.rabbitmq.fixtures import SHARED
from tests.rabbitmq.pools import Pool, running_pool
from tests.rabbitmq.records import counts, eventually
from tests.rabbitmq.tasks import add, mark_when
from tests.services.processes import free_port
from tests.services.proxy import running_proxy
from tests.services.rabbitmq import Broker

#: How the connections of task runners, and those of workers, are called.
RUNNERS, WORKERS = "prefect flow of pool", "prefect worker"


@pytest.fixture(autouse=True)
def no_password_is_logged(
    pool: Pool, rabbitmq: Broker, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """After each test, look for the password where people look for reasons."""
    yield
    ours = [caplog.handler.format(record) for record in caplog.get_records("call")]
    logs = ["\n".join(ours), *(log.read_text() for log in pool.directory.glob("*.log"))]
    assert not [log for log in logs if rabbitmq.password in log]


def added(runner: TaskRunner[Any], number: int) -> list[PrefectFuture[Any]]:
    """Submit task runs."""
    return [runner.submit(add, {"a": 1, "b": each}) for each in range(number)]


def results(futures: list[PrefectFuture[Any]]) -> list[Any]:
    """Return their results."""
    return [future.result(timeout=120) for future in futures]


def test_nobody_is_there_yet(pool: Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a queue messages are kept, and run once there is a worker; a warning says so once."""
    with replace(pool, name="later").runner() as runner:
        futures = added(runner, 5)
        with running_pool(pool.server, pool.url, tmp_path, name="later"):
            assert results(futures) == [1, 2, 3, 4, 5]
    warnings = [text for text in caplog.messages if "has no queue later.default yet" in text]
    assert len(warnings) == 1
    assert "start a worker for the work pool later" in warnings[0]


def restart_empty(broker: Broker) -> None:
    """Have the broker forget all but what its administrator sets up."""
    broker.restart_empty()
    broker.make_virtual_host(SHARED)


def kill(broker: Broker) -> None:
    """Have the broker crash and start."""
    broker.kill()
    broker.start()


@pytest.mark.parametrize("fail", [kill, restart_empty])
def test_the_broker_fails(
    pool: Pool, rabbitmq: Broker, tmp_path: Path, fail: Callable[[Broker], None]
) -> None:
    """Between submission and reply it dies, or comes back empty: all is run, at most twice."""
    file, there = tmp_path / "marks", tmp_path / "there"
    texts = [str(number) for number in range(30)]

    @flow(task_runner=pool.runner())
    def body() -> list[str]:
        futures = mark_when.map([file] * len(texts), there, texts)
        fail(rabbitmq)
        there.touch()
        return results(futures)

    state = body(return_state=True)
    assert state.result() == texts
    times = Counter(file.read_text().split())
    assert times.keys() == set(texts)
    assert set(times.values()) <= {1, 2}
    # A second copy may be the newer one for a moment, and run.
    eventually(
        lambda _: counts(state.state_details.flow_run_id),
        lambda found: found == {StateType.COMPLETED: 30},
    )


@pytest.mark.parametrize("name", [RUNNERS, WORKERS])
def test_connections_are_closed(pool: Pool, rabbitmq: Broker, tmp_path: Path, name: str) -> None:
    """An administrator closes the connection of the task runner, or of the worker."""
    there = tmp_path / "there"
    with pool.runner() as runner:
        held = {"file": tmp_path / "marks", "there": there}
        first = runner.submit(mark_when, held)
        assert results(added(runner, 1)) == [1]
        assert rabbitmq.close_connections(name)
        futures = added(runner, 50)
        there.touch()
        assert results(futures) == list(range(1, 51))
        assert results([first]) == ["x"]


def test_a_bad_network(pool: Pool, rabbitmq: Broker) -> None:
    """Connections are cut in the middle of publishing, and refused for a while."""
    with running_proxy(rabbitmq.port) as proxy:
        url = pool.url.replace(f":{rabbitmq.port}/", f":{proxy.port}/")
        with pool.runner(url=url) as runner:
            futures = added(runner, 200)
            assert results(futures[:1]) == [1]
            assert proxy.connections == 1
            proxy.cut()
            futures += added(runner, 200)
            proxy.refuse()
            futures += added(runner, 200)
            proxy.accept()
            assert results(futures) == list(range(1, 201)) * 3


def test_it_starts_before_rabbitmq(pool: Pool, rabbitmq: Broker) -> None:
    """What is submitted while RabbitMQ cannot be reached is published later."""
    with running_proxy(rabbitmq.port) as proxy:
        proxy.refuse()
        url = pool.url.replace(f":{rabbitmq.port}/", f":{proxy.port}/")
        with pool.runner(url=url) as runner:
            futures = added(runner, 3)
            with pytest.raises(TimeoutError):
                futures[0].result(timeout=1)
            proxy.accept()
            assert results(futures) == [1, 2, 3]


def test_it_ends_without_rabbitmq(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    """A flow that gives up can end, although its task runs were never published."""
    url = f"amqp://user:secret-word@127.0.0.1:{free_port()}/"
    with pool.runner(url=url) as runner:
        (future,) = added(runner, 1)
        with pytest.raises(TimeoutError):
            future.result(timeout=1)
        eventually(lambda _: caplog.text, lambda text: "cannot be reached" in text)
    assert future.state.is_cancelled()
    assert "secret-word" not in caplog.text


def test_replies_have_a_queue_while_it_runs(pool: Pool) -> None:
    """A task runner takes its queue away at the end."""
    with pika.BlockingConnection(pika.URLParameters(pool.url)) as connection:
        with RabbitMQTaskRunner(pool.name) as runner:
            assert runner.submit(add, {"a": 1}).result() == 1
            assert runner._publisher
            queue = runner._publisher._replies
            assert queue.startswith(f"{pool.name}/replies/")
            connection.channel().queue_declare(queue, passive=True)
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="no queue"):
            connection.channel().queue_declare(queue, passive=True)
