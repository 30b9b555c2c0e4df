"""Two runs of one list, the newest list, and a run that is missed."""

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.flow_engine import run_flow_sync
from prefect.states import Crashed, Pending, Running

from database.engine import open_database
from database.runs import open_run, use_list
from flows.check_domains import check_domains
from tasks import overlap
from tests.flows.fixtures import Check

NAMES = "python.org wikipedia.org"
#: Seconds for a run to come as far as to wait for another.
PATIENCE = 60.0


@pytest.fixture
def list_id(check: Check) -> int:
    """Give the id of a list that was checked before."""
    found: int = check(domains=NAMES).result().stored.id
    return found


@pytest.fixture
def earlier(list_id: int, home: Path) -> Any:
    """Give a flow run that is at work on the list, as far as everyone can tell."""
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(check_domains, state=Running())
    engine = open_database(f"sqlite:///{home}/rollcall.db")
    run = open_run(engine, flow_run.id, None, [])
    use_list(engine, run.number, list_id)
    return flow_run


def test_by_default_runs_run_beside_each_other(check: Check, list_id: int, earlier: Any) -> None:
    """Nobody is kept waiting who did not ask for it."""
    assert check(file=f"list:{list_id}").message == "2 domains. host: 2 resolves. 0 changed"


def test_a_second_run_may_be_skipped(check: Check, list_id: int, earlier: Any) -> None:
    """It ends at once, completed, and says who is at work; another list is not affected."""
    state = check(file=f"list:{list_id}", overlap="skip")
    assert state.is_completed()
    assert (state.name, state.message) == (
        "Skipped",
        f"Skipped: {earlier.name} is checking the same list",
    )
    assert check(domains="gnu.org", overlap="skip").message == "1 domains. host: 1 resolves"


def test_a_run_that_died_stops_nobody(check: Check, list_id: int, earlier: Any) -> None:
    """What has no end in the database, but has one in Prefect, is not under way."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(earlier.id, Crashed(), force=True)
    state = check(file=f"list:{list_id}", overlap="skip")
    assert state.message == "2 domains. host: 2 resolves. 0 changed"
    with get_client(sync_client=True) as client:
        client.delete_flow_run(earlier.id)
    assert check(file=f"list:{list_id}", overlap="skip").message == state.message


def test_a_quiet_run_stops_nobody(
    check: Check, list_id: int, earlier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a machine has died, Prefect goes on calling its flow run Running; an hour is enough."""
    monkeypatch.setattr(overlap, "QUIET", timedelta(0))
    state = check(file=f"list:{list_id}", overlap="skip")
    assert state.name == "Completed"


def test_a_second_run_may_wait(
    check: Check, list_id: int, earlier: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes on when the earlier one has ended."""
    parameters = {"file": f"list:{list_id}", "overlap": "wait"}
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(check_domains, parameters=parameters, state=Pending())
        ended: list[str] = []

        def end() -> None:
            deadline = time.monotonic() + PATIENCE
            while "Waiting for " not in caplog.text and time.monotonic() < deadline:
                time.sleep(0.05)
            try:
                ended.append(str(client.read_flow_run(flow_run.id).state_name))
            finally:
                # Else the run would wait for an hour.
                client.set_flow_run_state(earlier.id, Crashed(), force=True)

        thread = threading.Thread(target=end)
        thread.start()
        try:
            state: State[Any] = run_flow_sync(  # type: ignore[assignment]
                check_domains, flow_run=flow_run, parameters=parameters, return_type="state"
            )
        finally:
            thread.join()
    assert f"Waiting for {earlier.name}" in caplog.text
    assert ended == ["Running"]
    assert state.message == "2 domains. host: 2 resolves. 0 changed"


def test_the_newest_list(check: Check, list_id: int) -> None:
    """`list:latest` is the list that was loaded last."""
    newest = check(domains="gnu.org").result().stored.id
    assert newest > list_id
    assert check(file="list:latest").result().stored.id == newest


def test_there_is_no_newest_list_yet(check: Check) -> None:
    """Without any list the run is refused, with what to do."""
    state = check(file="list:latest")
    assert state.name == "Refused"
    assert state.message == "there is no list yet, so no latest one; upload a file first"
