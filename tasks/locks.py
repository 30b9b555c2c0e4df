"""Locks that all workers share: they hang on the database that all of them use."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from typing import TypeVar

from commands.locks import Holder, Lock, LockLost, LocksAway, LockTaken
from database.errors import DatabaseError
from database.locks import Held, LockIsTaken, take_lock

#: A question to a lock's connection takes a millisecond or two; connecting may take ten seconds.
THREADS = 8

T = TypeVar("T")
#: Puts a question in one of the threads.
Ask = Callable[[Callable[[], bool]], asyncio.Future[bool]]


class SharedLocks:
    """Locks for all who use the same database."""

    def __init__(self, database: str) -> None:
        """Take the database's URL; it is opened for the first lock."""
        self._database = database
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="locks")

    @asynccontextmanager
    async def taken(self, key: str) -> AsyncIterator[Lock]:
        """Take a lock; `LockTaken` if somebody has it, `LocksAway` while the database is away."""
        held = await self._take(key)
        try:
            yield _Shared(held, self._ask)
        finally:
            # In one of the threads even if we are cancelled once more.
            await asyncio.shield(self._ask(held.release))

    async def _take(self, key: str) -> Held:
        taking = self._ask(lambda: take_lock(self._database, key))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            # What a thread has begun it ends: nobody else would give the lock back.
            taking.add_done_callback(self._give_back)
            raise
        except LockIsTaken as error:
            holder = Holder(by=error.owner.by, since=error.owner.since)
            raise LockTaken(key, holder) from error
        except (DatabaseError, OSError) as error:
            raise LocksAway(f"nobody can say who is at {key}: {error}") from error

    def _give_back(self, taken: asyncio.Future[Held]) -> None:
        if not taken.cancelled() and taken.exception() is None:
            self._threads.submit(taken.result().release)

    def _ask(self, question: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, question)


class _Shared:
    def __init__(self, held: Held, ask: Ask) -> None:
        self._held = held
        self._ask = ask

    async def check(self) -> None:
        """Return if it is still ours; `LockLost` if not."""
        if not await asyncio.shield(self._ask(self._held.is_held)):
            raise LockLost("the connection that held the lock is gone")


def shared_locks(database: str) -> SharedLocks:
    """Return the locks of a database: the same ones for all jobs of this process."""
    return _shared(database, os.getpid())


@cache
def _shared(database: str, _process: int) -> SharedLocks:
    return SharedLocks(database)
