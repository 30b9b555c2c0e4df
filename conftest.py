"""
What every test gets: an environment without the user's settings, and real servers when it asks.

A server is started by the first test that asks for it and serves the whole session (with
`pytest -n 3`, one for each of the three processes).
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Page

from tests.services.browser import open_browser
from tests.services.postgres import Postgres, running_postgres
from tests.services.prefect import (
    QUICK_CLIENTS,
    SETTINGS,
    PrefectServer,
    running_prefect_server_on_postgres,
)
from tests.services.rabbitmq import Broker, running_rabbitmq


def _leave_the_users_home() -> None:
    """Point HOME and PREFECT_HOME to a directory that goes away with this process."""
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "ROLLCALL_"))]:
        del os.environ[name]
    home = tempfile.mkdtemp(prefix="rollcall-tests-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ |= {"HOME": home, "PREFECT_HOME": f"{home}/.prefect", **SETTINGS, **QUICK_CLIENTS}


# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("rollcall", deadline=None)
hypothesis.settings.load_profile("rollcall")

# Here and not in a fixture: Prefect reads its settings when it is imported.
_leave_the_users_home()

ROOT = Path(__file__).parent
#: It imports flows, and with them Prefect, so it comes after that.
pytest_plugins = ["tests.flows.fixtures", "tests.rabbitmq.fixtures", "tests.rabbitmq.workers"]


#: Where tests take long. Short ones are left for the end, so that all processes end together.
SLOW = (
    "tests/chaos",
    "tests/deployments",
    "packages",
    "tests/jobs",
    "tests/flows",
    "tests/examples",
    "tests/services",
    "tests/test_readme",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow ones."""
    items.sort(key=lambda item: _place(item.path.relative_to(ROOT).as_posix()))


def _place(path: str) -> int:
    return next((place for place, of in enumerate(SLOW) if path.startswith(of)), len(SLOW))


@pytest.fixture(scope="session")
def session_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an empty directory which all tests of this process share."""
    return tmp_path_factory.mktemp("session")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give a PostgreSQL cluster; a test that stops it starts it again."""
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """Give the SQLAlchemy URL of an empty database of the test's own."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Broker]:
    """Give a RabbitMQ broker; a test that stops it starts it again."""
    with running_rabbitmq() as broker:
        yield broker


@pytest.fixture
def amqp_url(rabbitmq: Broker) -> Iterator[str]:
    """Give the URL of an empty virtual host of the test's own."""
    with rabbitmq.virtual_host() as url:
        yield url


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Give a Prefect server; our own settings do not point to it."""
    with running_prefect_server_on_postgres(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture
def page() -> Iterator[Page]:
    """Give a page of a browser; `open_browser` says what not to do meanwhile."""
    with open_browser() as opened:
        yield opened
