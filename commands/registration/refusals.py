"""Servers that say "not so fast": how long to leave them alone, and when to leave them for good."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from commands.turns import Turns

#: However long a server asks us to wait, in seconds: the late pass asks again anyway.
LONGEST_PAUSE = 300.0
#: Where it names no time: so many seconds after the first refusal, each later one twice as long.
FIRST_PAUSE = 10.0
#: After so many refusals in a row a batch asks the server nothing more.
MOST_REFUSALS = 5


class GivenUp(Exception):
    """A server has refused so often in a row that it is not asked again in this batch."""


class Refusals:
    """Counts each server's refusals in a row, over one batch."""

    def __init__(self, turns: Turns) -> None:
        """Take what makes all others wait, too."""
        self._turns = turns
        self._in_a_row: Counter[str] = Counter()

    def check(self, server: str) -> None:
        """
        Say whether a server is worth another question.

        Raises:
            GivenUp: It is not.
        """
        if self._in_a_row[server] >= MOST_REFUSALS:
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
        self._in_a_row[server] += 1
        asked_for = pause_of(retry_after)
        if asked_for is None:
            asked_for = FIRST_PAUSE * 2 ** (self._in_a_row[server] - 1)
        await self._turns.hold_off(server, min(asked_for, LONGEST_PAUSE))

    def answered(self, server: str) -> None:
        """Begin to count anew."""
        self._in_a_row.pop(server, None)


def pause_of(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After header means; None where it means nothing."""
    if retry_after is None:
        return None
    # Longer numbers are no time; and `int` refuses the longest.
    if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 10:
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
