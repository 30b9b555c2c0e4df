"""
How fast a list is checked, from the file to the committed results, beside what else one could use.

- *Rollcall*: the flow `check-domains` as `make run` runs it. Its rate counts from the flow run's
  start to the end of its last batch, so it includes the loading of the file, the second pass and
  every commit, but neither the start of Python and Prefect's server nor the result file; the
  process's wall time includes these as well.
- *massdns*: the whole process, A only, JSON to a file. It writes no database.
- *Prefect's `.map()`*: a task for each domain; from before the mapping to the last result.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import embedded
from benchmarks.answers import assert_true
from benchmarks.embedded import Embedded
from benchmarks.markdown import show
from benchmarks.names import Zone, generate, serving

NAMES = 100_000
#: Prefect's own way is slow, and its rate does not depend on how long the list is.
MAPPED_NAMES = 1_000
OURS, MASSDNS, MAPPED = "Rollcall", "massdns", "Prefect's `.map()`"
#: massdns' look-ups under way at once.
IN_FLIGHT = 2_000


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--names", type=int, default=NAMES)
    parser.add_argument("--repeat", type=int, default=3)


def main(arguments: argparse.Namespace) -> None:
    """Measure all of them in turn, so that each sees the same machine; print the tables."""
    runs: list[Embedded] = []
    rates: dict[str, list[float]] = {OURS: [], MASSDNS: [], MAPPED: []}
    with tempfile.TemporaryDirectory() as folder:
        with serving(generate(arguments.names), Path(folder)) as zone:
            for number in range(arguments.repeat):
                runs.append(rollcall(zone, _home(folder, f"rollcall-{number}")))
                rates[OURS].append(arguments.names / runs[-1].flow_seconds)
                if shutil.which("massdns"):
                    rates[MASSDNS].append(massdns(zone, _home(folder, f"massdns-{number}")))
                rates[MAPPED].append(_mapped(zone, _home(folder, f"mapped-{number}")))
        _show_rates(rates, arguments)
        _show_runs(runs)


def _home(folder: str, name: str) -> Path:
    home = Path(folder, name)
    home.mkdir()
    return home


def rollcall(zone: Zone, home: Path) -> Embedded:
    """Check a zone's names embedded; fails unless every result is true."""
    done = embedded.check(zone.file, zone.nameserver, home)
    assert_true(done.database, zone.truth)
    return done


def massdns(zone: Zone, home: Path) -> float:
    """Return the names a second of massdns; fails unless every reply code is true."""
    resolvers, out = home / "resolvers.txt", home / "out.json"
    resolvers.write_text(f"{zone.nameserver}\n")
    options = ["-r", str(resolvers), "-s", str(IN_FLIGHT), "-o", "J", "-w", str(out), "-q"]
    # As root it would become nobody, who must not write there.
    command = ["massdns", *options, "-t", "A", "--root", str(zone.file)]
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=home, capture_output=True)
    seconds = time.perf_counter() - began
    with out.open() as lines:
        replies = {reply["name"].rstrip("."): reply["status"] for reply in map(json.loads, lines)}
    codes = {
        name: "NXDOMAIN" if is_ == "nxdomain" else "NOERROR" for name, is_ in zone.truth.items()
    }
    assert replies == codes, "massdns did not find out the truth"
    return len(codes) / seconds


def _mapped(zone: Zone, home: Path) -> float:
    """Return the domains a second of a plain map."""
    names = list(zone.truth)[:MAPPED_NAMES]
    file = home / "names.txt"
    file.write_text("\n".join(names))
    module = ["benchmarks.plain_map", str(file)]
    told = json.loads(embedded.run(module, home, ROLLCALL_NAMESERVERS=zone.nameserver).said)
    expected = Counter(zone.truth[name] for name in names)
    assert told["statuses"] == expected, f"the plain map found {told['statuses']}"
    return float(told["rate"])


def _show_rates(rates: Mapping[str, Sequence[float]], arguments: argparse.Namespace) -> None:
    rows: list[list[object]] = []
    for name, measured in rates.items():
        if not measured:
            rows.append([name, "not installed", "", "", ""])
            continue
        kinds: tuple[Callable[[Sequence[float]], float], ...] = (max, statistics.median)
        figures = [kind(measured) for kind in kinds]
        ratios = [kind(rates[OURS]) / figure for kind, figure in zip(kinds, figures, strict=True)]
        rows.append([name, *figures, *ratios])
    show(
        f"{arguments.names:,} domains end to end (plain map: {MAPPED_NAMES:,}), "
        f"{arguments.repeat} repetitions, domains/s",
        ["", "best", "median", "Rollcall ÷ this, best", "median"],
        rows,
    )


def _show_runs(runs: Sequence[Embedded]) -> None:
    header = ["Rollcall", "flow s", "whole process s", "its CPU s", "peak MiB", "server's peak MiB"]
    rows = [
        [
            f"repetition {number}",
            f"{run.flow_seconds:.1f}",
            f"{run.wall_seconds:.1f}",
            f"{run.cpu_seconds:.1f}",
            run.peak_mib,
            run.server_peak_mib,
        ]
        for number, run in enumerate(runs, 1)
    ]
    show("The process and its temporary Prefect server", header, rows)
