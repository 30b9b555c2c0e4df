"""Handlers of jobs that do next to nothing, for benchmarks; installed by the folder beside."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any, ClassVar

from commands.command import Command, Outcome


class Nothing(Command[Any, Any]):
    """Does nothing."""

    name: ClassVar[str] = "nothing"
    statuses = ("done", "error", "timeout")
    good = frozenset({"done"})
    version = "1"

    def prepare(self, payload: Any) -> Any:
        """Take anything."""
        return payload

    async def execute(self, execution: Any) -> Any:
        """Give it back."""
        return execution

    def interpret(self, output: Any) -> Outcome:
        """Say that it is done."""
        return Outcome(status="done", answer={"payload": output})


class Punctual(Nothing):
    """Writes down when it was begun, in seconds since the epoch, to the file of BENCH_MARKS."""

    name: ClassVar[str] = "punctual"

    async def execute(self, execution: Any) -> Any:
        """Write a line."""
        began = time.time()
        await asyncio.to_thread(_write, began)
        return execution


def _write(began: float) -> None:
    with Path(os.environ["BENCH_MARKS"]).open("a", encoding="ascii") as marks:
        marks.write(f"{began}\n")
