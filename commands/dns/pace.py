"""How fast one name server is asked, over all batches that this process runs at once."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

#: Loop -> (server, in flight, queries a second) -> pace. Batches share a server's pace.
_paces: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int, float], Pace]] = (
    WeakKeyDictionary()
)


class Pace:
    """
    A bound on the questions under way, and on how many begin in a second.

    Recursive name servers answer SERVFAIL, or nothing, when they are asked too much at once, and
    then healthy names look dead; that is why there is a bound at all.
    """

    def __init__(self, in_flight: int, queries_per_second: float) -> None:
        """Make it; `queries_per_second` 0 is no limit."""
        self._slots = asyncio.Semaphore(in_flight)
        self._interval = 1 / queries_per_second if queries_per_second else 0.0
        self._next = 0.0

    async def __aenter__(self) -> Self:
        """Wait for a slot, and for the turn."""
        await self._slots.acquire()
        if self._interval:
            await self._turn()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the slot back."""
        self._slots.release()

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._interval
        try:
            await asyncio.sleep(turn - now)
        except BaseException:
            self._slots.release()
            raise


def shared_pace(server: str, in_flight: int, queries_per_second: float) -> Pace:
    """Return the pace of a server in the running loop."""
    paces = _paces.setdefault(asyncio.get_running_loop(), {})
    key = (server, in_flight, queries_per_second)
    if key not in paces:
        paces[key] = Pace(in_flight, queries_per_second)
    return paces[key]
