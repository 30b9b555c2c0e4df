"""Running one message as a Prefect task run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from prefect.client.schemas.objects import State, TaskRun
from prefect.context import AsyncClientContext, TaskRunContext
from prefect.results import should_persist_result
from prefect.states import Cancelled, Failed, Pending, exception_to_crashed_state
from prefect.task_engine import run_task_async, run_task_sync
from prefect.tasks import Task
from prefect.utilities.engine import emit_task_run_state_change_event

from prefect_rabbitmq.clients import opened
from prefect_rabbitmq.current import CURRENT, CurrentMessage
from prefect_rabbitmq.exceptions import restored
from prefect_rabbitmq.messages import Malformed, Message, task_run_id
from prefect_rabbitmq.outcomes import reply_of
from prefect_rabbitmq.registry import UnknownTask, load_tasks, task_named
from prefect_rabbitmq.signatures import fit
from prefect_rabbitmq.stored import result_store
from prefect_rabbitmq.versions import SUPERSEDED, code_version, policy_of

#: Most characters of a name that a message may bring to the UI.
NAME_LENGTH = 200


class TaskCancelled(asyncio.CancelledError):
    """Raised in the thread of a task that is to stop."""


@dataclass(frozen=True, slots=True)
class Executed:
    """What became of a message."""

    #: The type of the final state in small letters, or `rejected`.
    outcome: str
    #: The body of the reply.
    reply: bytes = b""
    #: Why it was rejected.
    reason: str = ""


class Executor:
    """Runs messages that name one of the tasks of some modules."""

    def __init__(self, modules: Iterable[str]) -> None:
        """
        Import the modules.

        Raises:
            WrongTaskModule: One cannot be used.
        """
        self._tasks = {name: _settled(task) for name, task in load_tasks(modules).items()}
        self._local = threading.local()
        #: Thread -> what it runs in an event loop.
        self._async: dict[int, asyncio.Task[Any]] = {}
        #: Threads whose message RabbitMQ gives to somebody else, and that are to stop for that.
        self.given_away: set[int] = set()

    def cancel_async(self, thread: int) -> bool:
        """Cancel what a thread runs in its event loop; returns whether it runs something there."""
        if (running := self._async.get(thread)) is None:
            return False
        running.get_loop().call_soon_threadsafe(running.cancel)
        return True

    def run(self, current: CurrentMessage, body: bytes, *, cancelled: bool = False) -> Executed:
        """
        Run a message; whatever it does, this returns, unless the process dies.

        Args:
            current: The message. A task run that is made for it has its id from the message's, so
                that a second delivery is the same task run.
            body: Its body.
            cancelled: Whether it is to be ended without being run.
        """
        self._local.current = current
        CURRENT.set(current)
        try:
            message = Message.decode(body)
            task = task_named(self._tasks, message.task)
            parameters = fit(task, restored(message.parameters, body))
        except (Malformed, UnknownTask) as error:
            return Executed("rejected", reason=str(error))
        version = code_version(task)
        state = self._before(message, version, cancelled=cancelled)
        if state is None:
            new_id = task_run_id(current.message_id)
            state = self._run(task, message.task_run, new_id, parameters)
        return self._executed(task, message, state)

    def _before(self, message: Message, version: str, *, cancelled: bool) -> State[Any] | None:
        """Return the final state of a message that is not run."""
        state: State[Any] | None = None
        if cancelled:
            state = Cancelled()
        elif message.code_version not in {None, version}:
            task = self._tasks[message.task]
            if policy_of(task) == "supersede":
                state = Cancelled(name=SUPERSEDED, message="The code of the task has changed")
        if state is not None and message.task_run is not None:
            end_task_run(message.task_run, state)
        return state

    def _run(
        self, task: Task[..., Any], task_run: TaskRun | None, new_id: UUID, parameters: Any
    ) -> State[Any]:
        told: dict[str, Any] = {
            "task": task,
            "task_run": task_run,
            "task_run_id": None if task_run else new_id,
            "parameters": parameters,
            "return_type": "state",
        }
        try:
            if task.isasync:
                return self._runner().run(self._run_async(told))
            return cast("State[Any]", run_task_sync(**told))
        except asyncio.CancelledError:
            return self._stopped(task_run, outside_task_run(new_id, task.name))
        except BaseException as error:  # noqa: BLE001
            # SystemExit and the like end the task run, not the thread.
            return asyncio.run(exception_to_crashed_state(error))

    def _stopped(self, task_run: TaskRun | None, outside: TaskRun) -> State[Any]:
        """Tell of a task run that was stopped; returns its state."""
        state: State[Any] = Cancelled(message="Cancelled while it ran")
        told = state
        alone = task_run is None or task_run.flow_run_id is None
        if alone and threading.get_ident() in self.given_away:
            # Nobody has cancelled it. A worker does not run what Prefect calls cancelled, and so
            # the job would be lost to whoever gets its message next.
            told = Pending(name="Queued", message="Its worker had to give its message back")
        end_task_run(task_run or outside, told)
        return state

    def _executed(self, task: Task[..., Any], message: Message, state: State[Any]) -> Executed:
        reply = reply_of(state, code_version(task))
        try:
            return Executed(state.type.value.lower(), reply.encode())
        except Malformed as error:
            reason = (
                f"what {task.name} returned cannot be written as JSON ({error}): return something"
                " else, or store it with persist_result=True where the flow can read it"
            )
            failed: State[Any] = Failed(message=reason, data=TypeError(reason))
            if message.task_run is not None:
                end_task_run(message.task_run, failed)
            return Executed("failed", reply_of(failed, reply.code_version).encode())

    async def _run_async(self, told: dict[str, Any]) -> State[Any]:
        thread = threading.get_ident()
        # The runner's context is that of the thread's first async task.
        CURRENT.set(self._local.current)
        if current := asyncio.current_task():
            self._async[thread] = current
        try:
            return cast("State[Any]", await run_task_async(**told))
        finally:
            del self._async[thread]

    def _runner(self) -> asyncio.Runner:
        """Return this thread's event loop, with an API client that stays open."""
        if not hasattr(self._local, "runner"):
            runner, stack = asyncio.Runner(), AsyncExitStack()
            opened(lambda: runner.run(stack.enter_async_context(AsyncClientContext())))
            self._local.runner, self._local.stack = runner, stack
        made: asyncio.Runner = self._local.runner
        return made


def end_task_run(task_run: TaskRun, state: State[Any]) -> None:
    """Tell Prefect that a task run is over, from outside of its engine."""
    before = task_run.state
    state.state_details.task_run_id = task_run.id
    state.state_details.flow_run_id = task_run.flow_run_id
    task_run.state, task_run.state_id = state, state.id
    task_run.state_type, task_run.state_name = state.type, state.name
    # By the context Prefect finds out which flow run the task run is shown under.
    with TaskRunContext.model_construct(task_run=task_run):
        emit_task_run_state_change_event(task_run, before, state)


def outside_task_run(id_: UUID, task: str) -> TaskRun:
    """Return the task run of a message from outside, as far as the message tells."""
    name = task[:NAME_LENGTH]
    return TaskRun(id=id_, name=name, task_key=name, dynamic_key=str(id_), flow_run_id=None)


def _settled(task: Task[..., Any]) -> Task[..., Any]:
    """Settle where a task's results go, and whether; each task run would otherwise ask the API."""
    if task.result_storage is None:
        task.result_storage = result_store(task).result_storage
    if task.persist_result is None:
        task.persist_result = should_persist_result()
    return task
