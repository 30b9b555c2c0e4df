"""What only one at a time may do, over all who ask the same `Locks`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, TypeVar

#: Seconds between two looks at whether a lock is still ours; then its work is stopped.
WATCH_SECONDS = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has a lock, as far as that is known."""

    by: str | None = None
    since: datetime | None = None


class LockTaken(Exception):
    """Somebody else has the lock."""

    def __init__(self, key: str, holder: Holder) -> None:
        """Name the lock, and who has it."""
        super().__init__(f"{key} is being done by {holder.by or 'somebody else'}")
        self.holder = holder


class LockLost(Exception):
    """What held the lock is gone, so that somebody else may have it by now."""


class LocksAway(Exception):
    """Whoever gives out the locks cannot be reached."""


class Lock(Protocol):
    """A lock that is ours."""

    async def check(self) -> None:
        """
        Return if it is still ours.

        Raises:
            LockLost: It is not, or nobody can tell.
        """


class Locks(Protocol):
    """Gives out locks, each to one at a time; a lock goes with the process that has it."""

    def taken(self, key: str) -> AbstractAsyncContextManager[Lock]:
        """
        Take a lock, and give it back at the end of the block. Does not wait for it.

        Args:
            key: What only one may do at a time.

        Raises:
            LockTaken: Somebody has it.
            LocksAway: Nobody can say whose it is.
        """


async def while_held(lock: Lock, work: Callable[[], Awaitable[T]]) -> T:
    """
    Work under a lock; the work is cancelled when the lock is lost.

    Raises:
        LockLost: It was; the work has ended.
    """
    await lock.check()
    working = asyncio.ensure_future(work())
    watching = asyncio.ensure_future(_watch(lock))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            watching.result()
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
    return working.result()


async def _watch(lock: Lock) -> None:
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        await lock.check()


class LocalLocks:
    """Locks for one event loop alone."""

    def __init__(self) -> None:
        """Begin with none taken."""
        self._since: dict[str, datetime] = {}

    @asynccontextmanager
    async def taken(self, key: str) -> AsyncIterator[Lock]:
        """Take a lock; `LockTaken` if somebody has it."""
        if key in self._since:
            raise LockTaken(key, Holder(by="this process", since=self._since[key]))
        self._since[key] = datetime.now(UTC)
        try:
            yield _Certain()
        finally:
            del self._since[key]


class _Certain:
    async def check(self) -> None:
        """Return: it cannot be lost."""


#: What the jobs of a process share where nobody gives them anything wider.
LOCAL_LOCKS: Final = LocalLocks()
