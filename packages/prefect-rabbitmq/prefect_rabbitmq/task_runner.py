"""The task runner whose tasks are run by the workers of a work pool."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from prefect.client.schemas.objects import RunInput, State, TaskRun
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Failed, Pending
from prefect.task_engine import _create_task_run_locally
from prefect.task_runners import TaskRunner
from prefect.tasks import Task
from prefect.utilities.engine import emit_task_run_state_change_event

from prefect_rabbitmq.console import outlive_console
from prefect_rabbitmq.credentials import RabbitMQCredentials
from prefect_rabbitmq.dependencies import UpstreamTaskError, futures_in, resolve, when_all_done
from prefect_rabbitmq.events import keep_events
from prefect_rabbitmq.futures import RabbitMQFuture
from prefect_rabbitmq.link import Link
from prefect_rabbitmq.messages import Malformed, Message, Reply
from prefect_rabbitmq.outcomes import state_of
from prefect_rabbitmq.publisher import Outstanding, Publisher
from prefect_rabbitmq.reconciliation import Endings, reconcile
from prefect_rabbitmq.settings import pool_credentials
from prefect_rabbitmq.stored import Storage, Storages
from prefect_rabbitmq.versions import SUPERSEDED, code_version

#: How often a task run that was superseded is published again.
MOST_TRIES = 3


@dataclass(slots=True)
class _Submitted:
    """A task run between its submission and its end."""

    task: Task[..., Any]
    task_run: TaskRun
    future: RabbitMQFuture[Any]
    #: Of the thread that submitted it.
    context: Context
    #: Where its result may be.
    storage: Storage | None
    #: None while it waits for others.
    message: Message | None = None
    tries: int = 0


class RabbitMQTaskRunner(TaskRunner[RabbitMQFuture[Any]]):
    """
    Runs tasks on the workers of a RabbitMQ work pool.

        @flow(task_runner=RabbitMQTaskRunner(work_pool="checks"))
        def check_all(names: list[str]) -> list[int]:
            return check.map(names).result()

    The tasks must be in one of the pool's task modules. Their parameters and results go as JSON;
    types that JSON has not, such as dates and pydantic models, come out as annotated.
    """

    def __init__(
        self,
        work_pool: str,
        work_queue: str = "default",
        credentials: RabbitMQCredentials | None = None,
    ) -> None:
        """
        Prepare; the connection is made with the first task run.

        Args:
            work_pool: The name of the work pool, of type `rabbitmq`.
            work_queue: The work queue that its task runs wait in.
            credentials: Of RabbitMQ. Default: the environment variable PREFECT_RABBITMQ_URL, or
                else the block that the work pool names.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._work_pool = work_pool
        self._work_queue = work_queue
        self._credentials = credentials
        #: Those that have not ended, by the ids of their messages.
        self._submitted: dict[str, _Submitted] = {}
        self._endings = Endings()
        self._storages = Storages()
        self._publisher: Publisher | None = None
        self._resolver: ThreadPoolExecutor | None = None

    def duplicate(self) -> Self:
        """Return a runner with the same settings, that has not started."""
        return type(self)(self._work_pool, self._work_queue, self._credentials)

    def on_queue(self, work_queue: str) -> Self:
        """Return a runner that has not started, for another work queue."""
        return type(self)(self._work_pool, work_queue, self._credentials)

    def submit(
        self,
        task: Task[..., Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> RabbitMQFuture[Any]:
        """
        Publish a task run, now or once all that it depends on is done.

        Args:
            task: The task; a worker of the pool must know it by its name.
            parameters: Its parameters; futures anywhere in them are replaced by their results.
            wait_for: Futures that must have completed before.
            dependencies: Task runs that the parameters came from, where that cannot be seen.

        Raises:
            RuntimeError: The runner has not started.
        """
        if not self._started:
            raise RuntimeError("The task runner must be started before submitting work.")
        self._publisher = self._publisher or self._connect()
        futures = futures_in(parameters, wait_for)
        submitted = self._create(task, parameters, wait_for, dependencies, named=not futures)
        waits_for = [future for future in futures if not _done(future)]
        if waits_for:
            self._resolver = self._resolver or ThreadPoolExecutor(1, "rabbitmq-resolver")
            when_all_done(waits_for, lambda: self._publish_later(submitted, parameters, wait_for))
        else:
            self._publish(submitted, parameters, wait_for)
        return submitted.future

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop: what nobody has waited for is cancelled, here and by the workers."""
        if self._resolver is not None:
            self._resolver.shutdown(wait=False, cancel_futures=True)
        if self._publisher is not None:
            self._publisher.close()
        # Also for what was never published: nobody else would end it.
        for submitted in list(self._submitted.values()):
            self._end_here(submitted, Cancelled(message="Nobody waited for it"))
        # Whoever is being cancelled has no time for this, and needs it less.
        if exc_type is None or issubclass(exc_type, Exception):
            reconcile(self._endings)
        super().__exit__(exc_type, exc_value, traceback)

    def _connect(self) -> Publisher:
        credentials = self._credentials or pool_credentials(self._work_pool)
        keep_events()
        outlive_console()
        publisher = Publisher(self._work_pool, self._answered)
        hosts = credentials.parameters(f"prefect flow of pool {self._work_pool}")
        publisher.begin(Link(hosts, credentials.address, publisher))
        return publisher

    def _create(
        self,
        task: Task[..., Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None,
        dependencies: dict[str, set[RunInput]] | None,
        *,
        named: bool,
    ) -> _Submitted:
        # Prefect's public Task.create_local_run makes an HTTP client for each task run.
        task_run = _create_task_run_locally(
            task, parameters=parameters, wait_for=wait_for, extra_task_inputs=dependencies
        )
        if named and isinstance(task.task_run_name, str):
            # So that it has its name while it waits; a wrong template fails where it is run.
            with suppress(LookupError, ValueError, AttributeError):
                task_run.name = task.task_run_name.format(**parameters)
        flow_context = FlowRunContext.get()
        if flow_context and (flow_run := flow_context.flow_run):
            # So that workers know the task runs of an earlier attempt of the flow run.
            task_run.flow_run_run_count = flow_run.run_count
            self._endings.flow_run = flow_run
        emit_task_run_state_change_event(task_run, None, task_run.state or Pending())
        future: RabbitMQFuture[Any] = RabbitMQFuture(task_run.id)
        storage = self._storages.of(task)
        submitted = _Submitted(task, task_run, future, copy_context(), storage)
        self._submitted[str(task_run.id)] = submitted
        return submitted

    def _publish_later(
        self, submitted: _Submitted, parameters: dict[str, Any], wait_for: Any
    ) -> None:
        # This is the thread of a connection, which has no time.
        run = submitted.context.run
        # After the end of the runner there is nothing to be published any more.
        with suppress(RuntimeError):
            if self._resolver is not None:
                self._resolver.submit(run, self._publish, submitted, parameters, wait_for)

    def _publish(self, submitted: _Submitted, parameters: dict[str, Any], wait_for: Any) -> None:
        task, task_run = submitted.task, submitted.task_run
        try:
            resolved = resolve(task, task_run, parameters, wait_for)
            message = Message(
                task=task.name,
                parameters=resolved,
                task_run=task_run,
                code_version=code_version(task),
            )
            self._hand_over(submitted, message)
        except UpstreamTaskError as error:
            self._end_here(submitted, _unmet(str(error), futures_in(parameters, wait_for)))
        except Malformed as error:
            reason = f"the parameters of {task.name} cannot be written as JSON: {error}"
            self._end_here(submitted, Failed(message=reason, data=TypeError(reason)))
        except Exception as error:
            self.logger.exception("Task run %s cannot be published", task_run.name)
            self._end_here(submitted, Failed(message=str(error), data=error))

    def _hand_over(self, submitted: _Submitted, message: Message) -> None:
        publisher = self._publisher = self._publisher or self._connect()
        outstanding = Outstanding(str(submitted.task_run.id), self._work_queue, message.encode())
        submitted.message = message
        publisher.publish(outstanding)

    def _end_here(self, submitted: _Submitted, state: State[Any]) -> None:
        """End a task run that no worker gets to see."""
        self._submitted.pop(str(submitted.task_run.id), None)
        self._change_state(submitted, state)
        if state.is_final():
            self._endings.add(submitted.task_run.id, state)
        submitted.future.settle(state)

    def _change_state(self, submitted: _Submitted, state: State[Any]) -> None:
        task_run = submitted.task_run
        before = task_run.state
        state.state_details.task_run_id = task_run.id
        state.state_details.flow_run_id = task_run.flow_run_id
        task_run.state, task_run.state_id = state, state.id
        submitted.context.copy().run(emit_task_run_state_change_event, task_run, before, state)

    def _answered(self, message_id: str, body: bytes) -> None:
        submitted = self._submitted.pop(message_id)
        try:
            reply = Reply.decode(body)
            if reply.state.name == SUPERSEDED and submitted.tries < MOST_TRIES:
                self._again(submitted, reply)
                return
            state = submitted.context.copy().run(state_of, reply, submitted.task, submitted.storage)
        except Exception as error:
            # Whatever it is, somebody waits: for ever, if this said nothing.
            self.logger.exception("The reply for %s cannot be read", submitted.task_run.name)
            state = Failed(message=f"Its reply cannot be read: {error}", data=error)
        self._endings.add(submitted.task_run.id, state)
        submitted.future.settle(state)

    def _again(self, submitted: _Submitted, reply: Reply) -> None:
        """Publish a superseded task run for the code that the workers have now."""
        submitted.tries += 1
        self._submitted[str(submitted.task_run.id)] = submitted
        submitted.task_run.state = reply.state
        self._change_state(submitted, Pending(message="Published again for the new code"))
        if submitted.message is not None:
            changed = {"code_version": reply.code_version, "task_run": submitted.task_run}
            self._hand_over(submitted, submitted.message.model_copy(update=changed))


def _done(future: PrefectFuture[Any]) -> bool:
    return isinstance(future, RabbitMQFuture) and future.wrapped_future.done()


def _unmet(reason: str, futures: Iterable[PrefectFuture[Any]]) -> State[Any]:
    """
    Return the state of a task run whose dependencies did not complete.

    Prefect's is not final, so it would wait for ever in the UI; after a cancellation, which a
    worker may notice before the flow does, that would be taken for work that is still to be done.
    """
    if any(future.state.is_cancelled() for future in futures):
        return Cancelled(message=reason)
    return Pending(name="NotReady", message=reason)
