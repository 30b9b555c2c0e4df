"""
Jobs a second through one worker, with a handler that does nothing but note the time.

- *Rollcall*: `run-command` with an empty command: a row that is locked, claimed and ended for each
  job, a Prefect task run with its states; 8 at once in one process.
- *prefect-rabbitmq*: a bare Prefect task by `publish_job`, without a row; the same worker.
- *Celery*: late acknowledgement, results ignored, 2 processes that take 64 messages ahead each, no
  gossip; neither a row nor states, and nobody can look a job up.

All jobs are in the queue before the worker is started; the rate counts from the first to the last
note. Then what a Rollcall job costs, part by part, in one thread of a quiet process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from benchmarks.extras import with_extras
from benchmarks.job_parts import parts
from benchmarks.job_rig import MARKS, counted, running_job_rig
from benchmarks.markdown import show
from benchmarks.rig import POOL, PREFECT_DATABASES, Services, running_services
from tests.services.prefect import running_prefect_worker
from tests.services.processes import running

JOBS = 2_000
OURS, BARE, CELERY = "Rollcall: run-command", "prefect-rabbitmq: a bare task", "Celery"
#: Seconds without another note after which there will be none.
PATIENCE = 60.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--prefect-database", choices=PREFECT_DATABASES, default="postgresql")
    parser.add_argument("--alone", action="store_true", help="without Celery")


def main(arguments: argparse.Namespace) -> None:
    """Measure all of them in turn, so that each sees the same machine; print the rates."""
    names = [OURS, BARE, *([] if arguments.alone else [CELERY])]
    rates: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        services = stack.enter_context(
            running_services(_made(folder / "server"), prefect_database=arguments.prefect_database)
        )
        for number in range(arguments.repeat):
            for name, measured in rates.items():
                home = _made(folder / f"{number}-{name.split(':')[0]}")
                measure = _celery if name == CELERY else _ours
                measured.append(measure(services, home, arguments.jobs, name))
        costs = list(parts(services))
    first = rates[OURS]
    show(
        f"{arguments.jobs:,} empty jobs, one worker, {arguments.repeat} repetitions, jobs/s",
        ["", "best", "median", "÷ Rollcall, best", "median"],
        [
            [
                name,
                max(measured),
                statistics.median(measured),
                max(measured) / max(first),
                statistics.median(measured) / statistics.median(first),
            ]
            for name, measured in rates.items()
        ],
    )
    show("What a job costs, one after the other in one thread", ["", "ms"], costs)


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def _ours(services: Services, home: Path, count: int, name: str) -> float:
    command = ["punctual"] if name == OURS else []
    with running_job_rig(services, home, workers=0) as rig:
        source = [sys.executable, "-m", "benchmarks.job_source", str(count), "0", "default"]
        _done([*source, *command], rig.prefect.environment)
        worker = running_prefect_worker(rig.prefect, home, pool=POOL, kind="rabbitmq")
        rate = _rate(worker, home / MARKS, count)
        if command:
            deadline = time.monotonic() + PATIENCE
            while counted(rig.database) != {"completed": count}:
                assert time.monotonic() < deadline, counted(rig.database)
                time.sleep(0.5)
    return rate


def _celery(services: Services, home: Path, count: int, _name: str) -> float:
    with services.broker.virtual_host() as url:
        environment = with_extras(services.prefect.environment)
        environment |= {"CELERY_JOBS_BROKER": url, "BENCH_MARKS": str(home / MARKS)}
        _done([sys.executable, "-m", "benchmarks.celery_jobs", str(count)], environment)
        command = [sys.executable, "-m", "celery", "-A", "benchmarks.celery_jobs", "worker"]
        command += ["--loglevel", "WARNING", "--pool", "prefork", "--concurrency", "2"]
        command += ["--prefetch-multiplier", "64", "--without-gossip", "--without-mingle"]
        worker = running(command, directory=home, name="celery", environment=environment)
        return _rate(worker, home / MARKS, count)


def _done(command: Sequence[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"


def _rate(worker: AbstractContextManager[Any], marks: Path, count: int) -> float:
    """Return the jobs a second of a worker that finds so many in its queue."""
    noted, since = 0, time.monotonic()
    with worker:
        while noted < count:
            time.sleep(0.2)
            now = marks.read_bytes().count(b"\n") if marks.exists() else 0
            if now != noted:
                noted, since = now, time.monotonic()
            assert time.monotonic() - since < PATIENCE, f"{now} of {count} jobs"
    times = sorted(map(float, marks.read_text(encoding="ascii").split()))
    assert len(times) == count, f"{len(times)} notes of {count} jobs"
    return (count - 1) / (times[-1] - times[0])
