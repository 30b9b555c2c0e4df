"""
Ten names while a million are being checked: on the work queue `high`, and behind on `default`.

Each is a flow run in a process of its own, as a worker starts one. Counts from the start of that
process (some seconds of which are Python's and Prefect's imports), and from the beginning of the
run, to the last of its results.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from benchmarks.answers import assert_true, committed, run_times
from benchmarks.markdown import show
from benchmarks.names import generate, serving
from benchmarks.rig import PREFECT_DATABASES, Rig, running_rig, running_services

NAMES = 1_000_000
FEW = 10
WORK_QUEUES = ("high", "default")


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--names", type=int, default=NAMES, help="of the long list")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--prefect-database", choices=PREFECT_DATABASES, default="postgresql")


def main(arguments: argparse.Namespace) -> None:
    """Check the long list, and the short ones meanwhile; print how long these took."""
    many = arguments.names
    names = generate(many + FEW * (1 + len(WORK_QUEUES)))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("zone", "server", "rig"):
            (folder / name).mkdir()
        zone = stack.enter_context(serving(names, folder / "zone"))
        services = stack.enter_context(
            running_services(folder / "server", prefect_database=arguments.prefect_database)
        )
        home = folder / "rig"
        rig = stack.enter_context(
            running_rig(services, zone.nameserver, home, workers=arguments.workers)
        )
        idle = _check_few(rig, _write(home / "idle.txt", names[many : many + FEW]), "default")
        rows = [["before, on default", *idle]]
        long = rig.start(_write(home / "long.txt", names[:many]))
        while committed(rig.database) < many // 10:
            long.assert_alive()
            time.sleep(1)
        for number, queue in enumerate(WORK_QUEUES, 1):
            part = names[many + FEW * number : many + FEW * (number + 1)]
            taken = _check_few(rig, _write(home / f"{queue}.txt", part), queue)
            rows.append([f"meanwhile, on {queue}", *taken])
        left = len(names) - committed(rig.database)
        assert left > 0, "the long list was over too early: more names are needed"
        long.wait()
        assert_true(rig.database, zone.truth)
    show(
        f"{FEW} names while {many:,} are being checked by {arguments.workers} workers "
        f"({left:,} were left after it), seconds to the last result",
        ["", "from the process's start", "from the run's beginning"],
        rows,
    )


def _write(path: Path, names: list[str]) -> Path:
    path.write_text("".join(f"{name}\n" for name in names))
    return path


def _check_few(rig: Rig, file: Path, work_queue: str) -> tuple[float, float]:
    check = rig.start(file, work_queue=work_queue)
    began, last = run_times(rig.database, UUID(check.wait()))
    return (last - datetime.fromtimestamp(check.began, UTC)).total_seconds(), (
        last - began
    ).total_seconds()
