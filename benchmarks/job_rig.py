"""The rig for jobs: workers that have the handlers of `benchmarks/handlers`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from benchmarks.extras import ROOT
from benchmarks.rig import Rig, Services, running_rig
from deployments.pool import TASK_MODULES

HANDLERS = Path(__file__).parent / "handlers"
#: Where the handler `punctual` writes, below the rig's home.
MARKS = "marks"
#: Nobody is asked for a name.
NO_NAMESERVER = "127.0.0.1:9"


@contextmanager
def running_job_rig(
    services: Services, home: Path, *, workers: int, **settings: str
) -> Iterator[Rig]:
    """
    Run workers on a new database and new queues.

    Args:
        services: What they use.
        home: An empty directory.
        workers: How many.
        settings: More environment variables, for workers and emitters.
    """
    modules = ",".join([*TASK_MODULES, "benchmarks.noop"])
    ours = {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{HANDLERS}",
        "PREFECT_RABBITMQ_TASK_MODULES": modules,
        "BENCH_MARKS": str(home / MARKS),
        # A line for each job costs as much as the job.
        "PREFECT_LOGGING_LEVEL": "WARNING",
        **settings,
    }
    with running_rig(services, NO_NAMESERVER, home, workers=workers, **ours) as rig:
        yield rig


def counted(database: str) -> dict[str, int]:
    """Count the jobs by their states."""
    with create_engine(database, poolclass=NullPool).connect() as connection:
        rows = connection.execute(text("SELECT state, count(*) FROM jobs GROUP BY state"))
        return dict(rows.tuples().all())
