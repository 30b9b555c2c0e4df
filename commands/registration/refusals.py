"""Servers that say "not so fast": how long to leave them alone, and when not to ask at all."""

from __future__ import annotations

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from commands.net.retry_after import pause_of
from commands.turns import Turns

#: However long a server asks us to wait, in seconds: the late pass asks again anyway.
LONGEST_PAUSE = 300.0
#: Where it names no time: so many seconds after the first refusal, each later one twice as long.
FIRST_PAUSE = 10.0
#: After so many refusals in a row a process asks the server nothing for a while ...
MOST_REFUSALS = 5
#: ... of so many seconds: what is left of a batch, and the next ones, shall not wait for nothing.
REST_SECONDS = 900.0


class GivenUp(Exception):
    """A server has refused so often in a row that it is not asked for a while."""


@dataclass(slots=True)
class _Row:
    """A server's refusals in a row."""

    count: int = 0
    #: By the monotonic clock.
    last: float = 0.0


#: Turns -> server -> its refusals: one account for all batches of a process that share turns.
_accounts: WeakKeyDictionary[Turns, dict[str, _Row]] = WeakKeyDictionary()


class Refusals:
    """Counts each server's refusals in a row."""

    def __init__(self, turns: Turns) -> None:
        """Take what makes all others wait, too."""
        self._turns = turns
        self._rows = _accounts.setdefault(turns, {})

    def check(self, server: str) -> None:
        """
        Say whether a server is worth another question.

        Raises:
            GivenUp: It is not.
        """
        row = self._rows.get(server, _Row())
        if row.count >= MOST_REFUSALS and time.monotonic() - row.last < REST_SECONDS:
            message = f"not asked: {server} refused {MOST_REFUSALS} times in a row"
            raise GivenUp(message)

    async def refused(self, server: str, retry_after: str | None) -> None:
        """
        Make everybody leave a server alone for a while.

        Args:
            server: As its turns are known.
            retry_after: The header, if there was one.

        Raises:
            NoTurn: Nobody can be told.
        """
        row = self._rows.setdefault(server, _Row())
        row.count, row.last = row.count + 1, time.monotonic()
        asked_for = pause_of(retry_after)
        if asked_for is None:
            asked_for = min(FIRST_PAUSE * 2 ** min(row.count - 1, 10), LONGEST_PAUSE)
        await self._turns.hold_off(server, min(asked_for, LONGEST_PAUSE))

    def answered(self, server: str) -> None:
        """Begin to count anew."""
        self._rows.pop(server, None)
