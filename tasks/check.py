"""The step that checks one batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from commands.command import Command
from commands.errors import NoNameServerAnswers, ServersUnknown
from commands.execution import Finished
from commands.registry import make
from database.batches import pending_names
from database.engine import open_database
from database.errors import DatabaseUnreachable
from database.fingerprint import answer_fingerprint
from database.results import save_results
from tasks import retries
from tasks.batch import Batch
from tasks.chunks import Chunks
from tasks.jobs.emit import emit, ordered
from tasks.settings import Settings

#: What passes by itself: a database or a network that is away for a while.
TRANSIENT = (DatabaseUnreachable, NoNameServerAnswers, ServersUnknown)
#: Waits of 2, 4, 8, 16 and 32 s, with jitter: a service's restart takes less than a minute.
RETRIES = 5


#: For a task that goes on where it stopped: it is tried again while that helps.
PATIENT: dict[str, Any] = {
    "retries": RETRIES,
    "retry_delay_seconds": exponential_backoff(2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": retries.on(*TRANSIENT),
}


@task(name="check", task_run_name="{batch[title]}", cache_policy=NO_CACHE, **PATIENT)
def check_batch(batch: dict[str, Any]) -> dict[str, int]:
    """
    Check the domains of a batch that have no result yet, and write their results.

    Running it again, or twice at once, is safe: a domain that has its result is not repeated, and
    the table's key keeps a second row out.

    Args:
        batch: A `tasks.batch.Batch` as JSON.

    Returns:
        Status -> how many domains got it in this go.

    Raises:
        DatabaseError: The results cannot be written. Retried when the database is away.
        CommandError: The command cannot run. Retried when no name server answers.
    """
    told = Batch.model_validate(batch)
    settings = Settings()
    environment = settings.environment(second_pass=told.second_pass)
    command = make(told.command, told.options, environment)
    command.handle(told.handling)
    statuses = _check(told, command, open_database(settings.database))
    get_run_logger().debug("%s: %s", told.title, dict(statuses))
    return dict(statuses)


def _check(told: Batch, command: Command[Any, Any], engine: Any) -> Counter[str]:
    slots = {name: slot for slot, name in pending_names(engine, told.stage, told.range)}
    statuses: Counter[str] = Counter()
    chunks = Chunks(command, tuple(slots), run=told.run)
    for chunk in chunks:
        # Before the results: what is not stored is checked again, and known by the job's id.
        _emit(told, chunk)
        rows = [_row(told, command, slots[finished.payload], finished) for finished in chunk]
        save_results(engine, told.run, told.check, rows)
        statuses.update(finished.outcome.status for finished in chunk)
    save_results(engine, told.run, told.check, (), chunks.counters)
    return statuses


def _emit(told: Batch, chunk: Sequence[Finished]) -> None:
    """Emit the jobs that outcomes ask for, each once."""
    orders = [
        (
            uuid5(
                NAMESPACE_OID,
                f"{told.run} {told.check} {told.second_pass} {finished.payload} {number}",
            ),
            ordered(job.command, job.payload, job.work_queue),
        )
        for finished in chunk
        for number, job in enumerate(finished.outcome.jobs)
    ]
    if orders:
        emit(orders, Settings())


def _row(told: Batch, command: Command[Any, Any], slot: int, finished: Finished) -> tuple[Any, ...]:
    outcome = finished.outcome
    return (
        slot,
        finished.payload,
        outcome.status,
        outcome.answer,
        outcome.error,
        finished.tries + told.second_pass,
        outcome.decided_by,
        finished.latency_ms,
        finished.finished_at,
        told.second_pass or outcome.status not in command.unsure,
        answer_fingerprint(outcome.answer, command.volatile),
    )
