"""From the event loop, where commands run, to the thread that writes their results."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any
from weakref import WeakSet

from commands import execution
from commands.command import Command
from commands.execution import Finished
from commands.loop import submit

#: A chunk is handed on when it holds this many results ...
CHUNK_SIZE = 1_000
#: ... or so often, in seconds: what a dying process loses.
CHUNK_SECONDS = 1.0

#: Run -> what is under way for it in this process.
_under_way: dict[int, WeakSet[Future[Any]]] = {}
_lock = threading.Lock()


def cancel_batches(run: int) -> None:
    """Stop what is under way for a run in this process; what was not handed on is not done."""
    with _lock:
        works = list(_under_way.pop(run, ()))
    for work in works:
        work.cancel()


class Chunks:
    """
    Runs a command over names and gives the results in chunks, as they come.

    Chunks, because handing over single results would wake the writing thread for each.
    """

    def __init__(self, command: Command[Any, Any], names: Sequence[str], *, run: int = 0) -> None:
        """Begin at once, in the process's event loop; `run` is the number to cancel it by."""
        self._chunk: list[Finished] = []
        self._queue: SimpleQueue[list[Finished] | None] = SimpleQueue()
        self._work = submit(self._run(command, names))
        self._work.add_done_callback(lambda _: self._queue.put(None))
        with _lock:
            _under_way.setdefault(run, WeakSet()).add(self._work)

    def __iter__(self) -> Iterator[list[Finished]]:
        """Yield the chunks; at the end raise what kept the command from running at all."""
        try:
            while (chunk := self._next()) is not None:
                yield chunk
        except BaseException:
            self._work.cancel()
            raise
        self._work.result()

    def _next(self) -> list[Finished] | None:
        while True:
            # Not for ever: a cancellation reaches a thread only when that runs Python again.
            with suppress(Empty):
                return self._queue.get(timeout=CHUNK_SECONDS)

    @property
    def counters(self) -> Mapping[str, int]:
        """The command's own accounts, after the last chunk."""
        return self._work.result()

    async def _run(self, command: Command[Any, Any], names: Sequence[str]) -> Mapping[str, int]:
        clock = asyncio.create_task(self._tick())
        try:
            async with command:
                await execution.run(command, names, self._add)
        finally:
            clock.cancel()
            self._hand_over()
        return command.counters()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(CHUNK_SECONDS)
            self._hand_over()

    def _add(self, finished: Finished) -> None:
        self._chunk.append(finished)
        if len(self._chunk) >= CHUNK_SIZE:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._chunk:
            self._queue.put(self._chunk)
            self._chunk = []
