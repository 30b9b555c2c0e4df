"""
Jobs of no flow run, as Prefect's server sees them: queued, and cancelled.

Such a job is a task run whose id comes from its message's. Its worker tells the server when it
begins and how it ends; what was before that is told from here.
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterable
from typing import Any, Literal, cast
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Cancelling, Pending

from prefect_rabbitmq.events import keep_events
from prefect_rabbitmq.execution import end_task_run, outside_task_run
from prefect_rabbitmq.task_runs import read_task_runs

__all__ = ["Cancellation", "cancel_jobs", "queued", "tell"]

#: What became of a wish to cancel: it was waiting, or nobody has heard of it yet; it runs, and is
#: being stopped; it had ended; or it belongs to a flow run, which is what has to be cancelled.
Cancellation = Literal["cancelled", "cancelling", "ended", "of a flow run"]


def queued(work_queue: str) -> State[Any]:
    """
    Return the state of a job that waits; made before it is published.

    What the worker tells of it is later then, however soon it begins.
    """
    return Pending(name="Queued", message=f"On work queue {work_queue}")


def tell(task_run: UUID, name: str, state: State[Any]) -> None:
    """
    Tell Prefect's server, in the background, of a job's state; without a server do nothing.

    Args:
        task_run: Its id, as `messages.task_run_id` makes it from the message's.
        name: What the UI calls it.
        state: Made at the time from which it holds.
    """
    if not get_current_settings().api.url:
        return
    keep_events()
    # In a context of no flow run: it would be shown under the one that emits it, and end with that.
    context = contextvars.copy_context()
    context.run(FlowRunContext.__var__.set, cast(Any, None))
    context.run(end_task_run, outside_task_run(task_run, name), state)


def cancel_jobs(task_runs: Iterable[UUID], reason: str = "") -> dict[UUID, Cancellation]:
    """
    Cancel jobs of no flow run: those that wait, and those that run.

    One that waits is not run any more; a worker that holds it ready hears of that within about a
    second, and may begin it until then. One that runs is stopped as soon as its worker has heard.

    Args:
        task_runs: Their task runs' ids.
        reason: Is shown with the state.

    Returns:
        What became of each.

    Raises:
        httpx.HTTPError: The API is away; some may be cancelled.
    """
    ids = list(dict.fromkeys(task_runs))
    with get_client(sync_client=True) as client:
        found = read_task_runs(client, ids)
        return {id_: _cancel(client, id_, found.get(id_), reason) for id_ in ids}


def _cancel(
    client: SyncPrefectClient, id_: UUID, task_run: TaskRun | None, reason: str
) -> Cancellation:
    if task_run is None:
        # Published by a program that knows nothing of Prefect; its worker will ask.
        tell(id_, "cancelled", Cancelled(message=reason or None))
        return "cancelled"
    if task_run.flow_run_id is not None:
        return "of a flow run"
    if task_run.state is not None and task_run.state.is_final():
        return "ended"
    runs = task_run.state is not None and task_run.state.is_running()
    state: State[Any] = Cancelling(message=reason) if runs else Cancelled(message=reason)
    client.set_task_run_state(id_, state, force=True)
    return "cancelling" if runs else "cancelled"
