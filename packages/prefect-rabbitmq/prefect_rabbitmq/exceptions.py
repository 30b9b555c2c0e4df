"""
Exceptions that go through RabbitMQ: what a task raised, or what another one is given of it.

They are told, not pickled: a message must not say what code is loaded.
"""

from __future__ import annotations

import builtins
import traceback
from typing import Any

from prefect.task_engine import TaskRunTimeoutError
from prefect.utilities.collections import visit_collection
from pydantic import BaseModel, ConfigDict, ValidationError

#: The only key of an object that stands for an exception among a message's parameters.
KEY = "__exception__"
#: Longest traceback that is told, in characters; the log has it all.
TRACEBACK_LENGTH = 10_000


class RemoteError(BaseModel):
    """An exception that a task raised in a worker."""

    model_config = ConfigDict(frozen=True)

    #: Its class, with the module unless it is a builtin one.
    type: str
    message: str
    traceback: str = ""


class RemoteTaskFailed(Exception):
    """
    What a task raised in a worker, where that was no built-in exception.

    Its class is not imported here: a reply must not say what code is loaded.

    Attributes:
        type: The name of the exception's class, with its module.
        traceback: Its traceback in the worker.
    """

    def __init__(self, error: RemoteError) -> None:
        super().__init__(f"{error.type}: {error.message}" if error.message else error.type)
        self.type = error.type
        self.traceback = error.traceback
        self._error = error


def told(error: BaseException) -> RemoteError:
    """Return what is told of an exception."""
    if isinstance(error, RemoteTaskFailed):
        return error._error  # noqa: SLF001 - it passes through
    kind: type[BaseException] = type(error)
    if kind is TaskRunTimeoutError:
        # Prefect's engine has it for itself; everybody else catches what it is derived from.
        kind = TimeoutError
    name = kind.__qualname__
    lines = "".join(traceback.format_exception(error))[-TRACEBACK_LENGTH:]
    return RemoteError(
        type=name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}",
        message=_text(error),
        traceback=lines,
    )


def exception_of(error: RemoteError) -> Exception:
    """Return a built-in exception as itself, and of others what was told."""
    kind = getattr(builtins, error.type, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(error.message)
        except TypeError:
            # Some, as UnicodeDecodeError, want more than a message.
            pass
    return RemoteTaskFailed(error)


def written(error: BaseException) -> dict[str, Any]:
    """Return what stands for an exception among the parameters of a message."""
    return {KEY: told(error).model_dump()}


def restored(parameters: dict[str, Any], body: bytes) -> dict[str, Any]:
    """
    Return a message's parameters with the exceptions that were written into them.

    Args:
        parameters: As they are in the message.
        body: The message; without exceptions in it, its parameters need not be looked through.
    """
    if f'"{KEY}"'.encode() not in body:
        return parameters
    found: dict[str, Any] = visit_collection(parameters, visit_fn=_restored, return_data=True)
    return found


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {KEY}:
        try:
            return exception_of(RemoteError.model_validate(value[KEY]))
        except ValidationError:
            # It is a parameter that happens to have this key.
            pass
    return value


def _text(error: BaseException) -> str:
    # A KeyError's text is what it was made from, in quotes: made from that, it would have more.
    only = error.args[0] if len(error.args) == 1 else None
    return only if isinstance(error, KeyError) and isinstance(only, str) else str(error)
