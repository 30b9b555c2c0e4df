"""Workers whose Prefect server is away for a while."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.rabbitmq.workers import Plant, running_plant
from tests.services.prefect import PrefectServer, running_prefect_server_on_postgres
from tests.services.processes import Server, running, wait_until
from tests.services.rabbitmq import Broker

START_SECONDS = 180.0


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
        worker = plant.worker(
            "worker",
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


def hang(plant: Plant, server: Server) -> None:
    """Have a server answer nobody for a while."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        messages = run_meanwhile(plant, "hung")
    finally:
        os.kill(server.pid, signal.SIGCONT)
    plant.wait(lambda: all_recorded(plant, messages))


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
        hang(away, again)
    assert not away.dead()


def healthy(server: PrefectServer) -> bool:
    """Tell whether it answers."""
    try:
        return httpx.get(f"{server.api_url}/health", timeout=5).is_success
    except httpx.TransportError:
        return False
