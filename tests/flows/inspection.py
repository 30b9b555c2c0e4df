"""What Prefect's server knows of a flow run."""

import time
from typing import Any
from uuid import UUID

from tests.services.asking import ask_api
from tests.services.prefect import PrefectServer

#: Seconds for the server to record what it was told.
PATIENCE = 30.0


def task_run_names(server: PrefectServer, run: UUID | None) -> list[str]:
    """Return the sorted names of a done run's task runs."""
    return sorted(task["name"] for task in finished_task_runs(server, run))


def finished_task_runs(server: PrefectServer, run: UUID | None) -> list[dict[str, Any]]:
    """Return a done run's task runs, when all of them are recorded as done."""
    deadline = time.monotonic() + PATIENCE
    before: set[str] = set()
    while True:
        time.sleep(0.5)
        found = _task_runs(server, run)
        states = {task["name"]: task["state_type"] for task in found}
        # The last one is there, none is under way, and none has come since the last look.
        if "report" in states and set(states.values()) == {"COMPLETED"} and before == set(states):
            return found
        assert time.monotonic() < deadline, states
        before = set(states)


def artifacts(server: PrefectServer, run: UUID | None) -> dict[str, dict[str, Any]]:
    """Return a flow run's artifacts by key."""
    body = {"artifacts": {"flow_run_id": {"any_": [str(run)]}}}
    found = _post(server, "/artifacts/filter", body)
    return {artifact["key"]: artifact for artifact in found}


def _task_runs(server: PrefectServer, run: UUID | None) -> list[dict[str, Any]]:
    body = {"flow_runs": {"id": {"any_": [str(run)]}}, "limit": 200}
    found: list[dict[str, Any]] = []
    while page := _post(server, "/task_runs/filter", body | {"offset": len(found)}):
        found += page
    return found


def _post(server: PrefectServer, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask_api("POST", f"{server.api_url}{path}", body)
    return found
