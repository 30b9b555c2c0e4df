"""
Whether healthy names are reported as failed: at full speed, and where replies get lost on the way.

The first pass leaves names without an answer to the second one; what counts for a user is the end.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from benchmarks import embedded
from benchmarks.answers import (
    ANSWERS,
    assert_true,
    counters,
    final_statuses,
    first_pass_statuses,
)
from benchmarks.embedded import Embedded
from benchmarks.markdown import show
from benchmarks.names import Zone, generate, serving
from tests.services.lossy import running_lossy_proxy

NAMES = 100_000
#: Share of the replies that the way loses.
LOSS = 0.05
#: What must be right after the first pass: two tries of which each loses LOSS leave 0.25 %, and as
#: much again for the second question of those without an A.
LEAST_AT_FIRST = 0.995
COLUMNS = ("resolves", "nodata", "nxdomain", "unsure")


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--names", type=int, default=NAMES)


def main(arguments: argparse.Namespace) -> None:
    """Check the same names over a good and over a bad way; print what came of them."""
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        directory = Path(folder)
        zone = stack.enter_context(serving(generate(arguments.names), directory))
        truth = Counter(zone.truth.values())
        rows.append(["the truth", *(truth[status] for status in COLUMNS), "100 %", ""])
        rows += _measure("full speed", zone, zone.nameserver, directory / "good")
        proxy = running_lossy_proxy(directory, upstream=zone.nameserver, loss=LOSS)
        lossy = stack.enter_context(proxy)
        rows += _measure(f"{LOSS:.0%} of the replies lost", zone, lossy, directory / "bad")
    header = ["way, pass", *COLUMNS, "right", "questions by name server, both passes"]
    show(f"Recall over {arguments.names:,} domains", header, rows)


def _measure(way: str, zone: Zone, nameserver: str, home: Path) -> list[list[object]]:
    home.mkdir()
    done = embedded.check(zone.file, nameserver, home)
    assert_true(done.database, zone.truth)
    first = first_pass_statuses(done.database, zone.truth)
    last = final_statuses(done.database)
    assert sum(first[status] for status in ANSWERS) >= LEAST_AT_FIRST * len(zone.truth), first
    return [
        [f"{way}, first", *_row(first, zone), ""],
        [f"{way}, second", *_row(last, zone), _accounts(done)],
    ]


def _row(statuses: Counter[str], zone: Zone) -> list[object]:
    right = sum(statuses[status] for status in ANSWERS) / len(zone.truth)
    return [*(statuses[status] for status in COLUMNS), f"{right:.3%}"]


def _accounts(done: Embedded) -> str:
    return ", ".join(f"{n:,} {key.split()[1]}" for key, n in counters(done.database).items())
