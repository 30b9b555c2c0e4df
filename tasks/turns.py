"""
Turns that all workers share: a row in the database for each server that is asked slowly.

Not Prefect's global concurrency limits: whoever finds their slots taken asks the API again and
again, which gave out a third of the turns that there were; a limit must be made for every server
before it is asked the first time; and a server that asks for a pause cannot be given one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from sqlalchemy import Engine

from commands.turns import Lines, NoTurn
from database.engine import open_database
from database.errors import DatabaseError
from database.turns import postpone_turns, take_turn

#: Connections for turns; each is used for a millisecond or two at a time.
THREADS = 4

T = TypeVar("T")


class SharedTurns:
    """Turns for all who use the same database; of a process only the first in a line takes one."""

    def __init__(self, database: str) -> None:
        """Take the database's URL; it is opened for the first turn."""
        self._database = database
        self._lines = Lines()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="turns")

    async def wait(self, key: str, per_second: float) -> None:
        """Return when it is the caller's turn; `NoTurn` while the database is away."""
        async with self._lines.of(key):
            seconds = await self._ask(lambda engine: take_turn(engine, key, 1 / per_second))
            await asyncio.sleep(seconds)

    async def hold_off(self, key: str, seconds: float) -> None:
        """Give out no turn for so long; `NoTurn` while the database is away."""
        await self._ask(lambda engine: postpone_turns(engine, key, seconds))

    async def _ask(self, question: Callable[[Engine], T]) -> T:
        def ask() -> T:
            return question(open_database(self._database))

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except DatabaseError as error:
            raise NoTurn(str(error)) from error


def shared_turns(database: str) -> SharedTurns:
    """Return the turns of a database: the same ones for all batches of this process."""
    return _shared(database, os.getpid())


@cache
def _shared(database: str, _process: int) -> SharedTurns:
    return SharedTurns(database)
