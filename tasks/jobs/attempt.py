"""One try of a job's command: from the thread of a task to the event loop of commands, and back."""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as NotYet
from typing import Any

from commands.command import Command, Outcome
from commands.execution import attempt, marked
from commands.loop import submit

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
    work = submit(attempt(command, payload))
    try:
        while True:
            try:
                return work.result(LOOK_SECONDS)
            except NotYet:
                # Also what the command raises for a time-out of its own.
                if work.done():
                    raise
    except Exception as error:
        if command.handling.reaction_to(error) == "retry":
            raise TryAgain(f"{type(error).__name__}: {error}") from error
        return marked(command, error)
    finally:
        work.cancel()


def pause(seconds: float) -> None:
    """Wait, and be there for a cancellation meanwhile."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_SECONDS))


def failed(command: Command[Any, Any], outcome: Outcome) -> bool:
    """Say whether an outcome is a failure of the job, and not what it found out."""
    return outcome.status in {command.failed_status, command.expired_status}
