"""Commands for jobs under test: what they do is told by lines in a file, named by LAB_MARKS."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from commands.command import Command, FollowUp, Outcome
from commands.handling import Handling
from tests.services.marks import VARIABLE, mark, read_marks


class Shaky(Exception):
    """Something that may go better the next time."""


def count(what: str, key: str) -> int:
    """Count the lines that say so."""
    marks = read_marks(Path(os.environ[VARIABLE]))
    return sum((one.what, one.key) == (what, key) for one in marks)


class Lab(Command[Mapping[str, Any], Mapping[str, Any]]):
    """Does what its payload says."""

    name: ClassVar[str] = "lab"
    statuses = ("done", "error", "timeout")
    good = frozenset({"done"})
    handling = Handling(
        timeout_seconds=60, retries=2, backoff_seconds=0.1, reactions={"Shaky": "retry"}
    )
    version = os.environ.get("LAB_VERSION", "1")

    def prepare(self, payload: Any) -> Mapping[str, Any]:
        """Take an object with a key."""
        if not isinstance(payload, Mapping) or "key" not in payload:
            raise ValueError('write {"key": …}')
        return payload

    async def execute(self, execution: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do it."""
        key = str(execution["key"])
        mark("start", key)
        try:
            gate = execution.get("gate")
            while gate and not Path(gate).exists():  # noqa: ASYNC110, ASYNC240 - a test makes it
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            mark("stopped", key)
            raise
        if count("start", key) <= execution.get("kill", 0):
            os.kill(os.getpid(), signal.SIGKILL)
        mark("end", key)
        if count("start", key) <= execution.get("shaky", 0):
            raise Shaky(key)
        if "error" in execution:
            raise RuntimeError(execution["error"])
        return execution

    def interpret(self, output: Mapping[str, Any]) -> Outcome:
        """Say it."""
        jobs = tuple(FollowUp(**job) for job in output.get("jobs", ()))
        return Outcome(status="done", answer={"said": output.get("say", "")}, jobs=jobs)


class Brief(Lab):
    """Takes some seconds; for many jobs, as it reads nothing of what was written."""

    name = "lab-brief"

    async def execute(self, execution: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write down when it began, and when it ended or was stopped."""
        key = str(execution["key"])
        mark("start", key)
        try:
            await asyncio.sleep(execution.get("seconds", 0))
        except asyncio.CancelledError:
            # Ending takes a while, too.
            await asyncio.sleep(execution.get("ending", 0))
            mark("stopped", key)
            raise
        mark("end", key)
        return execution


class Held(Lab):
    """Wants to be looked at after a deploy."""

    name = "lab-hold"
    on_new_code = "hold"


class Superseded(Lab):
    """Is of no use after a deploy."""

    name = "lab-supersede"
    on_new_code = "supersede"


class Check(Command[str, str]):
    """Checks a domain, and asks for a job about it."""

    name = "lab-check"
    statuses = ("done", "error", "timeout")
    good = frozenset({"done"})

    def prepare(self, payload: str) -> str:
        """Take the name."""
        return payload

    async def execute(self, execution: str) -> str:
        """Do nothing."""
        return execution

    def interpret(self, output: str) -> Outcome:
        """Ask for a job."""
        return Outcome(status="done", jobs=(FollowUp("lab", {"key": f"about-{output}"}),))
