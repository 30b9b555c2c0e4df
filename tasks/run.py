"""A run from its request to its summary: the steps that the flow puts in order."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run

from commands.environment import Environment
from commands.errors import CommandError
from commands.loop import submit
from commands.registry import make
from database.engine import open_database
from database.errors import DatabaseError, ListMissing
from database.lists import StoredList
from database.runs import StoredRun, end_run, open_run
from tasks.check import PATIENT
from tasks.errors import InputError
from tasks.export import check_result_file, write_result_file
from tasks.load import LoadError
from tasks.report import markdown_report
from tasks.settings import Settings
from tasks.source import Request, Source, find_source
from tasks.summary import RunSummary, summarize

#: What a user can mend before anything was checked.
REFUSALS = (InputError, LoadError, CommandError, ListMissing)
#: What stopped a run that may go on later.
FAILURES = (DatabaseError,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run that has begun."""

    run: StoredRun
    source: Source
    settings: Settings
    #: The checks' names, each once.
    checks: list[str]
    #: The result file.
    out: Path
    #: By `time.monotonic`.
    began: float


@contextmanager
def begin(request: Request, checks: Sequence[str], out: str) -> Iterator[Job]:
    """
    Look at everything that could be wrong with a request, then open its run.

    Raises:
        InputError: The request cannot be met.
        LoadError: The file is not there, or cannot be read.
        CommandError: A check is unknown, or cannot be done here.
        DatabaseError: The database cannot be used.
    """
    began = time.monotonic()
    settings = Settings()
    names = list(dict.fromkeys(checks))
    result_file = Path(out) if out else settings.home / "results" / f"{flow_run.id}.csv"
    check_result_file(result_file)
    with tempfile.TemporaryDirectory(prefix="rollcall-") as folder:
        source = find_source(request, settings, Path(folder))
        _try_checks(names, settings)
        engine = open_database(settings.database)
        # Only a run without a deployment may be gone on with by another flow run.
        fingerprint = None if deployment.id else source.fingerprint
        run = open_run(engine, UUID(flow_run.id), fingerprint, names)
        yield Job(
            run=run, source=source, settings=settings, checks=names, out=result_file, began=began
        )


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, **PATIENT)
def finish(job: Job, stored: StoredList) -> RunSummary:
    """
    Write the result file and the report, and close the run.

    Raises:
        InputError: The result file cannot be written.
        LedgerBroken: The results do not add up.
    """
    engine = open_database(job.settings.database)
    rows = write_result_file(engine, job.run.number, job.out)
    summary = summarize(
        engine,
        job.run,
        stored,
        job.checks,
        seconds=time.monotonic() - job.began,
        file=f"{rows:,} rows in {job.out}",
    )
    end_run(engine, job.run.number)
    create_markdown_artifact(markdown_report(summary), "report", summary.headline)
    get_run_logger().info("%s. Results: %s.", summary.headline, summary.file)
    return summary


def _try_checks(names: Sequence[str], settings: Settings) -> None:
    """Open every command once: what it needs is missing now, not after an hour."""
    if not names:
        message = "name at least one check, e.g. host"
        raise InputError(message)
    environment = settings.environment(second_pass=False)
    for name in names:
        submit(_open(name, environment)).result()


async def _open(name: str, environment: Environment) -> None:
    async with make(name, {}, environment):
        pass
