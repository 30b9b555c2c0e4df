"""Whether every job was done once, in its order, and nothing is left."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import NullPool, create_engine, text

from tests.chaos.jobs.parts import job_id
from tests.chaos.jobs.stage import Stage
from tests.services.marks import Mark

__all__ = ["Findings", "found", "what_is_wrong"]

#: Seconds for the last rows, acknowledgements and states: events are recorded by and by.
SETTLE_SECONDS = 120.0
#: Task runs that the API gives at once.
PAGE = 200


@dataclass(slots=True, kw_only=True)
class Findings:
    """Figures that are neither right nor wrong."""

    #: Jobs that were begun more than once, and that came to their end more than once.
    begun_again: int = 0
    ended_again: int = 0
    #: From the first start to the last end.
    jobs_per_second: float = 0.0
    #: Worker -> jobs that it ended.
    by_worker: dict[str, int] = field(default_factory=dict)


def found(stage: Stage) -> Findings:
    """Return the figures."""
    marks = stage.yard.marks()
    starts = Counter(mark.key for mark in marks if mark.what == "start")
    ends = Counter(mark.key for mark in marks if mark.what == "end")
    seconds = max((mark.at for mark in marks), default=0.0) - min(
        (mark.at for mark in marks), default=0.0
    )
    workers = _ask(stage, "SELECT worker, count(*) FROM jobs GROUP BY worker ORDER BY worker")
    return Findings(
        begun_again=sum(count > 1 for count in starts.values()),
        ended_again=sum(count > 1 for count in ends.values()),
        jobs_per_second=len(ends) / seconds if seconds else 0.0,
        by_worker={str(worker): count for worker, count in workers},
    )


def what_is_wrong(stage: Stage) -> Iterator[str]:
    """
    Yield a sentence for everything that is not as it must be; all was emitted and done.

    The workers are stopped: what they have not acknowledged is on its queue again.
    """
    yield from _rows(stage)
    if shown := _settled(lambda: _not_completed(stage)):
        yield f"task runs that Prefect does not show as completed: {shown}"
    stage.workers.stop()
    yield from _marks(stage)
    queues = stage.broker.queues(stage.yard.amqp_url)
    if left := {name: count for name, count in queues.items() if count}:
        yield f"messages that are left: {left}"


def _rows(stage: Stage) -> Iterator[str]:
    wanted = {job_id(job.key): job for job in stage.jobs}
    if left := _settled(lambda: _states(stage).keys() - {"completed"}):
        yield f"jobs that have not completed: {left}, {_states(stage)}"
    rows = _ask(stage, "SELECT id, work_queue, number, attempts FROM jobs")
    ids = Counter(UUID(str(id_)) for id_, *_ in rows)
    if missing := wanted.keys() - ids.keys():
        yield f"{len(missing):,} jobs without a row, e.g. {wanted[min(missing)].key}"
    if strange := ids.keys() - wanted.keys():
        yield f"{len(strange):,} rows of no job"
    if wrong := [id_ for id_, group, *_ in rows if wanted[UUID(str(id_))].group != group]:
        yield f"{len(wrong):,} jobs are in another group"
    if never := [id_ for id_, _, _, attempts in rows if not attempts]:
        yield f"{len(never):,} jobs were never begun"
    numbers: dict[str, list[int]] = defaultdict(list)
    for _, group, number, _ in rows:
        numbers[group].append(number)
    for group, given in sorted(numbers.items()):
        if sorted(given) != list(range(1, len(given) + 1)):
            gaps = sorted(set(range(1, max(given) + 1)) - set(given))
            yield f"{group}: numbers of {len(given)} jobs are missing: {gaps[:10]}"


def _marks(stage: Stage) -> Iterator[str]:
    marks = sorted(stage.yard.marks(), key=lambda mark: mark.at)
    if twice := _at_once(marks, lambda mark: mark.key):
        yield f"{len(twice):,} jobs were run twice at once, e.g. {min(twice)}"
    if groups := _at_once(marks, lambda mark: mark.key.partition(":")[0]):
        yield f"{len(groups):,} groups had two jobs at once, e.g. {min(groups)}"
    firsts: dict[str, list[int]] = defaultdict(list)
    # In the order of their first starts.
    for key in dict.fromkeys(mark.key for mark in marks if mark.what == "start"):
        group, _, place = key.partition(":")
        firsts[group].append(int(place))
    for group, places in sorted(firsts.items()):
        if late := [(one, other) for one, other in pairwise(places) if other != one + 1]:
            yield f"{group}: not in the order of emission: {late[:3]}"
    started = sum(map(len, firsts.values()))
    if started != len(stage.jobs):
        yield f"{started:,} jobs were begun, of {len(stage.jobs):,}"


def _at_once(marks: Iterable[Mark], of: Callable[[Mark], str]) -> set[str]:
    """Return those of which two were under way at the same time."""
    now: Counter[str] = Counter()
    overlapping = set()
    for mark in marks:
        now[of(mark)] += 1 if mark.what == "start" else -1
        if now[of(mark)] > 1:
            overlapping.add(of(mark))
    return overlapping


def _states(stage: Stage) -> dict[str, int]:
    return dict(_ask(stage, "SELECT state, count(*) FROM jobs GROUP BY state"))


def _not_completed(stage: Stage) -> dict[str, int]:
    """Count the jobs by the state that Prefect's server shows, without the completed ones."""
    ids = [str(job_id(job.key)) for job in stage.jobs]
    shown: Counter[str] = Counter()
    with httpx.Client(base_url=stage.yard.prefect.api_url, timeout=60) as client:
        for first in range(0, len(ids), PAGE):
            page = ids[first : first + PAGE]
            body = {"task_runs": {"id": {"any_": page}}, "limit": PAGE}
            runs = client.post("task_runs/filter", json=body).raise_for_status().json()
            shown.update(run["state_name"] for run in runs)
            shown["unknown"] += len(page) - len(runs)
    return {state: count for state, count in shown.items() if count and state != "Completed"}


def _settled(look: Callable[[], Any]) -> Any:
    """Return what is found until nothing is, or the time is over."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (last := look()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return last


def _ask(stage: Stage, query: str) -> Sequence[Any]:
    engine = create_engine(stage.yard.database_url, poolclass=NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]
