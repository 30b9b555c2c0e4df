"""
Emit jobs into groups while RabbitMQ is restarted: `python -m tests.chaos.jobs`.

Half of the emitters are programs that know nothing of Rollcall, the others use its `emit`. Each
group is a work queue with a concurrency limit of 1. After that every job has one row, which has
completed; none was run twice at once, and no two of a group; each group's first starts are in the
order of emission; its numbers have no gaps; no message is left; Prefect shows every job as
completed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.jobs.parts import Sizes
from tests.chaos.jobs.run import Report, endure
from tests.chaos.jobs.stage import running_stage
from tests.services.postgres import running_postgres
from tests.services.prefect import running_prefect_server_on_postgres
from tests.services.rabbitmq import running_rabbitmq


def main() -> int:
    """Run it; returns the exit code."""
    told = _parser().parse_args()
    print(f"Seed {told.seed}", flush=True)
    sizes = Sizes(
        jobs=told.jobs,
        emitters=told.emitters,
        groups=told.groups,
        workers=told.workers,
        restarts=told.restarts,
        pace=told.pace,
    )
    directory = Path(tempfile.mkdtemp(prefix="rollcall-chaos-"))
    (home := directory / "prefect").mkdir()
    with (
        running_rabbitmq() as broker,
        running_postgres() as postgres,
        running_prefect_server_on_postgres(home) as prefect,
    ):
        plan = (sizes, random.Random(told.seed))
        with running_stage(broker, postgres, prefect, directory, plan) as stage:
            report = endure(stage, told.seed)
        shutil.copy(broker.log, directory)
    _table(sizes, report)
    if report.wrong:
        print(f"Something is wrong. Logs: {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.jobs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    defaults = Sizes()
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--jobs", type=int, default=defaults.jobs)
    parser.add_argument("--emitters", type=int, default=defaults.emitters)
    parser.add_argument("--groups", type=int, default=defaults.groups)
    parser.add_argument("--restarts", type=int, default=defaults.restarts, help="of RabbitMQ")
    parser.add_argument("--workers", type=int, default=defaults.workers)
    parser.add_argument(
        "--pace", type=float, default=defaults.pace, help="jobs/s of all emitters, at most"
    )
    return parser


def _table(sizes: Sizes, report: Report) -> None:
    found = report.findings
    for at, took, what, emitted, done in report.blows:
        print(
            f"  {at:6.1f} s  RabbitMQ {what} (took {took:.1f} s), with {emitted:,} jobs emitted"
            f" and {done:,} done"
        )
    for wrong in report.wrong:
        print(f"  WRONG: {wrong}")
    rows = {
        "jobs, of which half from outside": f"{sizes.jobs:,}",
        "emitters, groups, workers": f"{sizes.emitters}, {sizes.groups}, {sizes.workers}",
        "restarts of RabbitMQ": f"{len(report.blows)}",
        "seconds": f"{report.seconds:.0f}",
        "jobs/s, restarts included": f"{found.jobs_per_second:.0f}",
        "jobs by worker": ", ".join(f"{n:,}" for n in found.by_worker.values()),
        "begun again after a lost connection": f"{found.begun_again:,}",
        "done again": f"{found.ended_again:,}",
        "wrong": "; ".join(report.wrong) or "–",
    }
    print("\n| | |\n| --- | ---: |")
    for name, value in rows.items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    sys.exit(main())
