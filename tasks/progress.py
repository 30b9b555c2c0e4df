"""How far a run is: a progress artifact in the Prefect UI, and whoever listens in this process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

#: Seconds between two updates in the UI; each is a request to Prefect's server.
UPDATE_SECONDS = 2.0

#: Called with done, total and status -> count; the terminal's progress bar sets it.
listener: ContextVar[Callable[[int, int, Mapping[str, int]], None] | None] = ContextVar(
    "listener", default=None
)


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
            tell(done, self._total, self._statuses)
        if at_once or time.monotonic() - self._updated > UPDATE_SECONDS:
            self._update(100 * done / self._total)
            self._updated = time.monotonic()

    def _update(self, percent: float) -> None:
        statuses = ", ".join(f"{n:,} {status}" for status, n in self._statuses.most_common())
        description = f"{self._check}: {self._statuses.total():,} of {self._total:,}. {statuses}"
        if self._artifact is None:
            key = f"{self._check}-progress"
            self._artifact = create_progress_artifact(percent, key, description)  # type: ignore[assignment]
        else:
            update_progress_artifact(self._artifact, percent, description)
