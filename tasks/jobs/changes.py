"""What people do with jobs that are there: cancel, move, let go on, run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from uuid import UUID

from prefect.client.schemas.objects import State as PrefectState
from prefect.states import Cancelled, Completed
from prefect_rabbitmq import JobPublisher
from prefect_rabbitmq.standalone import cancel_jobs as cancel_task_runs
from prefect_rabbitmq.standalone import tell

from database.engine import open_database
from database.job_life import cancel_job, publish_anew, repeat_job
from database.jobs import OPEN, State, StoredJob, Wanted, list_jobs, read_job
from tasks.errors import InputError
from tasks.jobs.emit import publish, publisher
from tasks.jobs.refresh import refresh
from tasks.jobs.words import called
from tasks.settings import Settings

__all__ = ["Wanted", "cancel", "each", "held", "move", "over", "release", "run_again"]

#: What can be run again; one that has completed only if it is named.
OVER: tuple[State, ...] = ("completed", "failed", "cancelled", "superseded")
#: Most jobs that are run again in one go.
MOST = 100_000


def cancel(ids: Iterable[UUID], settings: Settings) -> dict[UUID, str]:
    """
    Cancel jobs: one that waits never begins, one that runs is stopped.

    Returns:
        What became of each: `cancelled`, `cancelling`, `of a flow run` (cancel that), the state
        that it had ended with, or `unknown`, as a message from outside is until it begins.
    """
    return {id_: _cancel(id_, settings) for id_ in ids}


def move(ids: Iterable[UUID], work_queue: str, settings: Settings) -> dict[UUID, str]:
    """
    Move jobs that wait to another work queue, behind what waits there.

    Returns:
        What became of each: `moved`, the state in which it cannot be moved, or `unknown`.

    Raises:
        InputError: There is no broker, or no work queue is named.
        Unroutable: There is no such work queue; the job stays where it is.
        BrokerUnreachable: RabbitMQ is away; the same.
    """
    if not work_queue:
        raise InputError("move where? Name a work queue, e.g. high")
    return _anew(ids, ("queued",), "moved", settings, work_queue)


def release(ids: Iterable[UUID], settings: Settings) -> dict[UUID, str]:
    """
    Let jobs go on that were held because their command's code had changed.

    Returns:
        What became of each: `queued`, the state of one that is not held, or `unknown`.
    """
    return _anew(ids, ("held",), "queued", settings)


def held(command: str, settings: Settings) -> list[UUID]:
    """Return the jobs that are held, of one command or of all."""
    wanted = Wanted(states=("held",), command=command)
    return [job.id for job in list_jobs(open_database(settings.database), wanted, MOST)]


def run_again(ids: Iterable[UUID], settings: Settings) -> dict[UUID, str]:
    """
    Run jobs again that are over, each as a new job, and none a second time.

    Returns:
        The new job's id for each, or why there is none: the state of one that is not over,
        `again as …` for one that was run again before, or `unknown`.
    """
    engine = open_database(settings.database)
    told: dict[UUID, str] = {}
    with publisher(settings) as jobs:
        for id_ in ids:
            new = repeat_job(engine, id_, partial(_publish, jobs), states=OVER)
            told[id_] = str(new.id) if new else _why_not(id_, settings)
    return told


def over(wanted: Wanted, settings: Settings) -> list[UUID]:
    """
    Return the jobs that are so, the earliest first.

    Without those that were run again, and those of a flow run, which its retry runs again.
    """
    refresh(settings)
    found = list_jobs(open_database(settings.database), wanted, MOST)
    return [job.id for job in found if job.rerun is None and job.flow_run is None]


def _cancel(id_: UUID, settings: Settings) -> str:
    engine = open_database(settings.database)
    before = cancel_job(engine, id_, ("queued", "held"))
    if before is None:
        # Published by another program, and with no worker yet; or a slip of the pen.
        cancel_task_runs([id_], "Cancelled by cancel-jobs")
        return "unknown: cancelled if it comes"
    if before.state == "held":
        return "cancelled"
    if before.state not in OPEN:
        return before.state
    what = cancel_task_runs([before.message], "Cancelled by cancel-jobs")[before.message]
    if before.state == "queued":
        return "cancelled"
    if what != "of a flow run":
        # Should its worker die now, nobody takes it up again.
        cancel_job(engine, id_, ("running",))
    return what


def _anew(
    ids: Iterable[UUID],
    states: tuple[State, ...],
    done: str,
    settings: Settings,
    work_queue: str = "",
) -> dict[UUID, str]:
    engine = open_database(settings.database)
    told: dict[UUID, str] = {}
    with publisher(settings) as jobs:
        for id_ in ids:
            before = publish_anew(
                engine, id_, partial(_publish, jobs), states=states, work_queue=work_queue
            )
            told[id_] = done if before else _why_not(id_, settings)
            if before:
                _leave(before, work_queue)
    return told


def _publish(jobs: JobPublisher, message: UUID, job: StoredJob) -> None:
    publish(jobs, message, job.order, job.id, job.number)


def _leave(before: StoredJob, work_queue: str) -> None:
    """Show the old task run as what it is; if its message is still there, a worker drops it."""
    name = called(before.command, before.payload, before.number)
    if before.state == "held":
        tell(before.message, name, Cancelled(name="Released", message="It goes on as another one"))
        return
    state: PrefectState = Cancelled(name="Moved", message=f"To work queue {work_queue}")
    tell(before.message, name, state)


def _why_not(id_: UUID, settings: Settings) -> str:
    job = read_job(open_database(settings.database), id_)
    if job is None:
        return "unknown"
    return f"again as {job.rerun}" if job.rerun else job.state


def each(told: dict[UUID, str], log: Callable[[str], None]) -> PrefectState[dict[str, str]]:
    """Log what became of jobs, one line each; return a state with the counts and all of it."""
    for id_, what in told.items():
        log(f"{id_}: {what}")
    kinds = Counter(map(_kind, told.values()))
    words = ", ".join(f"{count:,} {what}" for what, count in kinds.items()) or "no jobs"
    return Completed(message=words, data={str(id_): what for id_, what in told.items()})


def _kind(what: str) -> str:
    """Return what became of a job without the id that may be in it."""
    try:
        UUID(what)
    except ValueError:
        return what.partition(" as ")[0]
    return "run again"
