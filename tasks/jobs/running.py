"""Running a job that was taken, and writing down what it has come to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NoReturn

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed
from pydantic_core import to_json

from commands.command import Command, FollowUp, Outcome
from commands.errors import CommandError
from commands.registry import make
from commands.version import command_version
from database.engine import open_database
from database.job_life import end_job
from database.jobs import State as JobState
from database.jobs import StoredJob
from tasks.errors import InputError
from tasks.jobs.attempt import TryAgain, failed, patiently, pause, try_once
from tasks.jobs.emit import adding, follow_ups, publisher
from tasks.settings import Settings

#: Most characters of an answer in the message of a state.
MOST_ANSWER = 400


class JobFailed(Exception):
    """A job has failed for good; the text says why."""


def run_job(job: StoredJob, settings: Settings, *, tries: int) -> State[Any]:
    """
    Run a job, and store its end.

    Args:
        job: Taken by this worker.
        settings: Of this process.
        tries: The number of this try, from 1.

    Returns:
        The state that it ends with.

    Raises:
        JobFailed: It has failed for good.
        TryAgain: Another try may do better; its time has come.
    """
    logger = get_run_logger()
    logger.info("%s #%d, try %d, on %s", job.work_queue, job.number, job.attempts, job.worker)
    try:
        return _run(job, settings, tries)
    except (TryAgain, JobFailed):
        raise
    except (CommandError, InputError) as error:
        _fail(job, settings, Outcome(status="error", error=str(error)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the row must not say "running"
        _fail(job, settings, Outcome(status="error", error=f"{type(error).__name__}: {error}"))


def _run(job: StoredJob, settings: Settings, tries: int) -> State[Any]:
    command = make(job.command, {}, settings.environment(second_pass=False))
    if state := _outdated(job, command, settings):
        return state
    outcome = _outcome(job, command, tries)
    if failed(command, outcome):
        _fail(job, settings, outcome)
    return _complete(job, outcome, settings)


def _outdated(job: StoredJob, command: Command[Any, Any], settings: Settings) -> State[Any] | None:
    """Return the state of a job that was made for other code, if the command does not run it."""
    version = command_version(type(command))
    if job.version in {None, version} or command.on_new_code == "run":
        return None
    held = command.on_new_code == "hold"
    _end(settings, job, "held" if held else "superseded")
    what = f"The code of {job.command} has changed since the job was emitted"
    if held:
        return Cancelled(name="Held", message=f"{what}: let it go on with release-jobs")
    return Cancelled(name="Superseded", message=what)


def _outcome(job: StoredJob, command: Command[Any, Any], tries: int) -> Outcome:
    try:
        return try_once(command, job.payload)
    except TryAgain as error:
        if tries > command.handling.retries:
            return Outcome(status=command.failed_status, error=f"after {tries} tries: {error}")
        seconds = command.handling.pause(tries)
        get_run_logger().warning("Tried again in %.1f s: %s", seconds, error)
        pause(seconds)
        raise


def _fail(job: StoredJob, settings: Settings, outcome: Outcome) -> NoReturn:
    said = _said(outcome) | {"error": outcome.error or outcome.status}
    _end(settings, job, "failed", **said)
    raise JobFailed(said["error"])


def _complete(job: StoredJob, outcome: Outcome, settings: Settings) -> State[Any]:
    said = _said(outcome)
    _end(settings, job, "completed", outcome.jobs, **said)
    about = {"job": str(job.id), "group": job.work_queue, "number": job.number}
    words = f"{outcome.status}: {json.dumps(said['answer'], ensure_ascii=False)}"[:MOST_ANSWER]
    get_run_logger().info("%s", words)
    return Completed(message=words, data={**about, **said})


def _end(
    settings: Settings,
    job: StoredJob,
    state: JobState,
    jobs: Sequence[FollowUp] = (),
    **said: Any,
) -> None:
    """
    Store the end, and emit what follows, both or none of them.

    What was done must not be done again because a database or a broker restarts: so it waits.
    """
    orders = follow_ups(job.id, jobs)
    if said.get("error"):
        # PostgreSQL has no text with that character.
        said["error"] = said["error"].replace("\0", "\ufffd")

    def store() -> None:
        with publisher(settings) if orders else nullcontext() as channel:
            also = adding(channel, orders) if channel else None
            end_job(open_database(settings.database), job.id, state, also, **said)

    patiently(store)


def _said(outcome: Outcome) -> dict[str, Any]:
    """Return what a command said, the answer as JSON that can be stored."""
    answer = None if outcome.answer is None else dict(outcome.answer)
    plain = json.loads(to_json(answer, inf_nan_mode="strings", fallback=str))
    return {"status": outcome.status, "error": outcome.error, "answer": plain}
