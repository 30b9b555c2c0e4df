"""States that were lost on their way to Prefect's server are told by the flow, which knows them."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed, Running
from prefect_rabbitmq import reconciliation
from prefect_rabbitmq.reconciliation import Endings, reconcile

from tests.rabbitmq.pools import Pool, running_pool
from tests.rabbitmq.records import counts, eventually
from tests.rabbitmq.tasks import add, mark_when
from tests.services.prefect import PrefectServer
from tests.services.processes import end_all, free_port
from tests.services.proxy import running_proxy


@flow
def lost() -> None:
    """Be the flow of some task runs."""


@pytest.fixture
def endings(pool: Pool) -> Endings:
    """Give a flow run of one attempt, with five running task runs and a completed one."""
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(lost, state=Running())
        for number in range(6):
            state: Any = Completed() if number == 5 else Running()
            client.create_task_run(add, flow_run.id, str(number), name=str(number), state=state)
        return Endings(client.read_flow_run(flow_run.id))


def shown(endings: Endings) -> dict[str, tuple[str | None, str | None]]:
    """Return names and messages of the states of the task runs."""
    return {
        run.name: (run.state.name, run.state.message)
        for run in _runs(endings)
        if run.state is not None
    }


def ids(endings: Endings) -> dict[str, UUID]:
    """Return the ids of the task runs by name."""
    return {run.name: run.id for run in _runs(endings)}


def _runs(endings: Endings) -> list[Any]:
    flow_run = endings.flow_run
    assert flow_run
    with get_client(sync_client=True) as client:
        of_it = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))
        return client.read_task_runs(flow_run_filter=of_it, limit=200)


def test_lost_states_are_told(endings: Endings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gets the end that the flow knows, also if they are many; the others stay as they are."""
    monkeypatch.setattr(reconciliation, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(reconciliation, "PAGE", 2)
    known = ids(endings)
    endings.add(known["0"], Completed(message="well"))
    endings.add(known["1"], Failed(message="not so well"))
    endings.add(known["2"], Failed(name="TimedOut"))
    endings.add(known["5"], Completed())
    assert endings.flow_run
    # Task runs that are made through the API count as those of no attempt.
    endings.flow_run.run_count = 0
    reconcile(endings)
    expected = {
        "0": ("Completed", "well"),
        "1": ("Failed", "not so well"),
        "2": ("TimedOut", None),
        "3": ("Running", None),
        "4": ("Running", None),
        "5": ("Completed", None),
    }
    assert shown(endings) == expected
    endings.flow_run.run_count = 1
    reconcile(endings)
    crashed = ("Crashed", "The process of its flow run died.")
    assert shown(endings) == expected | {"3": crashed, "4": crashed}


def test_what_the_server_never_heard_of(
    endings: Endings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is waited for while it may still come; then a warning counts it."""
    monkeypatch.setattr(reconciliation, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(reconciliation, "COUNTED", 3)
    # Those of an earlier attempt, and one of this: they say nothing of the others.
    endings.add(ids(endings)["5"], Completed())
    for _ in range(4):
        endings.add(uuid4(), Completed())
    reconcile(endings)
    assert "4 task runs are missing in Prefect's UI" in caplog.text


def test_the_server_is_away(endings: Endings, caplog: pytest.LogCaptureFixture) -> None:
    """The flow ends all the same, with a warning."""
    endings.add(next(iter(ids(endings).values())), Completed())
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        reconcile(endings)
    assert "States of task runs may be missing" in caplog.text


def test_a_worker_dies_after_its_replies(
    pool: Pool, flow_server: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its replies have arrived, what it had to tell Prefect's server has not: the flow tells it."""
    monkeypatch.setattr(reconciliation, "PATIENCE_SECONDS", 2.0)
    there = tmp_path / "there"
    with running_proxy(flow_server.port) as proxy:
        environment = {"PREFECT_API_URL": f"http://127.0.0.1:{proxy.port}/api"}
        with running_pool(
            flow_server, pool.url, tmp_path, name="dying", environment=environment
        ) as dying:

            @flow(task_runner=dying.runner())
            def body() -> list[Any]:
                futures = mark_when.map([tmp_path / "marks"] * 4, there)
                context = FlowRunContext.get()
                assert context
                assert context.flow_run
                flow_run = context.flow_run.id
                running = {StateType.RUNNING: 4}
                eventually(lambda _: counts(flow_run), lambda found: found == running)
                proxy.stall()
                there.touch()
                results = futures.result()
                kill(dying)
                proxy.refuse()
                assert counts(flow_run) == running
                return results

            state = body(return_state=True)
    assert state.result() == ["x"] * 4
    assert counts(state.state_details.flow_run_id) == {StateType.COMPLETED: 4}


def kill(pool: Pool) -> None:
    """Kill a worker and the process of its tasks."""
    children = psutil.Process(pool.worker.pid).children(recursive=True)
    assert children
    pool.worker.kill()
    end_all(children)
