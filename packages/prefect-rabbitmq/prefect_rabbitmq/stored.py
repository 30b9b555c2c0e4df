"""Stored results: what a task stores is looked at before a reply that refers to it is believed."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect._internal.result_records import ResultRecordMetadata
from prefect.context import SyncClientContext
from prefect.exceptions import PrefectException
from prefect.results import ResultStore, should_persist_result
from prefect.tasks import Task

from prefect_rabbitmq.messages import Malformed


@dataclass(frozen=True, slots=True)
class Storage:
    """How and where a task stores its results."""

    serializer: str
    #: The block that is the storage, None for a folder of this machine.
    block: UUID | None
    folder: Path | None

    def trust(self, result: Any) -> ResultRecordMetadata:
        """
        Return a reply's reference to a stored result.

        Raises:
            Malformed: It refers to something else. (What a task stores may be a pickle, if its
                author says so; a reply alone must not be able to name one.)
        """
        metadata = ResultRecordMetadata.model_validate(result)
        same = metadata.serializer.type == self.serializer
        if not same or metadata.storage_block_id != self.block:
            raise Malformed("it refers to a result that its task has not stored")
        if self.folder is not None and not _is_inside(metadata.storage_key or "", self.folder):
            raise Malformed("it refers to a file outside of the results of its task")
        return metadata


class Storages:
    """The storages of the tasks of a flow run; the API is asked once for each."""

    def __init__(self) -> None:
        """Prepare."""
        self._known: dict[tuple[str, str], Storage] = {}

    def of(self, task: Task[..., Any]) -> Storage | None:
        """Return a task's storage; None if it stores nothing."""
        persists = should_persist_result() if task.persist_result is None else task.persist_result
        if not persists:
            return None
        key = (repr(task.result_storage), repr(task.result_serializer))
        if key not in self._known:
            self._known[key] = _storage(result_store(task))
        return self._known[key]


def result_store(task: Task[..., Any]) -> Any:
    """Return Prefect's store for a task's results; where it is may be a matter of the server."""
    with ExitStack() as stack:
        # Else Prefect opens a client, and leaves it open. Without a server it is this machine's.
        with suppress(RuntimeError, httpx.HTTPError, PrefectException):
            stack.enter_context(SyncClientContext.get_or_create())
        return ResultStore().update_for_task(task, _sync=True)  # type: ignore[call-arg]


def _storage(store: Any) -> Storage:
    folder = getattr(store.result_storage, "basepath", None)
    return Storage(
        serializer=store.serializer.type,
        block=getattr(store.result_storage, "_block_document_id", None),
        folder=None if folder is None else Path(folder).expanduser().resolve(),
    )


def _is_inside(key: str, folder: Path) -> bool:
    return (folder / Path(key).expanduser()).resolve().is_relative_to(folder)
