"""A Prefect server, a name server and a home for the flows that a test runs, in any folder."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.schemas.objects import State
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

from demo.nameserver import NameServer, running_nameserver
from demo.zone import ZONE
from flows.check_domains import check_domains
from tests.services.prefect import PrefectServer

Check = Callable[..., State[Any]]


@pytest.fixture
def nameserver() -> Iterator[NameServer]:
    """Give the bundled name server, with no question asked yet."""
    with running_nameserver(ZONE) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty home of Rollcall."""
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def flow_server(prefect_server: PrefectServer) -> Iterator[PrefectServer]:
    """Give a Prefect server that is not stopped before this process has told it everything."""
    yield prefect_server
    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        for worker in (APILogWorker, EventsWorker):
            worker.drain_all()


@pytest.fixture
def check(
    flow_server: PrefectServer,
    home: Path,
    nameserver: NameServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Check]:
    """Give `check-domains`, which returns its final state."""
    monkeypatch.setenv("ROLLCALL_NAMESERVERS", nameserver.address)
    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        yield partial(cast("Check", check_domains), return_state=True)
