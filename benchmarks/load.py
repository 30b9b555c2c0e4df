"""
How long a large file takes from the disk into the database, against `sort -u` of the same file.

```
python benchmarks/load.py [--lines 10000000] [--directory build/benchmark]
```

Half of the lines are duplicates in another spelling. Each program runs in a process of its own;
the clock of ours includes the insertion into a real SQLite database. Prints a Markdown table; the
peak of memory is that of both processes of ours together.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from math import gcd
from pathlib import Path

from tasks.load import load_file

#: Top-level domains with rough weights, from the share of each among registered names.
TLDS = {
    "com": 45, "de": 6, "net": 5, "org": 5, "co.uk": 4, "ru": 3, "nl": 3, "fr": 3, "com.br": 3,
    "it": 2, "pl": 2, "com.au": 2, "info": 2, "xyz": 2, "online": 2, "shop": 2, "io": 1, "ch": 1,
}  # fmt: skip
SPELLINGS = (str.upper, "{}.".format, str.title, str.strip)
TARGET_RATIO = 4.0  #: Times the wall time of `sort -u`.


class SqliteSink:
    """Puts rows into the table that the real database has too."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("pragma journal_mode=wal")
        self.connection.execute("pragma synchronous=normal")
        self.connection.execute(
            "create table domains(list_id integer, slot integer, name text, line integer,"
            " primary key(list_id, slot, name)) without rowid"
        )

    def add_domains(self, rows: Sequence[tuple[int, str, int]]) -> None:
        """Insert a batch in a transaction."""
        self.connection.execute("begin")
        self.connection.executemany("insert into domains values (1, ?, ?, ?)", rows)
        self.connection.execute("commit")

    def add_rejected(self, rows: Sequence[tuple[int, int, str, str]]) -> None:
        """Nothing is rejected here."""
        raise AssertionError(rows)


def generate(path: Path, lines: int) -> None:
    """Write a file in which every name stands twice, far apart and spelled in two ways."""
    count = lines // 2
    rng = random.Random(7)
    tlds = rng.choices(list(TLDS), weights=list(TLDS.values()), k=997)
    words = [
        "".join(rng.choices("abcdefghijklmnoprstuvwz", k=rng.randint(4, 9))) for _ in range(4999)
    ]
    first, second = _coprime(count, 7_368_787), _coprime(count, 5_915_587)

    def name(index: int) -> str:
        prefix = "www." if index % 3 == 0 else ""
        return (
            f"{prefix}{words[index % 4999]}-{words[index * 31 % 4999]}{index:x}.{tlds[index % 997]}"
        )

    with path.open("w") as file:
        for i in range(count):
            spell = SPELLINGS[i % 4]
            file.write(f"{name(i * first % count)}\n{spell(name(i * second % count))}\n")


def measure_load(path: Path, directory: Path) -> dict[str, float]:
    """Load the file into a new database; runs in a process of its own."""
    database = directory / "load.db"
    for leftover in directory.glob("load.db*"):
        leftover.unlink()
    started = time.perf_counter()
    sink = SqliteSink(database)
    report = load_file(path, sink, temporary_directory=directory)
    seconds = time.perf_counter() - started
    count = sink.connection.execute("select count(*) from domains").fetchone()[0]
    assert count == report.ledger.unique, "the database does not hold what the ledger says"
    status = Path("/proc/self/status").read_text()
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
    peak_of_second = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "seconds": seconds,
        "peak_mib": (peak + peak_of_second) / 1024,
        "lines": report.ledger.lines,
        "unique": count,
    }


def measure_sort(path: Path, directory: Path) -> float:
    """Return the wall time of `sort -u` in seconds."""
    started = time.perf_counter()
    command = ["sort", "-u", "-T", str(directory), "-o", str(directory / "sorted.txt"), str(path)]
    subprocess.run(command, check=True, env={**os.environ, "LC_ALL": "C"})
    return time.perf_counter() - started


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--directory", type=Path, help="for about 2 GB; default: a temporary one")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure_load(arguments.measure, arguments.directory)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.directory) as temporary:
        _compare(Path(temporary), arguments.lines)


def _compare(directory: Path, lines: int) -> None:
    path = directory / "names.txt"
    generate(path, lines)
    sort_seconds = measure_sort(path, directory)
    command = [sys.executable, __file__, "--measure", str(path), "--directory", str(directory)]
    ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print("| lines | unique | MB | `sort -u` s | load s | ratio | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {ours['lines']:,} | {ours['unique']:,} | {path.stat().st_size / 1e6:.0f} "
        f"| {sort_seconds:.1f} | {ours['seconds']:.1f} | {ours['seconds'] / sort_seconds:.2f} "
        f"| {ours['peak_mib']:.0f} |"
    )


def _coprime(count: int, start: int) -> int:
    """Return a factor that walks through all of `count` indices."""
    return next(factor for factor in range(start, start + 1000) if gcd(factor, count) == 1)


if __name__ == "__main__":
    main()
