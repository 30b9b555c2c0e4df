"""How far a run is: a progress artifact in the Prefect UI, and whoever listens in this process."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

#: Seconds between two updates in the UI; each is a request to Prefect's server.
UPDATE_SECONDS = 2.0

#: Called with what is done, how many are done, how many there are (none: unknown), and details; the
#: terminal's progress bar sets it.
Listener = Callable[[str, int, int | None, str], None]
listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def reading(lines: int) -> None:
    """Tell the listener how many lines have been read."""
    if tell := listener.get():
        tell("reading lines", lines, None, "")


class Progress:
    """Counts the domains of one check that have a result."""

    def __init__(self, check: str, total: int, done: Mapping[str, int]) -> None:
        """Begin; `done` is status -> how many results an earlier try has left."""
        self._check = check
        self._total = total
        self._statuses = Counter(done)
        self._artifact: UUID | None = None
        self._updated = 0.0
        self.show()

    def add(self, statuses: Mapping[str, int]) -> None:
        """Count a batch's first results."""
        self._statuses.update(statuses)
        self.show()

    def replace(self, statuses: Mapping[str, int]) -> None:
        """Put the counts right after the second pass has changed some results."""
        self._statuses = Counter(statuses)
        self.show(at_once=True)

    def show(self, *, at_once: bool = False) -> None:
        """Tell the listener, and the UI when it is time again."""
        done = self._statuses.total()
        if tell := listener.get():
            tell(self._check, done, self._total, self._details())
        if at_once or time.monotonic() - self._updated > UPDATE_SECONDS:
            try:
                self._update(100 * done / self._total)
            except httpx.HTTPError as error:
                # The work is not to fail because its progress cannot be shown.
                get_run_logger().warning("%s: progress cannot be shown: %s", self._check, error)
            self._updated = time.monotonic()

    def _update(self, percent: float) -> None:
        done = f"{self._statuses.total():,} of {self._total:,}"
        description = f"{self._check}: {done}. {self._details()}"
        if self._artifact is None:
            # The server takes no other characters, and a check may be named with some.
            key = re.sub("[^a-z0-9]+", "-", f"{self._check}-progress".lower())
            self._artifact = create_progress_artifact(percent, key, description)  # type: ignore[assignment]
        else:
            update_progress_artifact(self._artifact, percent, description)

    def _details(self) -> str:
        return ", ".join(f"{n:,} {status}" for status, n in self._statuses.most_common())
