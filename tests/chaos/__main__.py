"""
Break everything that a run needs, and see that nothing is lost: `python -m tests.chaos [fault …]`.

For each fault a list is checked on real services, which break meanwhile. After that every domain
has one result, the true one; the flow run and its task runs have ended; no message is left.

"asked twice" counts the domains whose name was looked up more than once, by the name server's own
count of questions; those that c-ares sent again while it waited are not counted.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.faults import FAULTS, Sizes
from tests.chaos.run import Report, endure
from tests.chaos.stage import running_stage
from tests.services.postgres import running_postgres
from tests.services.rabbitmq import running_rabbitmq

KNOWN = ("none", *FAULTS, "all")


def main() -> int:
    """Put Rollcall through the faults; returns the exit code."""
    told = _parser().parse_args()
    if unknown := set(told.faults) - set(KNOWN):
        sys.exit(f"unknown: {' '.join(unknown)}; there are: {' '.join(KNOWN)}")
    print(f"Seed {told.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="rollcall-chaos-"))
    reports = []
    pace = told.domains / told.seconds if told.seconds else 0
    with running_rabbitmq() as broker, running_postgres() as postgres:
        with running_stage(broker, postgres, directory, workers=told.workers, pace=pace) as stage:
            for fault in told.faults or KNOWN:
                reports.append(endure(stage, fault, told.seed, told.domains, Sizes()))
                _tell(reports[-1])
        shutil.copy(broker.log, directory)
    _table(reports)
    if any(report.wrong for report in reports):
        print(f"Something is wrong. Logs: {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("faults", nargs="*", metavar="fault", help=f"of: {' '.join(KNOWN)}")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--domains", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument(
        "--seconds", type=float, default=120, help="how long a quiet run is made to last; 0: free"
    )
    return parser


def _tell(report: Report) -> None:
    print(f"\n{report.fault}: {report.domains:,} domains in {report.seconds:.0f} s")
    for at, took, what in sorted(report.blows):
        print(f"  {at:6.1f} s  {what}" + (f" (took {took:.1f} s)" if took > 1 else ""))
    for wrong in report.wrong:
        print(f"  WRONG: {wrong}")
    sys.stdout.flush()


def _table(reports: Sequence[Report]) -> None:
    print("\n| fault | blows | seconds | domains | asked twice | task runs | wrong |")
    print("| --- | ---: | ---: | ---: | ---: | --- | --- |")
    for report in reports:
        ended = ", ".join(f"{n} {kind.lower()}" for kind, n in report.task_runs.items())
        print(
            f"| {report.fault} | {len(report.blows)} | {report.seconds:.0f} | {report.domains:,} |"
            f" {report.twice:,} | {ended} | {'; '.join(report.wrong) or '–'} |"
        )


if __name__ == "__main__":
    sys.exit(main())
