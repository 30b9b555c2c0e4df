"""What a job costs, part by part."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

from prefect.context import SyncClientContext
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.task_engine import run_task_sync
from sqlalchemy import NullPool, create_engine, text

from benchmarks.noop import noop
from benchmarks.rig import Services
from database.engine import open_database, transaction
from database.job_life import claim_job, end_job
from database.jobs import Order, add_job
from database.locks import take_lock

TIMES = 200


def parts(services: Services) -> Iterator[tuple[str, float]]:
    """Yield each part, and its milliseconds: the mean of 200."""
    order = Order(command="nothing", payload=0, work_queue="default")
    with services.postgres.database() as url:
        engine = open_database(url)
        ids = [uuid4() for _ in range(TIMES)]

        def add(id_: UUID) -> None:
            with transaction(engine) as connection:
                add_job(connection, id_, order)

        yield "its row, added by whoever emits it", _mean(add, ids)
        yield "its lock, taken and released", _mean(lambda id_: _lock(url, id_), ids)
        yield (
            "its row, claimed",
            _mean(lambda id_: claim_job(engine, id_, id_, order, "worker"), ids),
        )
        yield "its row, ended", _mean(lambda id_: end_job(engine, id_, "completed"), ids)
        yield "for comparison: a new connection, and one question", _mean(lambda _: _ask(url), ids)
        engine.dispose()
    ours = {PREFECT_API_URL: services.prefect.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}
    # As in a worker: a line for each, and a client for each, would be the most of it.
    logging.getLogger("prefect.task_runs").setLevel(logging.WARNING)
    with temporary_settings(ours), SyncClientContext():
        yield "Prefect's engine with an empty task", _mean(_run, ids)


def _mean(do: Callable[[UUID], Any], ids: list[UUID]) -> float:
    do(ids[0])
    began = time.perf_counter()
    for id_ in ids[1:]:
        do(id_)
    return (time.perf_counter() - began) / (len(ids) - 1) * 1000


def _lock(url: str, id_: UUID) -> None:
    take_lock(url, f"job {id_}").release()


def _ask(url: str) -> None:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        connection.execute(text("SELECT 1"))


def _run(id_: UUID) -> None:
    run_task_sync(noop, task_run_id=id_, parameters={"number": 0}, return_type="state")
