"""Which failures of a task are worth another try."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

#: What Prefect asks after a failure: `retry_condition_fn` of a task.
Condition = Callable[[Task[..., Any], TaskRun, State[Any]], Awaitable[bool]]


def on(*kinds: type[Exception]) -> Condition:
    """Return the condition that a task has raised one of these."""

    async def has_raised(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
        return isinstance(await state.aresult(raise_on_failure=False), kinds)

    return has_raised
