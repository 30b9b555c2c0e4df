"""Whose turn it is to ask a server that allows only so many questions a second."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

#: Keys that are remembered before those whose time has passed are forgotten.
MOST_REMEMBERED = 1_000


class NoTurn(Exception):
    """Whoever gives out the turns cannot be reached."""


class Turns(Protocol):
    """Gives out turns to all who ask the same server, so that together they keep to its pace."""

    async def wait(self, key: str, per_second: float) -> None:
        """
        Return when it is the caller's turn.

        Args:
            key: What has a pace, e.g. a server's name.
            per_second: Turns a second, more than 0.

        Raises:
            NoTurn: Nobody can say whose turn it is.
        """

    async def hold_off(self, key: str, seconds: float) -> None:
        """
        Give out no turn for so long, because the server asked for that.

        Raises:
            NoTurn: Nobody can be told.
        """


class Lines:
    """
    A line of waiting for each key and event loop, in the order of arrival.

    Only the first in a line asks for a turn. So a killed process takes no more than one with it,
    and whoever stands behind learns of a `hold_off` in time.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._lines: WeakKeyDictionary[
            asyncio.AbstractEventLoop, WeakValueDictionary[str, asyncio.Lock]
        ] = WeakKeyDictionary()

    def of(self, key: str) -> asyncio.Lock:
        """Return a key's line in the running loop; it is gone when nobody stands in it."""
        lines = self._lines.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return lines.setdefault(key, asyncio.Lock())


class LocalTurns:
    """Turns for one process alone."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._lines = Lines()
        #: Key -> when the next turn is, by the monotonic clock.
        self._next: dict[str, float] = {}

    async def wait(self, key: str, per_second: float) -> None:
        """Return when it is the caller's turn."""
        async with self._lines.of(key):
            # Somebody may have asked to hold off meanwhile.
            while (seconds := self._next.get(key, 0.0) - time.monotonic()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(seconds)
            self._forget()
            self._next[key] = time.monotonic() + 1 / per_second

    async def hold_off(self, key: str, seconds: float) -> None:
        """Give out no turn for so long."""
        self._next[key] = max(self._next.get(key, 0.0), time.monotonic() + seconds)

    def _forget(self) -> None:
        if len(self._next) > MOST_REMEMBERED:
            now = time.monotonic()
            self._next = {key: at for key, at in self._next.items() if at > now}


#: What the batches of a process share where nobody gives them anything wider.
LOCAL_TURNS: Final = LocalTurns()
