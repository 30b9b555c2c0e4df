"""Running programs as a batch does, and looking for what they leave behind."""

import asyncio
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil

from commands import execution
from commands.command import Outcome
from commands.environment import Environment
from commands.execution import Finished
from commands.programs.patterns import MATCHER
from commands.registry import make
from tests.services.processes import is_alive

__all__ = [
    "HOST",
    "MARK",
    "PING",
    "WHOIS",
    "batch",
    "files_at_most",
    "left",
    "nothing_left",
    "run",
    "searching",
    "shell",
    "until",
]

#: The three examples of the README; the test for `HOST` adds a port.
HOST: dict[str, Any] = {
    "argv": ["host", "-W", "2", "-R", "1", "-t", "A", "{name}.", "127.0.0.1"],
    "patterns": [
        {"pattern": "has address", "status": "yes"},
        {"pattern": r"not found: 3\(NXDOMAIN\)|has no A record", "status": "no"},
        {"pattern": r"not found: \d+", "status": "unknown"},
        {"pattern": "timed out|no servers could be reached", "status": "timeout"},
    ],
    "default": "error",
}
WHOIS: dict[str, Any] = {
    "argv": ["whois", "--", "{name}"],
    "patterns": [
        {"pattern": "(?i)(quota|limit) exceeded|too many (requests|queries)", "status": "unknown"},
        {
            "pattern": r"(?im)^%* ?(no match|not found|no data found|no entries found)"
            r"|^(domain )?status:\s*(free|available)",
            "status": "no",
        },
        {"pattern": r"(?im)^\s*(domain name|domain|registrar):\s*\S", "status": "yes"},
        {"pattern": "(?i)time-?out|timed out", "status": "timeout"},
    ],
    "default": "unknown",
}
PING: dict[str, Any] = {
    "argv": ["ping", "-n", "-c", "1", "-W", "2", "{name}"],
    "patterns": [
        {"pattern": "Temporary failure in name resolution", "status": "unknown"},
        {"pattern": "Name or service not known|No address associated", "status": "no"},
    ],
    "exit_codes": {"0": "yes", "1": "no"},
    "default": "error",
}


#: Among the arguments of what the tests run, and of nothing else on this machine.
MARK = f"98{os.getpid()}.{os.getpid()}"


def shell(script: str, **options: Any) -> dict[str, Any]:
    """Make options that run a script of the shell, to which the name is `$0`."""
    return {"argv": ["sh", "-c", script, "{name}", MARK], **options}


async def batch(
    names: Iterable[str], options: Mapping[str, Any], handling: Mapping[str, Any] | None = None
) -> dict[str, Finished]:
    """Run a batch of `program` in the running loop."""
    finished: dict[str, Finished] = {}
    command = make("program", options, Environment())
    command.handle(handling or {})
    async with command:
        await execution.run(command, names, lambda one: finished.update({one.payload: one}))
    return finished


def run(
    options: Mapping[str, Any], name: str = "a.org", handling: Mapping[str, Any] | None = None
) -> Outcome:
    """Run the program for one name."""
    return asyncio.run(batch([name], options, handling))[name].outcome


def left() -> list[psutil.Process]:
    """List what still runs of the marked programs, and of our processes that search."""
    marked = [one for one in psutil.process_iter() if MARK in " ".join(_arguments(one))]
    return [*filter(is_alive, marked), *searching()]


def nothing_left() -> bool:
    """Wait until nothing is left: what is killed is gone a moment later."""
    deadline = time.monotonic() + 30
    while left() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not left()


def searching() -> list[psutil.Process]:
    """List our processes that search; other tests' servers are our children as well."""
    children = psutil.Process().children()
    return [one for one in children if str(MATCHER) in _arguments(one) and is_alive(one)]


def _arguments(one: psutil.Process) -> list[str]:
    try:
        return list(one.cmdline())
    except psutil.NoSuchProcess:
        return []


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@contextmanager
def files_at_most(count: int) -> Iterator[None]:
    """Let this process open no file whose number would be so much or more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
