"""A run from its request to its summary: the steps that the flow puts in order."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed

from commands.command import Command
from commands.errors import CommandError
from commands.loop import submit
from commands.registry import make
from database.comparison import compare
from database.engine import open_database
from database.errors import DatabaseError, ListMissing
from database.lists import StoredList, latest_list
from database.runs import StoredRun, end_run, list_of_run, open_run
from tasks.check import PATIENT
from tasks.chunks import cancel_batches
from tasks.errors import BatchesFailed, InputError, OutputError
from tasks.export import check_result_file, write_result_file
from tasks.load import LoadError, TemporaryDirectoryFull
from tasks.notify import parse_entries
from tasks.plan import Plan, make_plan
from tasks.report import markdown_report
from tasks.settings import Settings
from tasks.source import LATEST, PASTED, Request, Source, find_source
from tasks.summary import RunSummary, summarize

#: What a flow ends with in one line, without a traceback.
EXPECTED = (InputError, OutputError, LoadError, CommandError, DatabaseError, BatchesFailed)
#: Those of them that a user can mend before anything was checked ...
_REFUSALS = (InputError, LoadError, CommandError, ListMissing)
#: ... but for these, which are not about the request.
_BREAKS = (TemporaryDirectoryFull,)


def refused(error: BaseException) -> bool:
    """Say whether the request cannot be met; otherwise something broke, and it may go on later."""
    return isinstance(error, _REFUSALS) and not isinstance(error, _BREAKS)


@dataclass(frozen=True, slots=True)
class Job:
    """A run that has begun."""

    run: StoredRun
    source: Source
    settings: Settings
    plan: Plan
    #: The result file.
    out: Path
    #: By `time.monotonic`.
    began: float


@contextmanager
def begin(
    request: Request, checks: Sequence[Any], out: str, notify: Sequence[Any] = ()
) -> Iterator[Job]:
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
    plan = make_plan(checks)
    parse_entries(notify, settings)
    result_file = Path(out) if out else settings.home / "results" / f"{flow_run.id}.csv"
    check_result_file(result_file)
    engine = open_database(settings.database)
    if request.file.strip() == LATEST:
        request = replace(request, file=f"list:{latest_list(engine).id}")
    with tempfile.TemporaryDirectory(dir=settings.scratch_folder()) as folder:
        stored = list_of_run(engine, UUID(flow_run.id))
        if stored is None:
            source = find_source(request, settings, Path(folder))
        else:
            # A run is of one list: what a file or a URL holds by now is another one.
            again = Request(file=f"list:{stored.id}")
            source = replace(find_source(again, settings, Path(folder)), name=stored.name)
        _try_checks(plan, settings)
        # Only a run without a deployment may be gone on with by another flow run.
        fingerprint = None if deployment.id else source.resumed_by
        run = open_run(engine, UUID(flow_run.id), fingerprint, plan.as_json())
        try:
            yield Job(run, source, settings, plan, result_file, began)
        finally:
            # After an interruption the process would otherwise wait for its batches.
            cancel_batches(run.number)


def check_share(fail_above: float) -> None:
    """
    Look at the share above which a run fails.

    Raises:
        InputError: It is none, e.g. 5 for five percent, which would never fail a run.
    """
    if not 0 <= fail_above <= 1:
        raise InputError(f"fail_above: write a share from 0 to 1, e.g. 0.05, not {fail_above:g}")


def final_state(summary: RunSummary, fail_above: float) -> State[Any]:
    """
    Return what a run ends with.

    Args:
        summary: What it came to.
        fail_above: The largest share of unknown results of a check, of those that it looked at.
    """
    for check in summary.checks:
        if check.looked_at and check.unknown / check.looked_at > fail_above:
            share = f"{check.name}: {check.unknown:,} of {check.looked_at:,} are unknown"
            reason = f"{share}, which is more than fail_above={fail_above:g}"
            return Failed(message=f"{reason}. {summary.headline}", data=summary)
    return Completed(message=summary.headline, data=summary)


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, **PATIENT)
def finish(job: Job, stored: StoredList) -> RunSummary:
    """
    Compare with the previous run, write the result file and the report, and close the run.

    Raises:
        OutputError: The result file cannot be written.
        LedgerBroken: The results do not add up.
    """
    engine = open_database(job.settings.database)
    compare(engine, job.run.number, by_name=stored.name != PASTED)
    seconds = time.monotonic() - job.began
    summary = summarize(engine, job.run, stored, job.plan, seconds=seconds, file=str(job.out))
    write_result_file(engine, job.run.number, job.out)
    _show(summary)
    # Last: until then an interrupted run is one that can be gone on with.
    end_run(engine, job.run.number)
    get_run_logger().info("%s. Results: %s.", summary.headline, summary.file)
    return summary


def _show(summary: RunSummary) -> None:
    try:
        create_markdown_artifact(markdown_report(summary), "report", summary.headline)
    except httpx.HTTPError as error:
        # The results are there; the work is not to fail because its report cannot be shown.
        get_run_logger().warning("The report cannot be shown: %s", error)


def _try_checks(plan: Plan, settings: Settings) -> None:
    """Open every check's command once: what it needs is missing now, not after an hour."""
    environment = settings.environment(second_pass=False)
    for check in plan:
        command = make(check.node.command_name, check.node.options, environment)
        submit(_open(command)).result()


async def _open(command: Command[Any, Any]) -> None:
    async with command:
        pass
