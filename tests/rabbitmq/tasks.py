"""Tasks that the tests' workers run: their task module, in the worker's process and in ours."""

import asyncio
import dataclasses
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

from prefect import get_run_logger, runtime, task
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task
from pydantic import BaseModel

#: Seconds after which a task that waits for a file gives up.
PATIENCE = 60.0


class OwnError(Exception):
    """An exception of the user's own."""


class Point(BaseModel):
    """A model of the user's own."""

    x: int
    day: date | None = None


@dataclasses.dataclass
class Pair:
    """A record of the user's own."""

    left: int
    right: int


def loose(**options: Any) -> Callable[[Callable[..., Any]], Task[..., Any]]:
    """Make a task that takes anything for a type checker: futures as well."""
    return task(**options)


@loose()
def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


@loose()
async def add_async(a: int, b: int = 0) -> int:
    """Add two numbers, in an event loop."""
    await asyncio.sleep(0)
    return a + b


@loose()
def total(numbers: Any, **more: Any) -> int:
    """Add the numbers anywhere in lists and dictionaries."""
    extra: int = sum(more.values())
    return _total(numbers) + extra


def _total(numbers: Any) -> int:
    if isinstance(numbers, dict):
        numbers = list(numbers.values())
    return sum(map(_total, numbers)) if isinstance(numbers, list | tuple) else int(numbers)


@loose()
def same(value: Any) -> Any:
    """Return what it is given."""
    return value


@loose()
def name_of_type(value: Any) -> str:
    """Say what came."""
    return type(value).__name__


@loose()
def texts(value: Any) -> str:
    """Say what came, in full."""
    return repr(value)


@loose()
def fail(kind: str, message: str = "so it is") -> None:
    """Raise an exception of a name."""
    if kind == "unicode":
        b"\xff".decode()
    if kind == "exit":
        raise SystemExit(message)
    errors: dict[str, type[Exception]] = {
        "own": OwnError,
        "value": ValueError,
        "key": KeyError,
        "zero": ZeroDivisionError,
    }
    raise errors[kind](message)


@loose()
async def fail_async() -> None:
    """Raise in an event loop."""
    await asyncio.sleep(0)
    raise ValueError("so it is")


@loose()
def mark(file: Path, text: str = "x") -> str:
    """Add a line to a file, so that it can be seen how often this has run."""
    return _mark(file, text)


@loose()
def mark_when(file: Path, there: Path, text: str = "x") -> str:
    """Wait until a file is there, then do as `mark`."""
    deadline = time.monotonic() + PATIENCE
    while not there.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(there)
        time.sleep(0.02)
    return _mark(file, text)


def _mark(file: Path, text: str) -> str:
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"{text}\n")
    return text


def _is_lookup(_task: Task[..., Any], _task_run: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), LookupError)


@loose(retries=3, retry_delay_seconds=0, retry_condition_fn=_is_lookup)
def retried(kind: str) -> int:
    """Fail twice, and return how often this has run; only a LookupError is worth it."""
    count: int = runtime.task_run.run_count
    if count < 3:
        fail.fn(kind)
    return count


@loose(timeout_seconds=0.2)
async def endless() -> None:
    """Take longer than it may."""
    await asyncio.sleep(PATIENCE)


@loose(tags=["theirs"], task_run_name="half of {number}")
def half(number: int) -> float:
    """Halve a number."""
    return number / 2


@loose(log_prints=True)
def talk(word: str) -> None:
    """Log and print."""
    get_run_logger().info("logged %s", word)
    print(f"printed {word}")


@loose()
def nested(number: int) -> int:
    """Call another task."""
    return cast("int", add(number, 1))


@loose()
def where() -> dict[str, str | None]:
    """Say which task run of which flow run this is."""
    return {"flow_run": runtime.flow_run.id, "task_run": runtime.task_run.id}


@loose()
def next_day(day: date) -> date:
    """Take and return what JSON has no type for."""
    return day + timedelta(days=1)


@loose()
def moved(point: Point) -> Point:
    """Take and return a model."""
    return Point(x=point.x + 1, day=point.day)


@loose()
def turned(pair: Pair) -> Pair:
    """Take and return a record."""
    return Pair(pair.right, pair.left)


@loose()
def several(numbers: set[int]) -> tuple[int, ...]:
    """Take and return collections that JSON has no type for."""
    return tuple(sorted(numbers))


@loose()
def lock() -> object:
    """Return what cannot be written as JSON."""
    return object()
