"""
Whether a listener's memory stays flat under load, for half an hour.

One worker takes the jobs of a work queue; another process emits so many each second. A listener is
two processes: Prefect's, with the connection to RabbitMQ, and the one in which handlers run. What
each holds (RSS) is taken every minute.

Fails if either grew in the second half by more than 5 MiB and 1 KiB a job. The first is what an
allocator's free lists and pools of connections may move. The second is what a leak would
exceed that keeps a job's objects (its message, task run and states are several KiB), and bounds
what passes: at 20 jobs a second 1.6 GiB a day, for which there is `memory_limit_mb`. A smaller
leak, of an id or so,
shows in the table and not as an error.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.job_rig import counted, running_job_rig
from benchmarks.markdown import show
from benchmarks.rig import PREFECT_DATABASES, Rig, running_services
from benchmarks.usage import resident_mib
from tests.services.processes import Server, running

GROUPS = ("workers", "task processes")
MOST_GROWTH_MIB, MOST_GROWTH_KIB_A_JOB = 5.0, 1.0
#: Seconds without another job done after which something is wrong.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen."""

    minutes: float
    done: int
    #: MiB of each of GROUPS.
    held: Sequence[float]


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--per-second", type=int, default=20, help="jobs that are emitted")
    parser.add_argument("--prefect-database", choices=PREFECT_DATABASES, default="postgresql")


def main(arguments: argparse.Namespace) -> None:
    """Run it; print the memory by minute."""
    count = arguments.minutes * 60 * arguments.per_second
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("server", "rig"):
            (folder / name).mkdir()
        services = stack.enter_context(
            running_services(folder / "server", prefect_database=arguments.prefect_database)
        )
        rig = stack.enter_context(running_job_rig(services, folder / "rig", workers=1))
        command = [sys.executable, "-m", "benchmarks.job_source", str(count)]
        command += [str(arguments.per_second), "default", "nothing"]
        source = stack.enter_context(
            running(
                command,
                directory=rig.home,
                name="source",
                environment=rig.prefect.environment,
            )
        )
        looks = list(_looks(rig, source, arguments.minutes))
        _await(rig, count)
    rows = [[f"{look.minutes:.0f} min", look.done, *look.held] for look in looks]
    show(
        f"One listener at {arguments.per_second} jobs/s, {count:,} jobs, all completed",
        ["resident MiB", "jobs done", *GROUPS],
        rows,
    )
    _assert_flat(looks)


def _looks(rig: Rig, source: Server, minutes: int) -> Iterator[Look]:
    began = time.monotonic()
    for minute in range(minutes + 1):
        time.sleep(max(0.0, began + 60 * minute - time.monotonic()))
        assert not source.process.poll(), f"no more jobs are emitted:\n{source.tail()}"
        look = Look(
            minutes=minute,
            done=counted(rig.database).get("completed", 0) if minute else 0,
            held=[resident_mib(group) for group in GROUPS],
        )
        print(f"{minute:3} min  {look.done:7,} jobs  {look.held}", flush=True)
        yield look


def _await(rig: Rig, count: int) -> None:
    """Wait until all jobs have completed; a machine with other work is behind with them."""
    seen, since = -1, time.monotonic()
    while (done := counted(rig.database).get("completed", 0)) < count:
        if done != seen:
            seen, since = done, time.monotonic()
        assert time.monotonic() - since < PATIENCE, f"{done:,} of {count:,} jobs have completed"
        time.sleep(1)
    assert counted(rig.database) == {"completed": count}


def _assert_flat(looks: Sequence[Look]) -> None:
    half, last = looks[len(looks) // 2], looks[-1]
    most = MOST_GROWTH_MIB + (last.done - half.done) * MOST_GROWTH_KIB_A_JOB / 1024
    for at, group in enumerate(GROUPS):
        growth = last.held[at] - half.held[at]
        print(f"{group}: {growth:+.1f} MiB in the second half; {most:.1f} MiB pass for flat")
        assert growth <= most, f"memory of the {group} grows with the number of jobs"
