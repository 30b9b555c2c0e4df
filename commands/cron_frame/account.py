"""What was left out of a feed or changed in it, and why: nothing happens silently."""

from __future__ import annotations

from collections import Counter
from typing import Any

#: So many are named for each reason, and each by so many characters.
MOST_NAMED, MOST_NAME_CHARACTERS = 5, 60


class Account:
    """Counts by reason, and names the first few."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._counts: Counter[str] = Counter()
        self._first: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Note one more."""
        self._counts[reason] += 1
        first = self._first.setdefault(reason, [])
        if len(first) < MOST_NAMED:
            first.append(name[:MOST_NAME_CHARACTERS])

    @property
    def total(self) -> int:
        """How many there are."""
        return self._counts.total()

    def told(self) -> dict[str, Any]:
        """Return reason -> how many, and which the first ones are; the most frequent first."""
        return {
            reason: {"count": count, "first": self._first[reason]}
            for reason, count in self._counts.most_common()
        }

    def line(self) -> str:
        """Return it in a few words."""
        return ", ".join(f"{reason}: {count:,}" for reason, count in self._counts.most_common())
