"""One try of a job's command: from the thread of a task to the event loop of commands, and back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYet
from typing import Any, TypeVar

from prefect.logging import get_run_logger
from prefect_rabbitmq.errors import BrokerUnreachable

from commands.command import Command, Outcome
from commands.execution import attempt, marked
from commands.loop import submit
from database.errors import DatabaseUnreachable

T = TypeVar("T")

#: Seconds before what is away is asked again: so many more each time, and the most.
AWAY_SECONDS, MOST_AWAY_SECONDS = 1.0, 15.0
#: Seconds between looks: a cancellation reaches a thread only when that runs Python again.
LOOK_SECONDS = 0.2


class TryAgain(Exception):
    """A try failed in a way of which its command says that another one may do better."""


def try_once(command: Command[Any, Any], payload: Any) -> Outcome:
    """
    Run a command over a payload.

    Returns:
        Its outcome, or what it makes of an exception that is not retried.

    Raises:
        TryAgain: The command's handling says so; the text says why.
    """
    tried = _Try(command, payload)
    try:
        work = submit(tried.run())
        while True:
            try:
                return work.result(LOOK_SECONDS)
            except NotYet:
                # Also what the command raises for a time-out of its own.
                if work.done():
                    return work.result()
    except Exception as error:
        if command.handling.reaction_to(error) == "retry":
            raise TryAgain(f"{type(error).__name__}: {error}") from error
        return marked(command, error)
    finally:
        # A cancellation may have come at any moment, also before `submit` had returned.
        if not tried.is_over:
            # Whoever runs this job next must not begin before this one has come to its end. A
            # worker kills its process if that takes too long.
            submit(tried.stop()).result()


class _Try:
    """A try in the event loop, whose end can be waited for although it is cancelled."""

    def __init__(self, command: Command[Any, Any], payload: Any) -> None:
        self._command, self._payload = command, payload
        self._task: asyncio.Task[Any] | None = None
        self.is_over = False

    async def run(self) -> Outcome:
        self._task = asyncio.current_task()
        try:
            return await attempt(self._command, self._payload)
        finally:
            self.is_over = True

    async def stop(self) -> None:
        """Cancel it and return when it has ended; at once if it has not begun: it never will."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


def patiently(do: Callable[[], T]) -> T:
    """
    Do something as soon as the database, and the broker, are there.

    However long that takes: the message stays unacknowledged, and a worker whose database is away
    must not use up its queue's jobs by failing them.
    """
    tries = 0
    while True:
        try:
            return do()
        except (DatabaseUnreachable, BrokerUnreachable) as error:
            tries += 1
            get_run_logger().warning("Waiting, try %d: %s", tries, error)
            pause(min(AWAY_SECONDS * tries, MOST_AWAY_SECONDS))


def pause(seconds: float) -> None:
    """Wait, and be there for a cancellation meanwhile."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_SECONDS))


def failed(command: Command[Any, Any], outcome: Outcome) -> bool:
    """Say whether an outcome is a failure of the job, and not what it found out."""
    return outcome.status in {command.failed_status, command.expired_status}
