"""From the event loop, where commands run, to the thread that writes their results."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

from commands import execution
from commands.command import Command
from commands.execution import Finished
from commands.loop import submit

#: A chunk is handed on when it holds this many results ...
CHUNK_SIZE = 1_000
#: ... or when its first one has waited so long, in seconds: what a dying process loses.
CHUNK_SECONDS = 1.0


class Chunks:
    """
    Runs a command over names and gives the results in chunks, as they come.

    Chunks, because handing over single results would wake the writing thread for each.
    """

    def __init__(self, command: Command[Any, Any], names: Sequence[str]) -> None:
        """Begin at once, in the process's event loop."""
        self._chunk: list[Finished] = []
        self._began = time.monotonic()
        self._queue: SimpleQueue[list[Finished] | None] = SimpleQueue()
        self._work = submit(self._run(command, names))
        self._work.add_done_callback(lambda _: self._queue.put(None))

    def __iter__(self) -> Iterator[list[Finished]]:
        """Yield the chunks; at the end raise what kept the command from running at all."""
        try:
            while (chunk := self._queue.get()) is not None:
                yield chunk
        except BaseException:
            self._work.cancel()
            raise
        self._work.result()

    @property
    def counters(self) -> Mapping[str, int]:
        """The command's own accounts, after the last chunk."""
        return self._work.result()

    async def _run(self, command: Command[Any, Any], names: Sequence[str]) -> Mapping[str, int]:
        async with command:
            await execution.run(command, names, self._add)
        self._hand_over()
        return command.counters()

    def _add(self, finished: Finished) -> None:
        self._chunk.append(finished)
        waited = time.monotonic() - self._began
        if len(self._chunk) >= CHUNK_SIZE or waited > CHUNK_SECONDS:
            self._hand_over()

    def _hand_over(self) -> None:
        self._queue.put(self._chunk)
        self._chunk = []
        self._began = time.monotonic()
