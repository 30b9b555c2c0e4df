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
#: Of the test of what overtakes what: on a busy machine it may take too long to tell anything.
TRIES = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Give a Prefect server that may be killed."""
    with running_prefect_server_on_postgres(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def port(server: PrefectServer) -> int:
    """Choose where the worker serves its metrics, just before it starts."""
    return free_port()


@pytest.fixture(scope="module")
def away(
    server: PrefectServer,
    rabbitmq: Broker,
    tmp_path_factory: pytest.TempPathFactory,
    port: int,
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
            PREFECT_CLIENT_METRICS_PORT=str(port),
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


def order(server: PrefectServer, plant: Plant, port: int, name: str) -> tuple[list[str], bool]:
    """
    Have two jobs run and two wait, one of a higher priority come, and the running ones end.

    Returns:
        The keys of the three in the order in which they began; and whether the two had ended soon
        enough: after UNKNOWN_SECONDS the worker takes the one of higher priority for wanted.
    """

    def is_held(what: str, count: int) -> bool:
        line = f'prefect_rabbitmq_messages_{what}{{work_pool="{plant.pool}"}}'
        return metric(port, line) == count

    for number in range(2):
        plant.publish("hold", key=f"{name}-first-{number}", gate=plant.gate(f"{name}-{number}"))
    plant.until("start", f"{name}-", 2)
    for number in range(2):
        plant.publish("hold", key=f"{name}-low-{number}", gate=plant.gate(f"{name}-low"))
    plant.wait(lambda: is_held("waiting", 2))
    # So long it may take until the worker runs what it has not been told of.
    time.sleep(UNKNOWN_SECONDS + 1.5)
    with hanging(server.server):
        came = time.monotonic()
        plant.publish("note", key=f"{name}-high", work_queue="high")
        plant.wait(lambda: is_held("waiting", 3))
        for number in range(2):
            plant.open(f"{name}-{number}")
        plant.until("end", f"{name}-high", 1)
        plant.open(f"{name}-low")
        plant.until("end", f"{name}-", 5)
    ends = [mark.at for mark in plant.of(f"{name}-first-") if mark.what == "end"]
    # Half of it is for the worker to hear of that.
    return plant.keys("start", f"{name}-")[2:], max(ends) - came < UNKNOWN_SECONDS / 2


def test_what_the_server_is_asked_about_is_not_overtaken(
    server: PrefectServer, away: Plant, port: int
) -> None:
    """A job of a higher priority has a slot kept for it while the worker asks of it; one slot."""
    for turn in range(TRIES):
        name = f"order-{turn}"
        begun, was_soon = order(server, away, port, name)
        if was_soon:
            break
    assert begun == [f"{name}-low-0", f"{name}-high", f"{name}-low-1"]


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
