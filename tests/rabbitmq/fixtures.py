"""One pool with one worker for all tests of a session that leave them as they are."""

from collections.abc import Iterator
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect_rabbitmq.credentials import VARIABLE

from tests.rabbitmq import modules
from tests.rabbitmq.burials import opened_pool
from tests.rabbitmq.pools import TASKS, Pool, running_pool
from tests.services.prefect import PrefectServer
from tests.services.rabbitmq import Broker

#: Its pool, virtual host and worker.
SHARED = "shared"


@pytest.fixture(scope="session")
def shared_pool(
    flow_server: PrefectServer, rabbitmq: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pool]:
    """Give the pool; use `pool`, which makes sure that it can be used."""
    directory = tmp_path_factory.mktemp("pool")
    for version in (modules.OLD, modules.NEW):
        modules.write(directory / version, directory / "results", version)
    with running_pool(
        flow_server,
        rabbitmq.make_virtual_host(SHARED),
        directory / modules.NEW,
        name=SHARED,
        modules=[TASKS, modules.STORED, modules.VERSIONED],
    ) as pool:
        yield pool


@pytest.fixture(scope="module")
def rabbitmq_vhost(rabbitmq: Broker) -> Iterator[str]:
    """Give the URL of a virtual host which all tests of a file share."""
    with rabbitmq.virtual_host() as url:
        yield url


@pytest.fixture
def pool(shared_pool: Pool, rabbitmq: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """Give a pool with a worker; our own settings and environment name its servers."""
    rabbitmq.start()
    # Another test may have had the broker forget everything.
    rabbitmq.make_virtual_host(SHARED)
    monkeypatch.setenv(VARIABLE, shared_pool.url)
    with temporary_settings({PREFECT_API_URL: shared_pool.server.api_url}):
        yield shared_pool


@pytest.fixture(params=["threads", "rabbitmq"])
def runner(request: pytest.FixtureRequest, pool: Pool) -> TaskRunner[Any]:
    """Give Prefect's own task runner, then ours: a flow is the same on both."""
    return ThreadPoolTaskRunner() if request.param == "threads" else pool.runner()


@pytest.fixture
def channel(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockingChannel]:
    """Give a channel on a broker that the environment names and that has the pool's queues."""
    monkeypatch.setenv(VARIABLE, amqp_url)
    with opened_pool(amqp_url) as channel:
        yield channel
