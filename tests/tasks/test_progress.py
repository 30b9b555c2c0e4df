"""How far a run is, told to a listener and to Prefect's server."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.progress import Progress, listener, reading
from tests.services.prefect import PrefectServer

Told = list[tuple[str, int, int | None, str]]
InAFlow = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def told() -> Iterator[Told]:
    """Give what the listener is told."""
    heard: Told = []
    token = listener.set(lambda *words: heard.append(words))
    yield heard
    listener.reset(token)


@pytest.fixture
def in_a_flow(flow_server: PrefectServer) -> Iterator[InAFlow]:
    """Give a function that runs another one in a flow, and returns what it returns."""

    def run(work: Callable[[], Any]) -> Any:
        return flow(name="progress")(work)()

    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        yield run


@pytest.fixture
def check() -> str:
    """Give the name of a check that no artifact is of yet."""
    return f"check_{uuid4().hex}"


def shown(server: PrefectServer, check: str) -> list[dict[str, Any]]:
    """Return all that the server has of a check's progress."""
    body = {"artifacts": {"key": {"any_": [f"{check}-progress".replace("_", "-")]}}}
    answer = httpx.post(f"{server.api_url}/artifacts/filter", json=body, timeout=30)
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    return found


def test_the_listener_hears_everything(told: Told, check: str, in_a_flow: InAFlow) -> None:
    """Each batch is told at once, on top of what an earlier try has left, the commonest first."""

    def work() -> None:
        reading(40_000)
        progress = Progress(check, 1_500, {"nodata": 2})
        progress.add({"resolves": 1_000})
        progress.add({"nodata": 1, "timeout": 497})
        progress.replace({"resolves": 1_497, "nodata": 3})

    in_a_flow(work)
    assert told == [
        ("reading lines", 40_000, None, ""),
        (check, 2, 1_500, "2 nodata"),
        (check, 1_002, 1_500, "1,000 resolves, 2 nodata"),
        (check, 1_500, 1_500, "1,000 resolves, 497 timeout, 3 nodata"),
        (check, 1_500, 1_500, "1,497 resolves, 3 nodata"),
    ]


def test_the_ui_shows_the_beginning_and_the_end(
    flow_server: PrefectServer, check: str, in_a_flow: InAFlow
) -> None:
    """A run that nobody listens to is one artifact, which has at once what an earlier try left."""

    def work() -> list[dict[str, Any]]:
        reading(1)
        progress = Progress(check, 4, {"resolves": 1})
        before = shown(flow_server, check)
        progress.replace({"resolves": 4})
        return before

    before, after = in_a_flow(work), shown(flow_server, check)
    assert [(one["data"], one["type"]) for one in before] == [(25.0, "progress")]
    assert [one["data"] for one in after] == [100.0]
    assert after[0]["description"] == f"{check}: 4 of 4. 4 resolves"


def test_the_server_is_not_told_of_every_batch(
    told: Told, flow_server: PrefectServer, check: str, in_a_flow: InAFlow
) -> None:
    """Of many batches in a moment the listener hears each, the server not."""

    def work() -> None:
        progress = Progress(check, 1_000, {})
        for _ in range(1_000):
            progress.add({"resolves": 1})

    in_a_flow(work)
    assert len(told) == 1_001
    assert [one["data"] for one in shown(flow_server, check)] != [100.0]


def test_a_run_goes_on_where_progress_cannot_be_shown(
    told: Told, flow_server: PrefectServer, check: str, in_a_flow: InAFlow
) -> None:
    """Where the server refuses an update, the count goes on, and the run does not end."""

    def work() -> None:
        progress = Progress(check, 2, {})
        (artifact,) = shown(flow_server, check)
        httpx.delete(
            f"{flow_server.api_url}/artifacts/{artifact['id']}", timeout=60
        ).raise_for_status()
        progress.replace({"resolves": 2})

    in_a_flow(work)
    assert shown(flow_server, check) == []
    assert told[-1] == (check, 2, 2, "2 resolves")
