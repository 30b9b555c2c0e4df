"""
Whether a worker's memory stays flat over a million names.

One worker, which is two processes: Prefect's, with the connection to RabbitMQ, and the one in which
its tasks run. What they hold (RSS) is taken when a tenth of the results is committed, two tenths,
and so on.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.answers import assert_true, committed
from benchmarks.markdown import show
from benchmarks.names import generate, serving
from benchmarks.rig import PREFECT_DATABASES, Rig, running_rig, running_services
from benchmarks.usage import resident_mib

NAMES = 1_000_000
TENTHS = range(1, 11)
GROUPS = ("workers", "task processes")
#: MiB from two tenths of the way to the end that pass for flat, in either process.
MOST_GROWTH_MIB = 60.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--names", type=int, default=NAMES)
    parser.add_argument("--prefect-database", choices=PREFECT_DATABASES, default="postgresql")


def main(arguments: argparse.Namespace) -> None:
    """Check the names; print the memory by progress."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("zone", "server", "rig"):
            (folder / name).mkdir()
        zone = stack.enter_context(serving(generate(arguments.names), folder / "zone"))
        services = stack.enter_context(
            running_services(folder / "server", prefect_database=arguments.prefect_database)
        )
        rig = stack.enter_context(running_rig(services, zone.nameserver, folder / "rig", workers=1))
        began = [resident_mib(group) for group in GROUPS]
        check = rig.start(zone.file)
        goals = [arguments.names * tenth // 10 for tenth in TENTHS]
        held = [_held_at(rig, goal, check.assert_alive) for goal in goals]
        check.wait()
        assert_true(rig.database, zone.truth)
    rows = [
        [group, began[i], *(at[i] for at in held), held[-1][i] - held[1][i]]
        for i, group in enumerate(GROUPS)
    ]
    tenths = [f"{tenth}0 %" for tenth in TENTHS]
    header = ["resident MiB", "before", *tenths, "growth from 20 %"]
    show(f"One worker's memory over {arguments.names:,} unique names", header, rows)
    for at, group in enumerate(GROUPS):
        growth = held[-1][at] - held[1][at]
        assert growth < MOST_GROWTH_MIB, f"memory of the {group} grows with the number of names"


def _held_at(rig: Rig, goal: int, assert_alive: Callable[[], None]) -> list[float]:
    """Return what each of the groups holds when so many results are committed."""
    while committed(rig.database) < goal:
        assert_alive()
        time.sleep(1)
    return [resident_mib(group) for group in GROUPS]
