"""Running one command over many payloads, a bounded number of them at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from commands.command import MAX_ERROR_LENGTH, Command, Outcome
from commands.errors import RunStopped


class Expired(TimeoutError):
    """An execution took longer than its command's handling allows."""


@dataclass(frozen=True, slots=True)
class Finished:
    """One payload's end."""

    payload: str
    outcome: Outcome
    #: How many tries it took.
    tries: int
    #: As the command measured it, else from before `prepare` to after `interpret`, all tries.
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

    Raises:
        RunStopped: The command's handling says that an exception stops the run.
    """
    source = iter(payloads)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(command.in_flight):
                first = next(source, None)
                if first is None:
                    break
                group.create_task(_work(command, first, source, finished))
    except ExceptionGroup as group:
        stops, others = group.split(RunStopped)
        if stops is None or others is not None:
            raise
        raise stops.exceptions[0] from stops.exceptions[0].__cause__


async def attempt(command: Command[Any, Any], payload: Any) -> Outcome:
    """
    Open a command, and try once to run it over one payload.

    Raises:
        Expired: It took longer than its handling allows.
        Exception: What the command raised.
    """
    async with command:
        return await _tried(command, payload)


async def _work(
    command: Command[Any, Any],
    payload: str | None,
    rest: Iterator[str],
    finished: Callable[[Finished], None],
) -> None:
    while payload is not None:
        began = time.perf_counter()
        outcome, tries = await _ended(command, payload)
        latency = outcome.latency_ms
        if latency is None:
            latency = (time.perf_counter() - began) * 1000
        finished(Finished(payload, outcome, tries, latency, time.time()))
        payload = next(rest, None)


async def _ended(command: Command[Any, Any], payload: str) -> tuple[Outcome, int]:
    """Try until there is an outcome; returns it, and how many tries it took."""
    tries = 0
    while True:
        tries += 1
        try:
            return await _tried(command, payload), tries
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return command.mark(error), tries
        except Exception as error:
            reaction = command.handling.reaction_to(error)
            if reaction == "stop":
                reason = f"{type(error).__name__}: {error}"[:MAX_ERROR_LENGTH]
                raise RunStopped(f"{command.name} stopped at {payload}: {reason}") from error
            if reaction == "mark" or tries > command.handling.retries:
                return marked(command, error), tries
            await asyncio.sleep(command.handling.pause(tries))


async def _tried(command: Command[Any, Any], payload: Any) -> Outcome:
    execution = command.prepare(payload)
    seconds = command.handling.timeout_seconds
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            output = await command.execute(execution)
    except Exception as error:
        # It may have raised something else on its way out; why it had to go says more.
        if limit.expired():
            raise Expired(f"not done within {seconds} s") from error
        raise
    return _listed(command, command.interpret(output))


def marked(command: Command[Any, Any], error: Exception) -> Outcome:
    """Say what an exception means that is not retried."""
    if isinstance(error, Expired):
        return Outcome(status=command.expired_status, error=str(error))
    return _listed(command, command.mark(error))


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
