"""
What goes through RabbitMQ, as JSON that any language can write and read.

A message names a task that the worker has registered, and its parameters. It can run nothing else.
"""

from __future__ import annotations

from typing import Any, Self
from uuid import NAMESPACE_OID, UUID, uuid5

from prefect.client.schemas.objects import State, TaskRun
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from prefect_rabbitmq.exceptions import RemoteError, written

#: What `content_type` says.
JSON = "application/json"


#: Bytes of the largest body. RabbitMQ 4 takes no more than 16 MiB, and closes the channel
#: otherwise.
LARGEST = 15_000_000
#: What pydantic writes in place of a secret.
MASKED = b'"**********"'


class Malformed(ValueError):
    """Something that is no message; its text says why, for people."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    def encode(self) -> bytes:
        """
        Return the body; what JSON has no type for is written as pydantic writes it.

        Raises:
            Malformed: A value cannot be written.
        """
        filled = {name: value for name, value in self if value is not None}
        try:
            # JSON has no NaN; where a float is annotated, pydantic reads it from the word.
            body = to_json(filled, inf_nan_mode="strings", fallback=self._otherwise)
        except (PydanticSerializationError, UnicodeError, ValueError) as error:
            raise Malformed(str(error)) from error
        if len(body) > LARGEST:
            raise Malformed(f"{len(body):,} bytes, and a message has {LARGEST:,} at most")
        if MASKED in body:
            raise Malformed("a secret is not sent: give the name of the block that holds it")
        return body

    def _otherwise(self, value: Any) -> Any:
        """Write what neither JSON nor pydantic has a type for, or raise an error."""
        raise TypeError(f"{type(value).__name__} is no type of JSON")

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """
        Read a body.

        Raises:
            Malformed: It is no JSON, or not of this shape.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise Malformed(f"{where}: {first['msg']}" if where else first["msg"]) from None


class Message(_Body):
    """One task, to be run once."""

    model_config = ConfigDict(extra="forbid")

    #: The name of a task that the worker has registered.
    task: str = Field(min_length=1)
    #: Its parameters by name.
    parameters: dict[str, Any] = Field(default_factory=dict)
    #: The task run that it stands for. Without it the worker makes one.
    task_run: TaskRun | None = None
    #: Version of the task's code where the message was made.
    code_version: str | None = None

    def _otherwise(self, value: Any) -> Any:
        # With `allow_failure` a task is given the exception of another one.
        return written(value) if isinstance(value, BaseException) else super()._otherwise(value)


class Reply(_Body):
    """How a task run ended."""

    #: The final state; its data are beside it.
    state: State[Any]
    #: What the task returned, or a reference into the result storage that holds it.
    result: Any = None
    #: Whether `result` is such a reference.
    stored: bool = False
    #: What the task raised.
    error: RemoteError | None = None
    #: The version of the code that the worker has.
    code_version: str | None = None


def task_run_id(message_id: str) -> UUID:
    """Return the id of the task run that is made for a message that brings none."""
    try:
        return UUID(message_id)
    except ValueError:
        return uuid5(NAMESPACE_OID, message_id)
