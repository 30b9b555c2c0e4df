"""
From a schedule's due moment to the handler's first line: Rollcall beside Celery beat.

Both are due at every whole minute, at the same time on the same machine. *Rollcall*: a deployment
of `emit-job` with the schedule `* * * * *`, as `cron-events` in `prefect.yaml`; one worker with
Prefect's default settings runs its flow run (a process of its own) and then the job. *Celery*: beat
and a worker, which is two processes.

Prefect's worker looks for flow runs every 10 seconds or so, and for those of the next 10 seconds:
their process is mostly there, and waiting, at the due moment.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule

from benchmarks.extras import ROOT, with_extras
from benchmarks.job_rig import MARKS, running_job_rig
from benchmarks.markdown import show
from benchmarks.rig import POOL, PREFECT_DATABASES, Rig, Services, running_services
from tests.services.processes import running

FIRINGS = 10
MINUTE = 60.0
#: Seconds that the last one gets.
PATIENCE = 50.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--firings", type=int, default=FIRINGS, help="each takes a minute")
    parser.add_argument("--prefect-database", choices=PREFECT_DATABASES, default="postgresql")


def main(arguments: argparse.Namespace) -> None:
    """Run both for some minutes; print how late they were."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("server", "rollcall", "celery"):
            (folder / name).mkdir()
        services = stack.enter_context(
            running_services(folder / "server", prefect_database=arguments.prefect_database)
        )
        _run_celery(services, folder / "celery", stack)
        rig = stack.enter_context(running_job_rig(services, folder / "rollcall", workers=1))
        _deploy(rig)
        # The first minute that begins when all is there for some seconds.
        first = (time.time() + 20) // MINUTE * MINUTE + MINUTE
        last = first + (arguments.firings - 1) * MINUTE
        time.sleep(last + PATIENCE - time.time())
        late = {
            name: _late(folder / folder_name / MARKS, first, last)
            for name, folder_name in (("Rollcall", "rollcall"), ("Celery beat", "celery"))
        }
    show(
        f"Seconds from the due moment to the handler's first line, {arguments.firings} firings",
        ["", "fired", "best", "median", "worst"],
        [
            [name, len(seconds), min(seconds), statistics.median(seconds), max(seconds)]
            for name, seconds in late.items()
        ],
    )
    for name, seconds in late.items():
        print(f"{name}: {', '.join(f'{one:.2f}' for one in seconds)}")
        assert len(seconds) == arguments.firings, f"{name} fired {len(seconds)} times"


def _deploy(rig: Rig) -> None:
    """Deploy `emit-job` with a schedule, as `prefect.yaml` does."""
    with SyncPrefectClient(rig.prefect.api_url) as client:
        client.create_deployment(
            client.create_flow_from_name("emit-job"),
            "every-minute",
            entrypoint="flows.emit_job.emit_job",
            work_pool_name=POOL,
            work_queue_name="default",
            parameters={"command": "punctual"},
            schedules=[
                DeploymentScheduleCreate(
                    schedule=CronSchedule(cron="* * * * *", timezone="UTC"), active=True
                )
            ],
            pull_steps=[
                {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
            ],
        )


def _run_celery(services: Services, home: Path, stack: ExitStack) -> None:
    url = stack.enter_context(services.broker.virtual_host())
    environment = with_extras(services.prefect.environment)
    environment |= {"CELERY_JOBS_BROKER": url, "BENCH_MARKS": str(home / MARKS)}
    for what in (["worker", "--pool", "prefork", "--concurrency", "2"], ["beat"]):
        command = [sys.executable, "-m", "celery", "-A", "benchmarks.celery_jobs", *what]
        command += ["--loglevel", "WARNING"]
        stack.enter_context(
            running(command, directory=home, name=f"celery-{what[0]}", environment=environment)
        )


def _late(marks: Path, first: float, last: float) -> list[float]:
    """Return the seconds from each due moment to its note; each is at the start of a minute."""
    times = sorted(map(float, marks.read_text(encoding="ascii").split())) if marks.exists() else []
    return [one % MINUTE for one in times if first <= one < last + PATIENCE]
