"""A command that takes a moment and counts what happens to it."""

import asyncio
import random
from collections import Counter

from commands import execution
from commands.command import Command, Outcome
from commands.environment import Environment
from commands.execution import Finished
from commands.handling import Handling

__all__ = ["PAYLOADS", "Work", "run"]

PAYLOADS = [f"payload{n}" for n in range(500)]


class Work(Command[str, str]):
    """Take a moment, and say what the payload said; `payload7` can be made special."""

    name = "work"
    statuses = ("done", "late", "failed")
    good = frozenset({"done"})
    in_flight = 10
    handling = Handling(timeout_seconds=10.0)
    expired_status = "late"
    failed_status = "failed"

    def __init__(self) -> None:
        """Count what happens."""
        super().__init__({}, Environment())
        self.under_way = 0
        self.most = 0
        self.seen: Counter[str] = Counter()

    def prepare(self, payload: str) -> str:
        """Pass it on."""
        return payload

    async def execute(self, execution: str) -> str:
        """Take a moment."""
        self.seen[execution] += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.act(execution)
        finally:
            self.under_way -= 1
        return execution

    async def act(self, _payload: str) -> None:
        """Do the work."""
        await asyncio.sleep(random.random() / 1000)

    def interpret(self, output: str) -> Outcome:
        """Call it done."""
        return Outcome(status="done", answer={"said": output})


async def run(command: Work, payloads: list[str] = PAYLOADS) -> list[Finished]:
    """Run a command, and list the ends in their order."""
    finished: list[Finished] = []
    async with command:
        await execution.run(command, payloads, finished.append)
    return finished
