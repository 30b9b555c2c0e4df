"""All batches of a process run in one loop, from whatever thread they come."""

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from commands.loop import submit

ROOT = Path(__file__).parents[2]


async def where() -> tuple[int, int]:
    """Tell the loop and the thread of a coroutine."""
    return id(asyncio.get_running_loop()), threading.get_ident()


def from_elsewhere() -> tuple[int, int]:
    """Run a coroutine from the thread that this is called in."""
    return submit(where()).result(10)


def test_threads_share_one_loop() -> None:
    """However many threads submit, one thread with one loop does the work."""
    with ThreadPoolExecutor(16) as threads:
        found = {future.result() for future in [threads.submit(from_elsewhere) for _ in range(64)]}
    assert len(found) == 1
    assert threading.get_ident() not in {thread for _, thread in found}


FORK = """
import os
from commands.loop import submit

async def answer():
    return 42

before = submit(answer()).result(10)
child = os.fork()
found = submit(answer()).result(10)
if child == 0:
    os._exit(found)
print(before, found, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_has_its_own_loop() -> None:
    """After a fork, both the child and the parent can go on."""
    # A process with threads is warned of forking; that is what is tried here.
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "42 42 42\n"
