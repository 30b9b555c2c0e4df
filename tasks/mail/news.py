"""What a digest tells, gathered from the database."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from prefect.utilities.urls import url_for
from sqlalchemy import Engine, Row

from commands.cron_events.port import Changed, EndedRun, FailedJobs, News
from database.comparison import KINDS, Change, change_counts, change_examples
from database.digests import digest_counts, digest_jobs, digest_runs
from database.results import status_counts
from tasks.report import before_and_after

#: A failed mail about failed mails would be told of by mail.
OURSELVES = "cron_events"
#: So many runs and kinds of failures are told in full; the others are counted.
MAX_RUNS = 10
MAX_JOBS = 20
#: Of each run and check so many changes are named.
MAX_EXAMPLES = 5
#: Characters of a payload or an answer.
MAX_CHARACTERS = 200


def read_news(engine: Engine, digest: int) -> News:
    """
    Read what a digest tells.

    Its cost follows what is in the digest, by indexes and primary keys: the results of at most
    `MAX_RUNS` runs are counted, and the changes of all its runs; no other row is looked at.
    """
    runs, changes, jobs = digest_counts(engine, digest, OURSELVES)
    return News(
        counts={"runs": runs, "changes": changes, "jobs": jobs},
        runs=[_run(engine, row) for row in digest_runs(engine, digest, MAX_RUNS)],
        jobs=[_jobs(row) for row in digest_jobs(engine, digest, OURSELVES, MAX_JOBS)],
    )


def _run(engine: Engine, row: Row[Any]) -> EndedRun:
    changed = change_counts(engine, row.number)
    return EndedRun(
        name=row.list or "a list that is gone",
        ended_at=row.ended_at.replace(tzinfo=UTC),
        url=_page("flow-run", row.id),
        counts=status_counts(engine, row.number),
        changes={check: kinds.total() for check, kinds in sorted(changed.items())},
        examples=[
            one
            for check, kinds in sorted(changed.items())
            for one in _examples(engine, row.number, check, set(kinds))
        ],
    )


def _examples(engine: Engine, run: int, check: str, kinds: set[str]) -> list[Changed]:
    found: list[Changed] = []
    for kind in KINDS:
        left = MAX_EXAMPLES - len(found)
        if kind in kinds and left > 0:
            first = change_examples(engine, run, check, kind, left)
            found += [_changed(check, kind, one) for one in first]
    return found


def _changed(check: str, kind: str, one: Change) -> Changed:
    before, after = before_and_after(kind, one)
    return Changed(check=check, domain=one.name, before=before, after=after)


def _jobs(row: Row[Any]) -> FailedJobs:
    payload = json.dumps(row.payload, ensure_ascii=False)
    return FailedJobs(
        command=row.command,
        error=row.error or "it did not say why",
        count=row.jobs,
        work_queue=row.work_queue,
        number=row.number,
        payload=payload[:MAX_CHARACTERS],
        ended_at=row.ended_at.replace(tzinfo=UTC),
        url=_page("task-run", row.id),
    )


def _page(kind: str, run_id: Any) -> str:
    """Return the page of a run in Prefect's UI; empty where it has none."""
    return url_for(kind, obj_id=run_id) or ""
