"""
The thread of one export, in which everything is done that would hold up the loop.

One for each, and not the loop's own few, which other commands need for a moment at a time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """The export is not wanted any more."""


#: Seconds before what waits is interrupted, and interrupted again.
AGAIN_SECONDS = 0.1


class Stop:
    """Tells the work in the thread that it is not wanted any more."""

    def __init__(self) -> None:
        """Begin with work that is wanted."""
        self._lock = threading.Lock()
        self._interrupt: Callable[[], object] | None = None
        self._asked = False
        #: Set when the work has ended.
        self.over = threading.Event()

    def ask(self) -> None:
        """Let the work end; returns at once."""
        self._asked = True
        # PostgreSQL is told over a connection of its own, which may take long.
        threading.Thread(target=self._end, name="cron_frame stop", daemon=True).start()

    def _end(self) -> None:
        # Again and again: between two queries there is nothing to interrupt.
        while not self.over.wait(AGAIN_SECONDS):
            with self._lock, suppress(Exception):
                if self._interrupt is not None:
                    self._interrupt()

    def check(self) -> None:
        """Raise `Stopped` if the work shall end."""
        if self._asked:
            raise Stopped

    @contextmanager
    def by(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """
        Inside, what waits is interrupted as well; of several, one in another, the innermost.

        Args:
            interrupt: Ends the waiting, from another thread.
        """
        with self._lock:
            before, self._interrupt = self._interrupt, interrupt
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._interrupt = before


class ExportThread:
    """One thread, which has ended when the block has."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="cron_frame")
        self.stop = Stop()

    async def run(self, work: Callable[[], T]) -> T:
        """Do it there. Cancelled, the work is asked to stop, and it is waited for."""
        doing = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(doing)
        except asyncio.CancelledError:
            self.stop.ask()
            # Nobody else may begin before it has really ended, however often we are cancelled.
            while not doing.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({doing})
            self.stop.over.set()
            if not doing.cancelled():
                doing.exception()
            raise

    async def __aenter__(self) -> Self:
        """Give it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it; nothing is under way in it any more."""
        self._pool.shutdown(wait=False)
