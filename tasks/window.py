"""A sliding window of task runs: as one ends, the next one is submitted, to any task runner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from prefect.futures import PrefectFuture

from tasks.errors import BatchesFailed
from tasks.runner import Submit

#: Seconds between two looks at sources that have nothing to submit just now.
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """A batch that can be submitted."""

    batch: dict[str, Any]
    #: What must have completed before, which it has: so that Prefect draws an edge.
    after: Sequence[PrefectFuture[Any]] = ()


class Source(Protocol):
    """Where batches come from."""

    #: Whether there will be no more.
    closed: bool

    def next(self) -> Work | None:
        """Return what can be submitted now, if there is anything."""

    def ended(self, work: Work, future: PrefectFuture[Any], result: Any) -> None:
        """Hear of a batch that has completed."""


class Window:
    """
    Submits the batches of some sources until all of them are closed.

    Memory follows what is under way, not the number of batches. After the first batch that failed
    for good, or an error of a source, nothing more is submitted; what is under way is waited for.
    """

    def __init__(self, sources: Sequence[Source], submit: Submit) -> None:
        """Prepare; the first of the sources is asked first."""
        self._sources = sources
        self._submit = submit
        self._ended: SimpleQueue[PrefectFuture[Any]] = SimpleQueue()
        self._under_way: dict[PrefectFuture[Any], tuple[Source, Work]] = {}
        self._failures: list[str] = []
        self._broken: Exception | None = None

    def run(self) -> None:
        """
        Do all of it.

        Raises:
            BatchesFailed: Some failed, after all their retries.
            Exception: Whatever a source raised.
        """
        while not self._is_over():
            self._look()
            try:
                # Not for ever: a source may wait for a moment, and not for a batch.
                self._settle(self._ended.get(timeout=LOOK_SECONDS))
            except Empty:
                continue
        if self._broken:
            raise self._broken
        if self._failures:
            raise BatchesFailed(_summary(self._failures))

    def _is_over(self) -> bool:
        if self._under_way:
            return False
        stopped = bool(self._failures or self._broken)
        return stopped or all(source.closed for source in self._sources)

    def _look(self) -> None:
        """Submit all that can be submitted now."""
        moved = True
        while moved and not self._failures and not self._broken:
            open_before = sum(not source.closed for source in self._sources)
            try:
                moved = sum(map(self._fill, self._sources)) > 0
            except Exception as error:  # noqa: BLE001 - it is raised when nothing is under way any more
                self._broken = error
            # The end of one may be what another waits for.
            moved |= open_before > sum(not source.closed for source in self._sources)

    def _fill(self, source: Source) -> int:
        submitted = 0
        while (work := source.next()) is not None:
            future = self._submit(work.batch, work.after)
            self._under_way[future] = (source, work)
            future.add_done_callback(self._ended.put)
            submitted += 1
        return submitted

    def _settle(self, future: PrefectFuture[Any]) -> None:
        source, work = self._under_way.pop(future)
        future.wait()
        state = future.state
        if not state.is_completed():
            self._failures.append(state.message or state.name or "no reason given")
            return
        try:
            source.ended(work, future, state.result())
        except Exception as error:  # noqa: BLE001 - see above
            self._broken = self._broken or error


def _summary(failures: list[str]) -> str:
    count = f"{len(failures)} batches" if len(failures) > 1 else "a batch"
    return f"{count} failed ({failures[0]}); what was checked is kept: run it again to go on"
