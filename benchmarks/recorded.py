"""What a Prefect server has recorded, asked over its API."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from typing import Any

import httpx

from tests.services.prefect import PrefectServer

#: Seconds in which nothing new is recorded until we take it that nothing comes any more.
PATIENCE = 30.0
#: All states of task runs that there are.
STATES = (
    "SCHEDULED", "PENDING", "RUNNING", "COMPLETED", "FAILED",
    "CRASHED", "CANCELLING", "CANCELLED", "PAUSED",
)  # fmt: skip


def task_run_states(prefect: PrefectServer, flow_run: str) -> Counter[str]:
    """Return state -> how many of a flow run's task runs are in it now."""
    counts = {state: _count(prefect, flow_run, state) for state in STATES}
    return Counter({state: count for state, count in counts.items() if count})


def assert_recorded(prefect: PrefectServer, flow_run: str, count: int) -> None:
    """
    Wait until so many task runs of a flow run are recorded as completed, which takes a while.

    Fails if there are more or fewer, or others.
    """
    seen, since = Counter[str](), time.monotonic()
    while (states := task_run_states(prefect, flow_run)) != {"COMPLETED": count}:
        if states != seen:
            seen, since = states, time.monotonic()
        assert time.monotonic() - since < PATIENCE, f"of {count} task runs are recorded: {states}"
        time.sleep(0.5)


def assert_settled(prefect: PrefectServer, flow_run: str) -> None:
    """Wait until all of a flow run's task runs are completed, and no more of them appear."""
    before = Counter[str]()
    deadline = time.monotonic() + PATIENCE
    while (states := task_run_states(prefect, flow_run)) != before or set(states) != {"COMPLETED"}:
        before = states
        assert time.monotonic() < deadline, f"task runs are left: {states}"
        time.sleep(1)


def flow_seconds(prefect: PrefectServer, flow_run: str) -> tuple[float, int]:
    """Return a flow run's seconds from its start to its last batch's end, and its batches."""
    of_run = {"flow_runs": {"id": {"any_": [flow_run]}}}
    batches = {"task_runs": {"name": {"like_": "host "}}}
    count = int(_post(prefect, "task_runs/count", of_run | batches))
    newest = {"sort": "END_TIME_DESC", "limit": 1}
    (last,) = _post(prefect, "task_runs/filter", of_run | batches | newest)
    (run,) = _post(prefect, "flow_runs/filter", of_run)
    began, ended = map(datetime.fromisoformat, (run["start_time"], last["end_time"]))
    return (ended - began).total_seconds(), count


def _count(prefect: PrefectServer, flow_run: str, state: str) -> int:
    body = {
        "flow_runs": {"id": {"any_": [flow_run]}},
        "task_runs": {"state": {"type": {"any_": [state]}}},
    }
    return int(_post(prefect, "task_runs/count", body))


def _post(prefect: PrefectServer, path: str, body: dict[str, Any]) -> Any:
    answer = httpx.post(f"{prefect.api_url}/{path}", json=body, timeout=60)
    answer.raise_for_status()
    return answer.json()
