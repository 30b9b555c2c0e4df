"""
The same look-ups by Celery, as its documentation has one do it: a message a domain.

Everything that could be chosen is chosen in Celery's favour:

- DNS by pycares with callbacks and a loop of its own over c-ares' socket, on the task's own thread:
  a task has but one name to ask for, so that an event loop has nothing to win. That is twice as
  fast as the command `host` in such a task, and asks the same: A, then AAAA where there is no A.
- Results are not written to a database but appended to a file for each process; Celery's own
  results are ignored. A transaction for each domain would be the slowest part of the task.
- A classic queue, messages published without confirms while the workers run already, prefork with
  2 processes which take 64 messages ahead, no events, no gossip. Late acknowledgement, as ours.

Its rate counts from the first message published to the last result.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from benchmarks.extras import with_extras
from benchmarks.markdown import show
from benchmarks.names import Zone, generate, serving
from tests.services.processes import running
from tests.services.rabbitmq import running_rabbitmq

NAMES = 10_000
PROCESSES = 2
#: What a process takes ahead; Celery's default of 4 is for long tasks.
AHEAD = 64
#: Seconds without any new result after which there will be none.
PATIENCE = 60.0
APP = "benchmarks.celery_checks.tasks"


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--names", type=int, default=NAMES)
    parser.add_argument("--repeat", type=int, default=3)


def main(arguments: argparse.Namespace) -> None:
    """Measure, and print the rates."""
    rates = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running_rabbitmq() as broker,
        serving(generate(arguments.names), Path(folder)) as zone,
    ):
        for number in range(arguments.repeat):
            home = Path(folder, f"celery-{number}")
            home.mkdir()
            with broker.virtual_host() as url:
                rates.append(measure(zone, url, home, names=arguments.names))
    rows = [[f"repetition {number}", rate] for number, rate in enumerate(rates, 1)]
    show(f"Celery, {arguments.names:,} domains, one message each", ["", "domains/s"], rows)


def measure(zone: Zone, amqp_url: str, home: Path, *, names: int) -> float:
    """
    Return the domains a second.

    Args:
        zone: Whose names are looked up.
        amqp_url: An empty virtual host.
        home: An empty directory.
        names: How many of them, from the beginning.
    """
    truth = dict(islice(zone.truth.items(), names))
    file, results = home / "names.txt", home / "results"
    file.write_text("\n".join(truth))
    results.mkdir()
    environment = with_extras(os.environ) | {
        "CELERY_CHECKS_BROKER": amqp_url,
        "CELERY_CHECKS_NAMESERVER": zone.nameserver,
        "CELERY_CHECKS_RESULTS": str(results),
    }
    with _workers(home, environment):
        command = [sys.executable, "-m", "benchmarks.celery_checks.publish", str(file)]
        done = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, cwd=home
        )
        began = float(done.stdout.split()[-1])
        _wait(results, len(truth))
    lines = [line.split() for path in results.iterdir() for line in path.read_text().splitlines()]
    assert len(lines) == len(truth), f"Celery has {len(lines)} results"
    assert {name: status for name, status, _ in lines} == truth, "Celery did not find the truth"
    return len(truth) / (max(float(ended) for *_, ended in lines) - began)


@contextmanager
def _workers(home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", APP, "worker", "--loglevel", "WARNING"]
    command += ["--pool", "prefork", "--concurrency", str(PROCESSES)]
    command += ["--prefetch-multiplier", str(AHEAD)]
    command += ["--without-gossip", "--without-mingle"]
    with running(command, directory=home, name="celery", environment=environment):
        yield


def _wait(results: Path, count: int) -> None:
    """Wait for so many results; each is a line."""
    found, since = -1, time.monotonic()
    while True:
        now = sum(path.read_bytes().count(b"\n") for path in results.iterdir())
        if now == count:
            return
        if now != found:
            found, since = now, time.monotonic()
        assert time.monotonic() - since < PATIENCE, f"Celery stopped after {now} results"
        time.sleep(0.5)
