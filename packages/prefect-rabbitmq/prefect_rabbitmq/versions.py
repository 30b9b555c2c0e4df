"""Which version of a task's code a message was made for, and what is done when that has changed."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, TypeVar

from prefect.tasks import Task

T = TypeVar("T", bound=Task[..., Any])

#: What a worker does with a message that was made for another version of the task's code.
OnNewCode = Literal["run", "supersede"]
#: The name of the state of a task run that was not run, since the code had changed.
SUPERSEDED = "Superseded"


def on_new_code(policy: OnNewCode) -> Callable[[T], T]:
    """
    Say what happens to a task's messages that wait while a deploy changes its code.

        @on_new_code("supersede")
        @task
        def price(item: str) -> float: ...

    Args:
        policy: `run`, as without this: run it with the code that the worker has. `supersede`: end
            the task run as `Superseded`; the flow publishes it again, for the new code.
    """

    def mark(task: T) -> T:
        setattr(task, _MARK, policy)
        return task

    return mark


def policy_of(task: Task[..., Any]) -> OnNewCode:
    """Return what `on_new_code` said of a task."""
    policy: OnNewCode = getattr(task, _MARK, "run")
    return policy


def code_version(task: Task[..., Any]) -> str:
    """Return the task's own `version`, or else a hash of its function's source."""
    return task.version or _source_hash(task.fn)


@lru_cache(maxsize=1024)
def _source_hash(function: Callable[..., Any]) -> str:
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        # Made at run time; its byte code changes when its source does.
        code = getattr(function, "__code__", None)
        source = repr(code and (code.co_code, code.co_consts, code.co_names))
    return hashlib.sha256(source.encode()).hexdigest()[:16]


_MARK = "_rabbitmq_on_new_code"
