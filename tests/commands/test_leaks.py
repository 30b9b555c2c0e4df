"""Batches leave nothing behind: no memory, no thread, no open file."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from commands.dns.address import name_servers
from commands.environment import Environment
from commands.loop import submit
from demo.behaviours import ADDRESS, answers, silent, truncated
from demo.nameserver import running_nameserver
from demo.script import Script
from tests.commands.checking import check, run_batch
from tests.services.knot import running_knot

ROOT = Path(__file__).parents[2]
BATCHES = 300
SCRIPT = Script(
    {
        "*.wild.org": answers(A=ADDRESS),
        "tcp.org": truncated(answers(A=ADDRESS)),
        "silent.org": silent(),
    }
)
MEGABYTE = 1 << 20
#: A loop's pool of threads may grow by some; a leak would leave one for each batch.
SPARE = 5


def in_use() -> tuple[int, int]:
    """Count this process's threads and open files."""
    process = psutil.Process()
    return process.num_threads(), process.num_fds()


def settles(at_most: tuple[int, int]) -> bool:
    """Wait until threads and files are as few as before; channels end in the background."""
    deadline = time.monotonic() + 30
    while any(now > before + SPARE for now, before in zip(in_use(), at_most, strict=True)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def whole(environment: Environment) -> None:
    """Run a batch to its end."""
    check(["a.wild.org", "b.wild.org", "missing.org", "tcp.org"], environment)


def stopped(environment: Environment) -> None:
    """Stop a batch whose questions are under way."""
    batch = submit(run_batch(["silent.org", *(f"n{n}.wild.org" for n in range(20))], environment))
    time.sleep(0.01)
    assert batch.cancel()


def by_program(environment: Environment) -> None:
    """Run every twentieth batch by the program, which is slow."""
    if next(TURNS) % 20 == 0:
        check(["a.wild.org"], environment, command="host-program")


TURNS = iter(range(10 * BATCHES))


@pytest.mark.parametrize("batch", [whole, stopped, by_program])
def test_batches_leave_no_thread_and_no_file(batch: Callable[[Environment], None]) -> None:
    """After 300 batches, ended or stopped, there are no more threads and files than before."""
    with running_nameserver(SCRIPT) as server:
        environment = Environment(nameservers=(server.address,))
        # The loop and the helpers of the libraries begin with the first use.
        for _ in range(3):
            whole(environment)
            check(["a.wild.org"], environment, command="host-program")
        time.sleep(0.5)
        before = in_use()
        for _ in range(BATCHES):
            batch(environment)
        assert settles(before), (before, in_use())


def test_looking_up_the_systems_servers_leaves_nothing() -> None:
    """Nor does the question which name servers the system has."""
    name_servers(())
    time.sleep(0.5)
    before = in_use()
    for _ in range(BATCHES):
        name_servers(())
    assert settles(before), (before, in_use())


MEASURE = """
import json, sys
import psutil
from commands.environment import Environment
from tests.commands.checking import check

environment = Environment(nameservers=(sys.argv[1],))
names = (f"name{n}.long-enough-to-be-usual.org" for n in range(40_000))
sizes = []
for batch in range(8):
    statuses = check([next(names) for _ in range(5_000)], environment).statuses
    assert set(statuses.values()) <= {"resolves", "timeout"}, statuses
    sizes.append(psutil.Process().memory_info().rss)
print(json.dumps(sizes))
"""


def test_memory_does_not_grow_with_the_names(tmp_path: Path) -> None:
    """From 10,000 to 40,000 names with long-lived answers, memory grows by less than 10 MB."""
    with running_knot(tmp_path, ["*. 3600 A 192.0.2.1"]) as knot:
        command = [sys.executable, "-c", MEASURE, knot.address]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        printed = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    sizes = json.loads(printed)
    assert sizes[-1] - sizes[1] < 10 * MEGABYTE, sizes
