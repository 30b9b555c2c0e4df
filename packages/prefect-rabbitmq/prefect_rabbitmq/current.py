"""What a task can know of the message that it is run for."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CurrentMessage:
    """A message, as the worker that runs it has it."""

    #: Of the message; one without has got one.
    message_id: str
    #: The work queue that it came from.
    work_queue: str
    #: How often it had been delivered before; more than 0 says that it may have begun elsewhere.
    deliveries: int
    #: The name of the worker.
    worker: str


CURRENT: ContextVar[CurrentMessage | None] = ContextVar("prefect_rabbitmq_message", default=None)


def current_message() -> CurrentMessage | None:
    """Return the message that the calling task is run for; None outside of a worker."""
    return CURRENT.get()
