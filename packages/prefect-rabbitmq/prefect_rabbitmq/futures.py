"""The futures of task runs that are carried out by workers."""

from __future__ import annotations

import concurrent.futures
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.futures import PrefectConcurrentFuture
from prefect.states import Pending
from prefect.utilities.engine import link_state_to_task_run_result

R = TypeVar("R")


class RabbitMQFuture(PrefectConcurrentFuture[R]):
    """
    Stands for a task run that was published.

    It is Prefect's own future of a thread, but for its state, which is known here without asking
    the API.
    """

    def __init__(self, task_run_id: UUID) -> None:
        super().__init__(task_run_id, concurrent.futures.Future())

    @property
    def state(self) -> State[Any]:
        """The final state, or Pending: a worker tells how a task run ended, not how it goes."""
        if self._wrapped_future.done():
            return self._wrapped_future.result()  # type: ignore[return-value]
        return Pending()

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:  # noqa: FBT001, FBT002 - Prefect's signature
        """
        Wait for the task run, and return what it returned.

        Args:
            timeout: Seconds; None waits for ever.
            raise_on_failure: Whether an exception is raised, or returned.

        Raises:
            TimeoutError: It has not ended yet.
            Exception: What the task raised.
        """
        result = super().result(timeout=timeout, raise_on_failure=raise_on_failure)
        # Lets Prefect draw an edge to a task that is given this result later.
        link_state_to_task_run_result(self.state, result)
        return result

    def settle(self, state: State[Any]) -> None:
        """Set the final state."""
        if not self._wrapped_future.done():
            self._wrapped_future.set_result(state)  # type: ignore[arg-type]
