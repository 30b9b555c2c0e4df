"""Workers whose Prefect server is away for a while."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prefect_rabbitmq.standings import UNKNOWN_SECONDS

from tests.rabbitmq.workers import Plant, metric, running_plant
from tests.services.prefect import PrefectServer, running_prefect_server_on_postgres
from tests.services.processes import Server, free_port, running, wait_until
from tests.services.rabbitmq import Broker

START_SECONDS = 180.0
#: Where the worker serves its metrics.
PORT = free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Give a Prefect server that may be killed."""
    with running_prefect_server_on_postgres(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def away(
    server: PrefectServer, rabbitmq: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plant]:
    """Give a pool of that server, with one worker."""
    with running_plant(server, rabbitmq, tmp_path_factory.mktemp("away")) as plant:
        with plant.api() as client:
            client.create_work_queue("high", work_pool_name=plant.pool, priority=1)
        worker = plant.worker(
            "worker",
            queues=("default", "high"),
            PREFECT_RABBITMQ_CONCURRENCY="2",
            PREFECT_CLIENT_METRICS_ENABLED="true",
            PREFECT_CLIENT_METRICS_PORT=str(PORT),
            # As by default: what asks every second gives up after a minute.
            PREFECT_WORKER_HEARTBEAT_SECONDS="30",
            PREFECT_WORKER_QUERY_SECONDS="10",
        )
        with worker:
            yield plant


def run_meanwhile(plant: Plant, name: str) -> list[str]:
    """Have messages run to their end while nobody hears of it; returns their ids."""
    keys = [f"{name}-{number}" for number in range(20)]
    messages = [plant.publish("note", key=key) for key in keys]
    plant.until("end", f"{name}-", len(keys))
    plant.wait(lambda: plant.waiting() == 0)
    return messages


def all_recorded(plant: Plant, messages: list[str]) -> bool:
    """Tell whether the server knows that all of them have completed."""
    return {plant.state(message) for message in messages} == {"Completed"}


@contextlib.contextmanager
def hanging(server: Server) -> Iterator[None]:
    """Have a server answer nobody for a while."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_what_the_server_is_asked_about_is_not_overtaken(
    server: PrefectServer, away: Plant
) -> None:
    """A job of a higher priority has a slot kept for it while the worker asks of it; one slot."""

    def is_held(what: str, count: int) -> bool:
        name = f'prefect_rabbitmq_messages_{what}{{work_pool="{away.pool}"}}'
        return metric(PORT, name) == count

    for number in range(2):
        away.publish("hold", key=f"order-first-{number}", gate=away.gate(f"order-{number}"))
    away.until("start", "order-", 2)
    for number in range(2):
        away.publish("hold", key=f"order-low-{number}", gate=away.gate("order-low"))
    away.wait(lambda: is_held("waiting", 2))
    # So long it may take until the worker runs what it has not been told of.
    time.sleep(UNKNOWN_SECONDS + 1.5)
    with hanging(server.server):
        away.publish("note", key="order-high", work_queue="high")
        away.wait(lambda: is_held("waiting", 3))
        for number in range(2):
            away.open(f"order-{number}")
        away.until("end", "order-high", 1)
        away.open("order-low")
        away.until("end", "order-", 5)
    begun = away.keys("start", "order-")[2:]
    assert begun == ["order-low-0", "order-high", "order-low-1"]


def test_a_server_that_is_killed_and_started(server: PrefectServer, away: Plant) -> None:
    """Messages are run, and recorded by the new process; so are they when this hangs."""
    directory = Path(server.environment["PREFECT_HOME"])
    server.server.kill()
    messages = run_meanwhile(away, "killed")
    address = ["--host", "127.0.0.1", "--port", str(server.port)]
    command = [sys.executable, "-m", "prefect", "server", "start", *address]
    with running(
        command, directory=directory, name="again", environment=server.environment
    ) as again:
        wait_until(lambda: healthy(server), server=again, seconds=START_SECONDS)
        away.wait(lambda: all_recorded(away, messages))
        with hanging(again):
            messages = run_meanwhile(away, "hung")
        away.wait(lambda: all_recorded(away, messages))
    assert not away.dead()


def healthy(server: PrefectServer) -> bool:
    """Tell whether it answers."""
    try:
        return httpx.get(f"{server.api_url}/health", timeout=5).is_success
    except httpx.TransportError:
        return False
