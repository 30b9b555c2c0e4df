"""
The Celery application for `benchmarks.jobs` and `benchmarks.schedules`: a task that notes the time.

Its broker is CELERY_JOBS_BROKER, its file BENCH_MARKS. With beat the task is due every minute. As a
program it publishes so many tasks as its command line says.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from celery import Celery
from celery.schedules import crontab

app = Celery("celery_jobs", broker=os.environ["CELERY_JOBS_BROKER"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    timezone="UTC",
    beat_schedule={"every-minute": {"task": "noted", "schedule": crontab(), "args": (0,)}},
)


def _noted(number: int) -> None:  # noqa: ARG001 - what every message brings
    with Path(os.environ["BENCH_MARKS"]).open("a", encoding="ascii") as marks:
        marks.write(f"{time.time()}\n")


# Not as a decorator, which has no types.
noted = app.task(name="noted")(_noted)


def main() -> None:
    """Publish."""
    with app.producer_or_acquire() as producer:
        for number in range(int(sys.argv[1])):
            noted.apply_async((number,), producer=producer)


if __name__ == "__main__":
    main()
