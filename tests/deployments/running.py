"""`make run` as a process, and what it leaves in its database."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import OperationalError, connect
from typing import Any

from tests.deployments.deploying import ROOT

__all__ = ["Environment", "ask", "start", "statuses", "wait_for"]

Environment = dict[str, str]
PATIENCE = 180.0


def start(environment: Environment, *words: str) -> subprocess.Popen[str]:
    """Start it, without the surroundings of the tests but for what is given."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "ROLLCALL_"))
    }
    with _heeding_ctrl_c():
        return subprocess.Popen(
            [sys.executable, "-m", "deployments.run", *words],
            cwd=ROOT,
            env=ours | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def _heeding_ctrl_c() -> Iterator[None]:
    """Let children heed SIGINT: a suite that a script has started with `&` ignores it for them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def ask(home: Path, question: str) -> list[Any]:
    """Ask the SQLite database in a home; nothing while there is none."""
    with closing(connect(f"file:{home / 'rollcall.db'}?mode=ro", uri=True)) as database:
        return database.execute(question).fetchall()


def wait_for(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    """Wait until something has come about that a running process does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if ready():
                return
        except OperationalError:  # not there yet
            pass
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def statuses(path: Path) -> list[tuple[str, str]]:
    """Read domain and status of a CSV result file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [(row["domain"], row["status"]) for row in csv.DictReader(stream)]
