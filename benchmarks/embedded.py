"""Rollcall as `make run` runs it: one process with Prefect's temporary server and SQLite."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

from benchmarks.answers import committed

#: The repository, from where `-m` finds our packages.
ROOT = Path(__file__).parents[1]
#: Seconds between two looks at the processes. Peaks are the kernel's own, so few looks will do.
LOOK_SECONDS = 1.0
DATABASE = ".rollcall/rollcall.db"
BEGAN = "SELECT start_time FROM flow_run"
#: A batch ends when its last transaction is committed.
ENDED = "SELECT max(end_time) FROM task_run WHERE name LIKE 'host %' AND state_type = 'COMPLETED'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What a process came to that ran a flow embedded."""

    #: The last line that it printed.
    said: str
    #: From its start to its end, in seconds.
    wall_seconds: float
    #: CPU time of the process alone, user and system, in seconds; to the last look.
    cpu_seconds: float
    #: Peaks of resident memory in MiB: its own, and that of the temporary Prefect server.
    peak_mib: float
    server_peak_mib: float
    #: Once a second: results committed so far, resident MiB.
    looks: list[tuple[int, float]] = field(repr=False)
    home: Path

    @property
    def database(self) -> Path:
        """Rollcall's own database."""
        return self.home / DATABASE

    @property
    def flow_seconds(self) -> float:
        """From the flow run's start to the end of its last batch, by Prefect's own database."""
        with closing(sqlite3.connect(self.home / ".prefect" / "prefect.db")) as prefect:
            began, ended = (
                datetime.fromisoformat(prefect.execute(query).fetchone()[0])
                for query in (BEGAN, ENDED)
            )
        return (ended - began).total_seconds()


def check(file: Path, nameserver: str, home: Path) -> Embedded:
    """Check a file of names as `make run` does; `home` is an empty directory."""
    arguments = ["deployments.run", "--out", str(home / "results.csv"), str(file)]
    return run(arguments, home, ROLLCALL_NAMESERVERS=nameserver)


def run(module: Sequence[str], home: Path, **settings: str) -> Embedded:
    """
    Run a module of ours in a process of its own, and watch it.

    Args:
        module: Its name, and its arguments.
        home: An empty directory, which becomes its HOME.
        settings: More environment variables.
    """
    inherited = {
        key: text for key, text in os.environ.items() if not key.startswith(("PREFECT_", "ROLL"))
    }
    output = home / "output.txt"
    began = time.perf_counter()
    with output.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=ROOT,
            env=inherited | {"HOME": str(home)} | settings,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    watch = _Watch(process.pid, home / DATABASE)
    while process.poll() is None:
        watch.look()
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
    wall = time.perf_counter() - began
    text = output.read_text()
    assert process.returncode == 0, f"{module[0]} ended with {process.returncode}:\n{text}"
    return Embedded(
        said=text.rstrip().rpartition("\n")[2],
        wall_seconds=wall,
        cpu_seconds=watch.cpu_seconds,
        peak_mib=watch.peak_mib,
        server_peak_mib=watch.server_peak_mib,
        looks=watch.looks,
        home=home,
    )


class _Watch:
    """Looks at a process and its children until they are gone."""

    def __init__(self, pid: int, database: Path) -> None:
        self._process = psutil.Process(pid)
        self._database = database
        self.cpu_seconds = self.peak_mib = self.server_peak_mib = 0.0
        self.looks: list[tuple[int, float]] = []

    def look(self) -> None:
        """Note what they have used so far."""
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError, IndexError):
            children = self._process.children(recursive=True)
            self.cpu_seconds = sum(self._process.cpu_times()[:2])
            self.peak_mib = _peak_mib(self._process.pid)
            peaks = [_peak_mib(child.pid) for child in children]
            self.server_peak_mib = max([self.server_peak_mib, *peaks])
            self.looks.append((committed(self._database), self._process.memory_info().rss / 2**20))


def _peak_mib(pid: int) -> float:
    """Return the most memory that a process has had resident; a zombie's file has no such line."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
