"""Jobs as a table in Prefect's UI."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect.artifacts import create_table_artifact

from database.engine import open_database
from database.jobs import State as JobState
from database.jobs import StoredJob, Wanted, count_jobs, newest_jobs
from tasks.jobs.refresh import refresh
from tasks.jobs.words import called
from tasks.settings import Settings

__all__ = ["JobState", "Wanted", "show"]

#: Most rows of a table.
MOST_ROWS = 1_000


def show(wanted: Wanted, settings: Settings) -> str:
    """
    Make a table artifact of jobs, and return how many there are of each state, in words.

    Args:
        wanted: Which; the newest thousand are shown, all are counted.
        settings: Of this process.

    Raises:
        DatabaseError: They cannot be read.
    """
    refresh(settings)
    engine = open_database(settings.database)
    states = count_jobs(engine, wanted)
    words = ", ".join(f"{count:,} {state}" for state, count in states.items()) or "no jobs"
    rows = [row(job) for job in newest_jobs(engine, wanted, MOST_ROWS)]
    create_table_artifact(rows, key="jobs", description=words)
    return words


def row(job: StoredJob) -> dict[str, Any]:
    """Return a job as a row: what a person asks first."""
    return {
        "group": job.work_queue,
        "number": job.number,
        "job": called(job.command, job.payload),
        "state": job.state,
        "said": job.error or job.status or "",
        "attempts": job.attempts,
        "worker": job.worker or "",
        "came": _time(job.created_at),
        "began": _time(job.started_at),
        "ended": _time(job.ended_at),
        "id": str(job.id),
        "task run": str(job.message),
        "again as": str(job.rerun or ""),
    }


def _time(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else ""
