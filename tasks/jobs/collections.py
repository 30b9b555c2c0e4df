"""Chains and batches: several jobs as one flow run, with what is to follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from tasks.errors import InputError
from tasks.jobs.orders import JobOrder, orders_of
from tasks.jobs.steps import Steps, Submit, ended, jobs_to
from tasks.jobs.words import called
from tasks.settings import Settings

#: Jobs of a batch that are on their work queue at once: other groups' jobs come in between, and
#: after a failure so many are done all the same.
AT_ONCE = 100
#: Most jobs: each is a task run, of which Prefect's server records some 230 a second.
MOST_JOBS = 10_000


def run_chain(jobs: Sequence[JobOrder], work_queue: str, settings: Settings) -> State[Any]:
    """
    Run jobs one after the other, each only after the one before has succeeded.

    Returns:
        The state of the chain.

    Raises:
        InputError: There are no jobs, or too many.
        CommandError: A command is not installed; nothing was begun.
    """
    _look_at(jobs, work_queue)
    with jobs_to(work_queue, settings) as submit:
        steps = Steps(jobs, submit, settings)
        steps.run(1, to_the_end=False)
    return _ended(steps, "chain")


def run_batch(
    jobs: Sequence[JobOrder],
    callbacks: dict[str, JobOrder | None],
    work_queue: str,
    settings: Settings,
    *,
    allow_failures: bool,
) -> State[Any]:
    """
    Run jobs at once, then those that are to follow.

    Args:
        jobs: They are begun in this order.
        callbacks: `then`: when all have succeeded; `catch`: when one has not; `finally`: at the
            end. One without a payload is given what became of the batch.
        work_queue: Of all of them.
        settings: Of this process.
        allow_failures: Go on after a failure, and do not fail because of it.

    Raises:
        InputError: There are no jobs, or too many.
        CommandError: A command is not installed; nothing was begun.
    """
    following = [order for order in callbacks.values() if order is not None]
    _look_at(jobs, work_queue)
    orders_of(following, work_queue)
    with jobs_to(work_queue, settings) as submit:
        steps = Steps(jobs, submit, settings)
        steps.run(AT_ONCE, to_the_end=allow_failures)
        state = _ended(steps, "batch", allow_failures=allow_failures)
        names = ["catch" if steps.failed else "then", "finally"]
        broken = [
            name
            for place, name in enumerate(callbacks, start=len(jobs))
            if name in names
            and place not in steps.done
            and not _follow(callbacks[name], place, state, submit)
        ]
    if broken:
        return Failed(message=f"{state.message}; failed: {', '.join(broken)}", data=state.data)
    return state


def _look_at(jobs: Sequence[JobOrder], work_queue: str) -> None:
    if not 0 < len(jobs) <= MOST_JOBS:
        raise InputError(f"{len(jobs):,} jobs: name one to {MOST_JOBS:,}")
    orders_of(jobs, work_queue)


def _follow(order: JobOrder | None, place: int, state: State[Any], submit: Submit) -> bool:
    """Run a job that follows, under its place behind the others; returns whether it went well."""
    if order is None:
        return True
    if order.payload is None:
        order = order.model_copy(update={"payload": state.data})
    return ended(order, submit(order, place)).completed


def _ended(steps: Steps, what: str, *, allow_failures: bool = False) -> State[Any]:
    counts = {
        "jobs": len(steps.steps),
        "completed": sum(step.completed for step in steps.steps),
        "failed": len(steps.failed),
        "not begun": sum(step.state is None for step in steps.steps),
    }
    _show(steps, what)
    data = {what: flow_run.id, **counts}
    words = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    if not steps.failed:
        return Completed(message=words, data=data)
    first = steps.failed[0]
    reason = f"{called(first.order.command, first.order.payload)}: {first.said or first.state}"
    get_run_logger().warning("The first that failed: %s", reason)
    if allow_failures:
        return Completed(message=f"{words}. {reason}", data=data)
    return Failed(message=f"{words}. {reason}", data=data)


def _show(steps: Steps, what: str) -> None:
    rows = [
        {
            "number": number,
            "job": called(step.order.command, step.order.payload),
            "state": step.state or "not begun",
            "said": step.said,
        }
        for number, step in enumerate(steps.steps, start=1)
    ]
    create_table_artifact(rows[:1_000], key=what, description=f"The jobs of this {what}")
