"""Waiting for what a task run depends on, without a thread for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from prefect.client.schemas.objects import TaskRun
from prefect.exceptions import PrefectException, UpstreamTaskError
from prefect.futures import PrefectFuture
from prefect.tasks import Task
from prefect.utilities.annotations import quote
from prefect.utilities.collections import StopVisiting, visit_collection
from prefect.utilities.engine import resolve_to_final_result

__all__ = ["UpstreamTaskError", "futures_in", "resolve", "when_all_done"]


def futures_in(*expressions: Any) -> list[PrefectFuture[Any]]:
    """Return the futures anywhere in some values; what is quoted is left alone."""
    found: list[PrefectFuture[Any]] = []

    def visit(value: Any, context: dict[str, Any]) -> Any:
        if isinstance(context.get("annotation"), quote):
            raise StopVisiting
        if isinstance(value, PrefectFuture):
            found.append(value)
        return value

    visit_collection(list(expressions), visit_fn=visit, return_data=False, context={})
    return found


def when_all_done(futures: Iterable[PrefectFuture[Any]], function: Callable[[], object]) -> None:
    """Call a function once all of some futures are done; on the thread of the last one."""
    waited_for = list(futures)
    left = len(waited_for)
    lock = threading.Lock()

    def one_done(_future: PrefectFuture[Any]) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            function()

    for future in waited_for:
        future.add_done_callback(one_done)


def resolve(
    task: Task[..., Any], task_run: TaskRun, parameters: dict[str, Any], wait_for: Any
) -> dict[str, Any]:
    """
    Return a task run's parameters with results in place of futures and states.

    Raises:
        UpstreamTaskError: What it depends on did not complete.
        PrefectException: A parameter cannot be looked through.
    """
    resolved = {name: _result(name, value) for name, value in parameters.items()}
    visit_collection(
        wait_for,
        visit_fn=resolve_to_final_result,
        return_data=False,
        max_depth=-1,
        remove_annotations=True,
        context={"current_task_run": task_run, "current_task": task},
    )
    return resolved


def _result(name: str, value: Any) -> Any:
    try:
        return visit_collection(
            value,
            visit_fn=resolve_to_final_result,
            return_data=True,
            max_depth=-1,
            remove_annotations=True,
            context={"parameter_name": name},
        )
    except (UpstreamTaskError, PrefectException):
        raise
    except Exception as error:
        raise PrefectException(f"The parameter {name} cannot be looked through: {error}") from error
