"""A yard for the tests of a file, which our own settings name."""

import sys
from collections.abc import Iterator

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings

from commands import registry
from deployments.pool import make_pool
from tasks.broker import WORK_POOL
from tests.jobs.yard import LAB, Yard
from tests.services.postgres import Postgres
from tests.services.prefect import PrefectServer
from tests.services.rabbitmq import Broker


@pytest.fixture(scope="module")
def _lab_is_installed() -> Iterator[None]:
    """Have the lab's commands in this process, too: an emitter looks whether there is one."""
    sys.path.insert(0, str(LAB))
    registry._points.cache_clear()
    yield
    sys.path.remove(str(LAB))
    registry._points.cache_clear()
    registry.command_named.cache_clear()


@pytest.fixture(scope="module")
def made_yard(
    _lab_is_installed: None,
    flow_server: PrefectServer,
    rabbitmq: Broker,
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Yard]:
    """Make it, with the pool's default work queue."""
    with (
        rabbitmq.virtual_host() as amqp_url,
        postgres.database() as database_url,
        SyncPrefectClient(flow_server.api_url) as client,
    ):
        make_pool(client)
        yard = Yard(
            prefect=flow_server,
            amqp_url=amqp_url,
            database_url=database_url,
            directory=tmp_path_factory.mktemp("yard"),
            client=client,
        )
        yard.declare("default")
        yield yard
        client.delete_work_pool(WORK_POOL)


@pytest.fixture
def yard(made_yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """Give it; our own settings and environment name its servers."""
    for name, value in made_yard.variables.items():
        monkeypatch.setenv(name, value)
    with temporary_settings({PREFECT_API_URL: made_yard.prefect.api_url}):
        yield made_yard
