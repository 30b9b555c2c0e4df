"""Final states of task runs, taken apart for a reply and put together from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect._internal.result_records import ResultRecord, ResultRecordMetadata
from prefect.client.schemas.objects import State
from prefect.results import ResultStore, should_persist_result
from prefect.serializers import JSONSerializer
from prefect.tasks import Task
from pydantic import TypeAdapter, ValidationError

from prefect_rabbitmq.exceptions import exception_of, told
from prefect_rabbitmq.messages import Malformed, Reply
from prefect_rabbitmq.signatures import returned


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


def state_of(reply: Reply, task: Task[..., Any]) -> State[Any]:
    """
    Return the final state that a reply tells of, as the task itself would have left it.

    Raises:
        Malformed: It refers to a stored result, but not to one that the task would store. (That may
            be a pickle, if the task's author says so; a reply alone must not be able to.)
    """
    # Data of its own could be a reference to any file.
    state = reply.state.model_copy(update={"data": None})
    if reply.error is not None:
        return state.model_copy(update={"data": exception_of(reply.error)})
    if reply.stored:
        return state.model_copy(update={"data": _stored(reply, task)})
    if state.is_completed():
        return state.model_copy(update={"data": in_memory(_typed(reply.result, returned(task.fn)))})
    return state


def _stored(reply: Reply, task: Task[..., Any]) -> ResultRecordMetadata:
    persists = should_persist_result() if task.persist_result is None else task.persist_result
    if not persists:
        raise Malformed(f"{task.name} stores no results, but its reply refers to one")
    metadata = ResultRecordMetadata.model_validate(reply.result)
    store: Any = ResultStore().update_for_task(task, _sync=True)  # type: ignore[call-arg]
    storage = store.result_storage
    base = getattr(storage, "basepath", None)
    inside = base is None or _is_inside(Path(metadata.storage_key or ""), Path(base))
    block = getattr(storage, "_block_document_id", None)
    if metadata.serializer.type != store.serializer.type or metadata.storage_block_id != block:
        raise Malformed(f"the reply refers to a result that {task.name} has not stored")
    if not inside:
        raise Malformed(f"the reply refers to a file outside of the results of {task.name}")
    return metadata


def _is_inside(path: Path, folder: Path) -> bool:
    root = folder.expanduser().resolve()
    return (root / path.expanduser()).resolve().is_relative_to(root)


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
