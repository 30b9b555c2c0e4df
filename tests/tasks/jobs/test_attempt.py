"""One try of a job's command, from the thread of its task."""

import asyncio
import threading
from typing import Any, ClassVar

from prefect_rabbitmq.execution import TaskCancelled
from prefect_rabbitmq.task_process import _raise_in

from commands.command import Command, Outcome
from commands.environment import Environment
from tasks.jobs.attempt import try_once


class Slow(Command[Any, Any]):
    """Takes a while to end when it is cancelled."""

    name: ClassVar[str] = "slow"
    statuses = ("done", "error", "timeout")
    good = frozenset({"done"})
    begun, over = threading.Event(), threading.Event()

    def prepare(self, payload: Any) -> Any:
        """Take anything."""
        return payload

    async def execute(self, execution: Any) -> Any:  # noqa: ARG002 - a command's signature
        """Wait to be cancelled."""
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.5)
            self.over.set()

    def interpret(self, output: Any) -> Outcome:
        """Never come here."""
        raise NotImplementedError


def test_a_cancelled_try_is_over_when_its_thread_goes_on() -> None:
    """Its job is given to others then: they must not be at it at the same time."""
    was_over: list[bool] = []

    def run() -> None:
        try:
            try_once(Slow({}, Environment()), None)
        except TaskCancelled:
            was_over.append(Slow.over.is_set())

    thread = threading.Thread(target=run)
    thread.start()
    Slow.begun.wait()
    assert thread.ident is not None
    _raise_in(thread.ident, TaskCancelled)
    thread.join()
    assert was_over == [True]
