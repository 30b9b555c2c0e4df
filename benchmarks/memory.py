"""
Whether memory stays flat: the resident memory of the flow's process over many different names.

c-ares keeps every answer for as long as its TTL says, and pycares cannot switch that off; beside
the real flow, the same names through one c-ares channel show what that would come to.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks import embedded
from benchmarks.answers import assert_true
from benchmarks.markdown import show
from benchmarks.names import Zone, generate, serving

NAMES = 200_000
#: Long enough that no answer expires meanwhile, in seconds.
TTL = 3600
TENTHS = range(1, 11)
#: MiB from a tenth of the way to the end that pass for flat; c-ares' cache comes to several times
#: as much with NAMES names.
MOST_GROWTH_MIB = 60.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--names", type=int, default=NAMES)


def main(arguments: argparse.Namespace) -> None:
    """Measure both; print resident memory by progress."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(generate(arguments.names), Path(folder), ttl=TTL) as zone,
    ):
        ours = _rollcall(zone, Path(folder, "rollcall"))
        theirs = _one_channel(zone, Path(folder, "one-channel"))
    header = ["resident MiB at", *(f"{tenth}0 %" for tenth in TENTHS), "growth from 10 %"]
    rows = [
        ["Rollcall's process", *ours, ours[-1] - ours[0]],
        ["one c-ares channel for all names", *theirs, theirs[-1] - theirs[0]],
    ]
    show(f"Memory over {arguments.names:,} unique names with a TTL of {TTL:,} s", header, rows)
    assert ours[-1] - ours[0] < MOST_GROWTH_MIB, "memory grows with the number of names"


def _rollcall(zone: Zone, home: Path) -> list[float]:
    """Return the resident MiB at each tenth of the way."""
    home.mkdir()
    done = embedded.check(zone.file, zone.nameserver, home)
    assert_true(done.database, zone.truth)
    goals = [len(zone.truth) * tenth // 10 for tenth in TENTHS]
    return [next(mib for count, mib in done.looks if count >= goal) for goal in goals]


def _one_channel(zone: Zone, home: Path) -> list[float]:
    """Return the same of a process that has but one channel."""
    home.mkdir()
    module = ["benchmarks.one_channel", zone.nameserver, str(zone.file)]
    told = json.loads(embedded.run(module, home).said)
    assert told["answered"] == len(zone.truth), told
    resident: list[float] = told["resident_mib"]
    return resident
