"""Running one command over many payloads, a bounded number of them at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from commands.command import Command, Outcome

#: An error's text is cut to this many characters, wherever it comes from.
MAX_ERROR_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Finished:
    """One payload's end."""

    payload: str
    outcome: Outcome
    #: As the command measured it, else from before `prepare` to after `interpret`.
    latency_ms: float
    #: Seconds since the epoch.
    finished_at: float


async def run(
    command: Command[Any, Any], payloads: Iterable[str], finished: Callable[[Finished], None]
) -> None:
    """
    Run an opened command over payloads.

    Args:
        command: Opened by the caller.
        payloads: Each is run once.
        finished: Called in the loop's thread for each payload as it ends, in the order of ending.
    """
    source = iter(payloads)
    async with asyncio.TaskGroup() as group:
        for _ in range(command.in_flight):
            first = next(source, None)
            if first is None:
                break
            group.create_task(_work(command, first, source, finished))


async def _work(
    command: Command[Any, Any],
    payload: str | None,
    rest: Iterator[str],
    finished: Callable[[Finished], None],
) -> None:
    while payload is not None:
        began = time.perf_counter()
        outcome = await _one(command, payload)
        latency = outcome.latency_ms
        if latency is None:
            latency = (time.perf_counter() - began) * 1000
        finished(Finished(payload, outcome, latency, time.time()))
        payload = next(rest, None)


async def _one(command: Command[Any, Any], payload: str) -> Outcome:
    limit: asyncio.Timeout | None = None
    try:
        execution = command.prepare(payload)
        if command.time_limit_seconds is None:
            output = await command.execute(execution)
        else:
            async with asyncio.timeout(command.time_limit_seconds) as limit:
                output = await command.execute(execution)
        return _listed(command, command.interpret(output))
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        return _failed(command, error)
    except Exception as error:  # noqa: BLE001 - one domain must not take its neighbours down
        if limit is not None and limit.expired():
            text = f"not done within {command.time_limit_seconds} s"
            return Outcome(status=command.expired_status, error=text)
        return _failed(command, error)


def _listed(command: Command[Any, Any], outcome: Outcome) -> Outcome:
    """Refuse a status that the command does not list: the sums of a report would not add up."""
    if outcome.status not in command.statuses:
        message = f"{command.name} does not list its status '{outcome.status}'"
        raise ValueError(message)
    return outcome


def _is_cancelled() -> bool:
    """Say whether it is us who are cancelled, and not just something that a command awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failed(command: Command[Any, Any], error: BaseException) -> Outcome:
    text = f"{type(error).__name__}: {error}"[:MAX_ERROR_LENGTH]
    return Outcome(status=command.failed_status, error=text)
