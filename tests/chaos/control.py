"""The Prefect server as an operator uses it, and as somebody who stops it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from tests.services.asking import patient
from tests.services.prefect import PrefectServer
from tests.services.processes import Server, start, wait_until

__all__ = ["DEPLOYMENT", "FINAL", "Control"]

DEPLOYMENT = "check-domains/on-demand"
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
UNDER_WAY = ("SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING")
#: Seconds that the server gets to start, and to answer once it is there.
START_SECONDS = 120.0
ANSWER_SECONDS = 30.0
#: The same for a look that holds others up.
LOOK_SECONDS = 2.0


class Control:
    """
    A Prefect server that can be stopped and started again.

    Args:
        prefect: Runs; it is stopped by whoever started it.
    """

    def __init__(self, prefect: PrefectServer) -> None:
        self.prefect = prefect
        self._server = prefect.server
        self._client = httpx.Client(base_url=prefect.api_url, timeout=ANSWER_SECONDS)

    def close(self) -> None:
        """Stop what was started in place of the first one."""
        self._client.close()
        self._server.stop()

    def stop_server(self) -> None:
        """Stop the server."""
        self._server.stop()

    def start_server(self) -> None:
        """Start it with what it had, at the same port."""
        self._server = start(
            _command(self._server),
            directory=self._server.log.parent,
            name=self._server.log.stem,
            environment=self.prefect.environment,
        )
        wait_until(self._answers, server=self._server, seconds=START_SECONDS)

    def run(self, parameters: dict[str, Any]) -> str:
        """Run the deployment; returns the flow run's id."""
        body = {"parameters": parameters, "idempotency_key": uuid4().hex}
        deployment = patient(lambda: self._get(f"deployments/name/{DEPLOYMENT}"))["id"]
        made = patient(lambda: self._post(f"deployments/{deployment}/create_flow_run", body))
        return str(made["id"])

    def state(self, flow_run: str) -> tuple[str, str]:
        """Return type and message of a flow run's state; waits for a server that is away."""
        state = patient(lambda: self._get(f"flow_runs/{flow_run}"))["state"]
        return state["type"], state["message"] or ""

    def look(self, flow_run: str) -> str:
        """Return the type of a flow run's state; nothing if the server does not say so soon."""
        try:
            return str(self._get(f"flow_runs/{flow_run}", LOOK_SECONDS)["state"]["type"])
        except httpx.HTTPError:
            return ""

    def set_state(self, flow_run: str, kind: str, name: str, message: str) -> None:
        """Set a flow run's state, as the UI does; waits for a server that is away."""
        body = {"state": {"type": kind, "name": name, "message": message}}
        patient(lambda: self._post(f"flow_runs/{flow_run}/set_state", body))

    def task_runs(self, flow_run: str) -> dict[str, int]:
        """Count a flow run's task runs by the types of their states."""
        # In this order: what ends meanwhile is still counted.
        found = {kind: self._count(flow_run, kind) for kind in (*UNDER_WAY, *FINAL)}
        return {kind: count for kind, count in found.items() if count}

    def without_schedules(self) -> None:
        """Take away the deployments that run by themselves."""
        for deployment in patient(lambda: self._post("deployments/filter", {})):
            if deployment["schedules"]:
                self._client.delete(f"deployments/{deployment['id']}").raise_for_status()

    def _count(self, flow_run: str, kind: str) -> int:
        wanted = {
            "flow_runs": {"id": {"any_": [flow_run]}},
            "task_runs": {"state": {"type": {"any_": [kind]}}},
        }
        return int(patient(lambda: self._post("task_runs/count", wanted)))

    def _get(self, path: str, seconds: float = ANSWER_SECONDS) -> Any:
        return self._client.get(path, timeout=seconds).raise_for_status().json()

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._client.post(path, json=body).raise_for_status().json()

    def _answers(self) -> bool:
        try:
            return self._client.get("health").is_success
        except httpx.TransportError:
            return False


def _command(server: Server) -> list[str]:
    command = server.process.args
    assert isinstance(command, list)
    return [str(word) for word in command]
