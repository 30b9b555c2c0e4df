"""
Map a no-op task with one of the task runners, by `PREFECT_API_URL`'s server.

Reads the runner's name, the number of task runs to warm up with and the number to measure from the
command line; prints JSON: the flow run's id and the seconds from the mapping to the last result.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect_rabbitmq import RabbitMQTaskRunner

from benchmarks.noop import noop

POOL = "noops"
#: Each of them runs so many tasks at once, as a RabbitMQ worker does by default.
THREADS = 8
DASK_WORKERS = 2


def _dask() -> TaskRunner[Any]:
    from prefect_dask import DaskTaskRunner

    runner: TaskRunner[Any] = DaskTaskRunner(
        cluster_kwargs={
            "n_workers": DASK_WORKERS,
            "threads_per_worker": THREADS // DASK_WORKERS,
            "dashboard_address": None,
        }
    )
    return runner


RUNNERS = {
    "RabbitMQTaskRunner": lambda: RabbitMQTaskRunner(work_pool=POOL),
    "ThreadPoolTaskRunner": lambda: ThreadPoolTaskRunner(max_workers=THREADS),
    "DaskTaskRunner": _dask,
}


@flow
def map_noop(warm_up: int, count: int) -> tuple[str, float]:
    """Return the flow run's id, and the seconds that it took."""
    assert noop.map(range(warm_up)).result() == list(range(warm_up))
    began = time.perf_counter()
    results = noop.map(range(count)).result()
    seconds = time.perf_counter() - began
    assert results == list(range(count)), "a task run has another's result"
    return str(flow_run.id), seconds


def main() -> None:
    """Map, and print."""
    name, warm_up, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    run = map_noop.with_options(task_runner=RUNNERS[name]())  # type: ignore[arg-type]
    flow_run_id, seconds = run(warm_up, count)
    print(json.dumps({"flow_run": flow_run_id, "seconds": seconds}))


if __name__ == "__main__":
    main()
