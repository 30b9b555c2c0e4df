"""The tasks that messages may name."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from prefect.tasks import Task


class WrongTaskModule(Exception):
    """A task module cannot be used; the text says which, and why."""


class UnknownTask(LookupError):
    """A message names a task that is not registered."""


def load_tasks(modules: Iterable[str]) -> dict[str, Task[..., Any]]:
    """
    Import modules, and return the tasks at their top level, by name: their own, and those of
    modules below them.

    Args:
        modules: Names of modules, as after `import`.

    Raises:
        WrongTaskModule: A module cannot be imported, or two tasks have one name.
    """
    found: dict[str, Task[..., Any]] = {}
    for name in modules:
        for task in _tasks_in(name):
            if found.setdefault(task.name, task).fn is not task.fn:
                raise WrongTaskModule(
                    f"two tasks are called {task.name!r}: give one of them another name,"
                    " since messages name tasks"
                )
    return found


def task_named(tasks: Mapping[str, Task[..., Any]], name: str) -> Task[..., Any]:
    """
    Return the task of a name.

    Raises:
        UnknownTask: There is none.
    """
    if task := tasks.get(name):
        return task
    known = ", ".join(sorted(tasks)) or "none"
    raise UnknownTask(f"unknown task {name!r}; this worker's task modules hold: {known}")


def _tasks_in(module: str) -> list[Task[..., Any]]:
    try:
        imported = importlib.import_module(module)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise WrongTaskModule(f"task module {module!r} cannot be imported: {reason}") from error
    return [
        value
        for value in vars(imported).values()
        # One that was only imported from elsewhere was not meant for everybody.
        if isinstance(value, Task) and f"{value.fn.__module__}.".startswith(f"{module}.")
    ]
