"""One check on its way through a list: which of its batches can be submitted next."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from sqlalchemy import Engine

from database.batches import (
    Range,
    Stage,
    pending_count,
    pending_names,
    pending_ranges,
    ranges,
    segments,
)
from database.lists import StoredList
from database.results import status_counts
from database.runs import StoredRun
from database.skips import skip
from tasks.batch import batch_size, make_batch, window
from tasks.plan import SKIPPED, Check
from tasks.progress import Progress
from tasks.window import Work

#: Seconds before the unsure names are asked again: time for a name server to recover.
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step(Work):
    """A batch of a stage."""

    #: Part of the list, where the checks that need this one may go on as soon as it has ended.
    segment: Range | None = None
    second_pass: bool = False


class CheckStage:
    """
    A check's way through a list, which is cut into the same segments for all checks of a run.

    First the wave: a segment is looked at as soon as the needed checks have done with it. Names
    that were unsure there come later: when the needed checks are closed, the rest is looked at;
    and when that has ended, this check's own unsure names get their second pass. Whatever has its
    result in the database is not repeated, so a new try goes the same way and finds less to do.
    """

    def __init__(
        self,
        check: Check,
        run: StoredRun,
        stored: StoredList,
        engine: Engine,
        done: Mapping[str, int],
    ) -> None:
        """
        Begin.

        Args:
            check: The check.
            run: The run that the results are of.
            stored: Its list.
            engine: The database.
            done: Status -> how many results an earlier try has left.
        """
        self.name = check.name
        self.closed = False
        self.wave_over = False
        self._check, self._engine, self._run = check, engine, run
        self._first = Stage(
            run=run.number,
            list_id=stored.id,
            check=check.name,
            needs=tuple(check.needs.items()),
        )
        self._second = replace(self._first, second_pass=True)
        self._fresh = not done
        self._total = stored.ledger["unique"]
        #: Segments are the same for all checks; this one may need smaller batches.
        self._segment_size = batch_size(self._total)
        self._largest = check.command.largest_batch
        self._width = window(min(self._segment_size, self._largest))
        self._under_way = 0
        self._needs: list[CheckStage] = []
        self._dependents: list[CheckStage] = []
        #: Segment -> how many batches it has here, and which of them have ended.
        self._open: dict[Range, tuple[int, list[PrefectFuture[Any]]]] = {}
        #: Segment -> what has ended of the needed checks, for each of them.
        self._arrived: dict[Range, list[Sequence[PrefectFuture[Any]]]] = {}
        self._ready: deque[tuple[Range, list[PrefectFuture[Any]]]] = deque()
        self._progress = Progress(check.name, self._total, done)
        self._steps = self._all_steps()

    def need(self, other: CheckStage) -> None:
        """Say that this one needs another one."""
        self._needs.append(other)
        other._dependents.append(self)

    def next(self) -> Step | None:
        """Return the next batch, if there is one and room for it."""
        if self._under_way >= self._width:
            return None
        step = next(self._steps, None)
        self._under_way += step is not None
        return step

    def ended(self, work: Work, future: PrefectFuture[Any], result: Mapping[str, int]) -> None:
        """Count a batch, and let the checks that need this one go on."""
        self._under_way -= 1
        if not isinstance(work, Step):
            raise TypeError(work)
        if work.second_pass:
            self._progress.show()
        else:
            self._progress.add(result)
        if work.segment is not None:
            parts, ended = self._open[work.segment]
            ended.append(future)
            if len(ended) == parts:
                self._pass_on(work.segment, self._open.pop(work.segment)[1])

    def _pass_on(self, segment: Range, futures: Sequence[PrefectFuture[Any]]) -> None:
        for dependent in self._dependents:
            dependent._arrive(segment, futures)  # noqa: SLF001 - of the same class

    def _arrive(self, segment: Range, futures: Sequence[PrefectFuture[Any]]) -> None:
        arrived = self._arrived.setdefault(segment, [])
        arrived.append(futures)
        if len(arrived) == len(self._needs):
            after = [future for need in self._arrived.pop(segment) for future in need]
            self._ready.append((segment, after))

    def _all_steps(self) -> Iterator[Step | None]:
        """Go through the phases; None is: nothing to submit just now."""
        yield from self._wave() if self._needs else self._root_wave()
        yield from self._settled()
        self.wave_over = True
        while not all(need.closed for need in self._needs):
            yield None
        if self._needs:
            yield from self._rest()
        yield from self._second_pass()
        self._progress.replace(statuses_of(self._engine, self._run, self.name))
        self.closed = True

    def _settled(self) -> Iterator[None]:
        while self._under_way:
            yield None

    def _root_wave(self) -> Iterator[Step]:
        for segment in segments(self._engine, self._first.list_id, self._segment_size):
            whole = self._fresh and segment.count <= self._largest
            yield from self._look_at(segment, [segment] if whole else self._parts(segment), ())

    def _wave(self) -> Iterator[Step | None]:
        while self._ready or not all(need.wave_over for need in self._needs):
            if not self._ready:
                yield None
                continue
            segment, futures = self._ready.popleft()
            self._skip(segment)
            yield from self._look_at(segment, self._parts(segment), futures)

    def _parts(self, segment: Range) -> list[Range]:
        """Cut what a segment has for this check into batches."""
        keys = pending_names(self._engine, self._first, segment)
        if len(keys) <= self._largest:
            return [replace(segment, count=len(keys))] if keys else []
        return list(ranges(keys, self._largest))

    def _look_at(
        self, segment: Range, parts: Sequence[Range], after: Sequence[PrefectFuture[Any]]
    ) -> Iterator[Step]:
        """Make batches of a segment's parts; where there are none, pass it on at once."""
        if not parts:
            self._pass_on(segment, ())
        else:
            self._open[segment] = (len(parts), [])
        for part in parts:
            batch = make_batch(self._check, self._first, part)
            yield Step(batch=batch, after=after, segment=segment)

    def _skip(self, within: Range | None) -> None:
        count = skip(self._engine, self._first, SKIPPED, within)
        self._progress.add(Counter({SKIPPED: count} if count else {}))

    def _rest(self) -> Iterator[Step | None]:
        """Look at what was unsure in a needed check when its segment went by."""
        self._skip(None)
        yield from self._ranges(self._first)
        yield from self._settled()

    def _second_pass(self) -> Iterator[Step | None]:
        if not (count := pending_count(self._engine, self._second)):
            return
        get_run_logger().info("%s: asking %s unsure names again.", self.name, f"{count:,}")
        begin = time.monotonic() + PAUSE_SECONDS
        while time.monotonic() < begin:
            yield None
        yield from self._ranges(self._second)
        yield from self._settled()

    def _ranges(self, stage: Stage) -> Iterator[Step]:
        if not (count := pending_count(self._engine, stage)):
            return
        for found in pending_ranges(self._engine, stage, batch_size(count, self._largest)):
            batch = make_batch(self._check, stage, found)
            yield Step(batch=batch, second_pass=stage.second_pass)


def statuses_of(engine: Engine, run: StoredRun, check: str) -> Counter[str]:
    """Return status -> how many domains of a run have it in a check."""
    return status_counts(engine, run.number).get(check, Counter())
