"""Final states of task runs, taken apart for a reply and put together from it."""

from __future__ import annotations

from typing import Any

from prefect._internal.result_records import ResultRecord, ResultRecordMetadata
from prefect.client.schemas.objects import State
from prefect.serializers import JSONSerializer
from prefect.tasks import Task
from pydantic import TypeAdapter, ValidationError

from prefect_rabbitmq.exceptions import exception_of, told
from prefect_rabbitmq.messages import Malformed, Reply
from prefect_rabbitmq.signatures import returned
from prefect_rabbitmq.stored import Storage


def reply_of(state: State[Any], code_version: str | None) -> Reply:
    """Return the reply that says how a task run ended; its result is not JSON yet."""
    bare = state.model_copy(update={"data": None})
    data = state.data
    if isinstance(data, ResultRecord):
        if data.is_persisted:
            return Reply(state=bare, result=data.metadata, stored=True, code_version=code_version)
        data = data.result
    if isinstance(data, BaseException):
        return Reply(state=bare, error=told(data), code_version=code_version)
    return Reply(state=bare, result=data, code_version=code_version)


def state_of(reply: Reply, task: Task[..., Any], storage: Storage | None) -> State[Any]:
    """
    Return the final state that a reply tells of, as the task itself would have left it.

    Args:
        reply: The reply.
        task: The task that was run.
        storage: Where it stores its results, if it does.

    Raises:
        Malformed: It refers to a stored result, but not to one that the task would store.
    """
    # Data of its own could be a reference to any file.
    state = reply.state.model_copy(update={"data": None})
    if reply.error is not None:
        return state.model_copy(update={"data": exception_of(reply.error)})
    if reply.stored:
        if storage is None:
            raise Malformed(f"{task.name} stores no results, but its reply refers to one")
        return state.model_copy(update={"data": storage.trust(reply.result)})
    if state.is_completed():
        return state.model_copy(update={"data": in_memory(_typed(reply.result, returned(task.fn)))})
    return state


def in_memory(value: Any) -> ResultRecord[Any]:
    """Return a value as a state holds it that was never stored."""
    metadata = ResultRecordMetadata(storage_key="", serializer=JSONSerializer())
    return ResultRecord(result=value, metadata=metadata)


def _typed(value: Any, returns: TypeAdapter[Any] | None) -> Any:
    if returns is None:
        return value
    try:
        return returns.validate_python(value)
    except ValidationError:
        # An annotation that the task itself does not keep is not our affair.
        return value
