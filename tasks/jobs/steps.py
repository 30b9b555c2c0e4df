"""Jobs that a flow runs and waits for: one after the other, or many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect_rabbitmq import RabbitMQTaskRunner

from database.engine import open_database
from database.jobs import completed_steps
from tasks.broker import WORK_POOL, broker
from tasks.jobs.orders import JobOrder, orders_of
from tasks.jobs.run_command import run_command
from tasks.progress import Progress
from tasks.settings import Settings

#: With these the message of a task run begins that has failed; what counts comes after.
PREFECTS_WORDS = "Task run encountered an exception JobFailed: "
#: Has a job run, as one of the flow run's task runs, at its place among that one's jobs.
Submit = Callable[[JobOrder, int], PrefectFuture[Any]]


@dataclass(frozen=True, slots=True)
class Step:
    """A job of a flow run, and what became of it."""

    order: JobOrder
    #: The name of its final state; None for one that was not begun.
    state: str | None = None
    #: What it came to, or why it failed.
    said: str = ""

    @property
    def completed(self) -> bool:
        """Whether it has succeeded."""
        return self.state == "Completed"


@contextmanager
def jobs_to(work_queue: str, settings: Settings) -> Iterator[Submit]:
    """Give what submits a job; without a broker, to the flow's own process."""
    if settings.amqp_url is None:
        yield lambda order, step: run_command.submit(
            order.command, order.payload, step=step, return_state=False
        )
        return
    with RabbitMQTaskRunner(WORK_POOL, work_queue, broker(settings.amqp_url)) as runner:
        yield lambda order, step: runner.submit(
            run_command, {"command": order.command, "payload": order.payload, "step": step}
        )


class Steps:
    """
    Runs the jobs of a flow run, a bounded number of them at once, in their order.

    A flow run that is retried goes on: what has completed is not done again.
    """

    def __init__(self, orders: Sequence[JobOrder], submit: Submit, settings: Settings) -> None:
        """Prepare."""
        self._submit = submit
        done = completed_steps(open_database(settings.database), UUID(flow_run.id))
        #: Places of jobs that an earlier attempt of the flow run has completed.
        self.done = frozenset(done)
        self.steps = [
            Step(order, "Completed", f"{done[n].status}, before") if n in done else Step(order)
            for n, order in enumerate(orders)
        ]
        self._ended: SimpleQueue[PrefectFuture[Any]] = SimpleQueue()
        self._under_way: dict[PrefectFuture[Any], int] = {}
        before = sum(step.completed for step in self.steps)
        states = {"completed": before} if before else {}
        self._progress = Progress("jobs", max(1, len(orders)), states)

    def run(self, at_once: int, *, to_the_end: bool) -> None:
        """
        Run them.

        Args:
            at_once: At most so many.
            to_the_end: Also after one has failed; otherwise what has not begun then never does.
        """
        waiting = [number for number, step in enumerate(self.steps) if step.state is None]
        waiting.reverse()
        while waiting or self._under_way:
            while waiting and len(self._under_way) < at_once:
                self._begin(waiting.pop())
            step = self._settle(self._ended.get())
            if not step.completed and not to_the_end:
                waiting.clear()
        self._progress.show(at_once=True)

    @property
    def failed(self) -> list[Step]:
        """Those that have ended, but not well."""
        return [step for step in self.steps if step.state is not None and not step.completed]

    def _begin(self, number: int) -> None:
        future = self._submit(self.steps[number].order, number)
        self._under_way[future] = number
        future.add_done_callback(self._ended.put)

    def _settle(self, future: PrefectFuture[Any]) -> Step:
        number = self._under_way.pop(future)
        self.steps[number] = step = ended(self.steps[number].order, future)
        self._progress.add({"completed" if step.completed else "failed": 1})
        return step


def ended(order: JobOrder, future: PrefectFuture[Any]) -> Step:
    """Wait for a job, and return what became of it."""
    future.wait()
    said = (future.state.message or "").removeprefix(PREFECTS_WORDS)
    return Step(order, future.state.name, said)


def run_one(order: JobOrder, work_queue: str, settings: Settings) -> State[Any]:
    """
    Run one job, and wait for it.

    Returns:
        The state that it has ended with.

    Raises:
        CommandError: There is no such command.
    """
    orders_of([order], work_queue)
    # Of a flow run that is retried: it may have been done.
    if done := completed_steps(open_database(settings.database), UUID(flow_run.id)).get(0):
        return Completed(message=f"{done.status}, before", data=done.answer)
    with jobs_to(work_queue, settings) as submit:
        future = submit(order, 0)
        result = future.result(raise_on_failure=False)
    state = future.state
    # A new one: Prefect would make its own words of a task run's that a flow returns.
    data = result if state.is_completed() else None
    return State(type=state.type, name=state.name, message=state.message, data=data)
