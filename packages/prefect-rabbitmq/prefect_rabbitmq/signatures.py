"""What a task's annotations say about values that come as JSON."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from prefect.tasks import Task
from pydantic import PydanticUserError, TypeAdapter, ValidationError

from prefect_rabbitmq.messages import Malformed

_ANY: TypeAdapter[Any] = TypeAdapter(Any)


@lru_cache(maxsize=1024)
def returned(function: Callable[..., Any]) -> TypeAdapter[Any] | None:
    """Return the type of what a function returns, or None where that is not said."""
    return _adapter(_hints(function).get("return", Any), None)


@lru_cache(maxsize=1024)
def _parameters(function: Callable[..., Any]) -> dict[str, TypeAdapter[Any]]:
    hints = _hints(function)
    return {
        name: adapter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        and (adapter := _adapter(hints.get(name, Any), None)) is not None
    }


def fit(task: Task[..., Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """
    Return the parameters as the task's annotations want them, with its defaults.

    Args:
        task: The task that they are for.
        parameters: By name; what `*args` and `**kwargs` take under the names of these.

    Raises:
        Malformed: They do not fit the task's signature.
    """
    signature = inspect.signature(task.fn)
    kinds = {parameter.kind: name for name, parameter in signature.parameters.items()}
    rest, named = kinds.get(inspect.Parameter.VAR_POSITIONAL, ""), dict(parameters)
    more = {rest: named.pop(rest)} if rest in named else {}
    others = named.pop(kinds.get(inspect.Parameter.VAR_KEYWORD, ""), {})
    try:
        bound = signature.bind(**named, **others)
    except TypeError as error:
        raise Malformed(f"the parameters do not fit {task.name}: {error}") from None
    adapters = _parameters(task.fn)
    for name in bound.arguments.keys() & adapters.keys():
        bound.arguments[name] = _validated(task, name, adapters[name], bound.arguments[name])
    bound.apply_defaults()
    return bound.arguments | more


def _validated(task: Task[..., Any], name: str, adapter: TypeAdapter[Any], value: Any) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in (name, *first["loc"]))
        message = f"the parameters do not fit {task.name}: {where}: {first['msg']}"
        raise Malformed(message) from None


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):
        # Names that only a type checker knows.
        return {}


def _adapter(kind: Any, otherwise: TypeAdapter[Any] | None) -> TypeAdapter[Any] | None:
    if kind is Any or kind is None:
        return otherwise
    try:
        return TypeAdapter(kind)
    except PydanticUserError:
        # A type that pydantic has no idea of.
        return otherwise
