"""
Prefect's task runners side by side: a no-op task, mapped in one flow run, on one Prefect server.

- *RabbitMQTaskRunner* with one worker, which runs 8 tasks at once in its process for tasks,
- *ThreadPoolTaskRunner* with 8 threads in the flow's own process,
- *DaskTaskRunner* with 2 worker processes of 4 threads; fewer task runs, as it takes minutes.

Counts from the mapping to the last result, after some task runs to warm up. The next runner begins
when the server has recorded all task runs of the one before. Afterwards, and not timed, another
worker goes to the server through a proxy that counts its HTTP requests: they come by the clock,
none for a task run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.extras import with_extras, with_repository
from benchmarks.map_noop import POOL, RUNNERS
from benchmarks.markdown import show
from benchmarks.recorded import assert_recorded
from tests.services.counting import running_counter
from tests.services.prefect import PrefectServer, running_prefect_server, running_prefect_worker
from tests.services.rabbitmq import running_rabbitmq

TASKS, DASK_TASKS = 1_000, 100
WARM_UP = 20
OURS, DASK = "RabbitMQTaskRunner", "DaskTaskRunner"
#: For flows and for workers: a line for each task run costs as much as the task run.
QUIET = {"PREFECT_LOGGING_LEVEL": "WARNING"}


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--dask-tasks", type=int, default=DASK_TASKS, help="minutes otherwise")
    parser.add_argument("--repeat", type=int, default=3)


def main(arguments: argparse.Namespace) -> None:
    """Measure all of them in turn, so that each sees the same machine; print the rates."""
    rates: dict[str, list[float]] = {name: [] for name in RUNNERS}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_rabbitmq() as broker,
        running_prefect_server(_made(folder, "server")) as prefect,
    ):
        environment = (
            with_repository(prefect.environment)
            | QUIET
            | {
                "PREFECT_RABBITMQ_URL": broker.url,
                "PREFECT_RABBITMQ_TASK_MODULES": "benchmarks.noop",
            }
        )
        client = replace(prefect, environment=environment)
        with running_prefect_worker(client, _made(folder, "worker"), pool=POOL, kind="rabbitmq"):
            for _ in range(arguments.repeat):
                for name, measured in rates.items():
                    tasks = arguments.dask_tasks if name == DASK else arguments.tasks
                    measured.append(_rate(client, name, tasks))
        asked, seconds = _requests(client, _made(folder, "counted"), arguments.tasks)
    _show(rates, arguments)
    show(
        f"HTTP requests of a worker in {seconds:.1f} s with {arguments.tasks:,} task runs",
        ["", "requests"],
        asked.most_common(),
    )
    assert max(asked.values()) < arguments.tasks, "something is asked for each task run"


def _made(folder: str, name: str) -> Path:
    path = Path(folder, name)
    path.mkdir()
    return path


def _rate(prefect: PrefectServer, name: str, tasks: int) -> float:
    """Return the task runs a second of one flow run; fails unless all of them are recorded."""
    command = [sys.executable, "-m", "benchmarks.map_noop", name, str(WARM_UP), str(tasks)]
    done = subprocess.run(
        command,
        env=with_extras(prefect.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{name}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    told = json.loads(done.stdout.splitlines()[-1])
    assert_recorded(prefect, told["flow_run"], WARM_UP + tasks)
    return tasks / float(told["seconds"])


def _requests(client: PrefectServer, directory: Path, tasks: int) -> tuple[Counter[str], float]:
    """Return what a worker asked the server for during a flow run, and how long this took."""
    with running_counter(client.port) as counts:
        counted = replace(
            client,
            environment={
                **client.environment,
                "PREFECT_API_URL": f"http://127.0.0.1:{counts.port}/api",
            },
        )
        with running_prefect_worker(counted, directory, pool=POOL, kind="rabbitmq"):
            before, began = Counter(counts.requests), time.perf_counter()
            _rate(client, OURS, tasks)
            return counts.requests - before, time.perf_counter() - began


def _show(rates: dict[str, list[float]], arguments: argparse.Namespace) -> None:
    rows = [[name, *_figures(rates[name], rates[OURS])] for name in rates]
    show(
        f"A no-op task mapped {arguments.tasks:,} times ({DASK}: {arguments.dask_tasks:,}), "
        f"{arguments.repeat} repetitions, "
        "task runs/s; all recorded",
        ["", "best", "median", f"{OURS} ÷ this, best", "median"],
        rows,
    )


def _figures(measured: Sequence[float], ours: Sequence[float]) -> list[float]:
    best, median = max(measured), statistics.median(measured)
    return [best, median, max(ours) / best, statistics.median(ours) / median]
