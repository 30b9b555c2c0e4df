"""The worker of a RabbitMQ work pool: runs its flow runs, and the tasks that its messages name."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import anyio.abc
import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, WorkQueue
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.exceptions import PrefectException
from prefect.workers.process import (
    ProcessJobConfiguration,
    ProcessVariables,
    ProcessWorker,
    ProcessWorkerResult,
)
from pydantic import Field

from prefect_rabbitmq.consumer import Consumer
from prefect_rabbitmq.credentials import VARIABLE, RabbitMQCredentials
from prefect_rabbitmq.events import keep_events
from prefect_rabbitmq.lane import Source
from prefect_rabbitmq.link import Link
from prefect_rabbitmq.settings import Limits, WrongSetting, limits_of, template_credentials

#: Seconds that running tasks get to finish when the worker is told to stop.
GRACE_SECONDS = 30.0
#: Seconds that the processes of flow runs get to tell Prefect that they are ended.
CRASH_SECONDS = 10.0
#: Whether Prefect serves metrics.
METRICS_VARIABLE = "PREFECT_CLIENT_METRICS_ENABLED"


class RabbitMQJobConfiguration(ProcessJobConfiguration):
    """How a flow run's process is started. Its task runner finds the credentials by itself."""

    def prepare_for_flow_run(self, flow_run: FlowRun, *more: Any, **named: Any) -> None:
        """Take away what is the worker's own."""
        # The port for metrics is the worker's; a flow run that wants it too would not start.
        metrics = self.env.get(METRICS_VARIABLE, "false")
        super().prepare_for_flow_run(flow_run, *more, **named)
        self.env[METRICS_VARIABLE] = metrics


class RabbitMQVariables(ProcessVariables, Limits):
    """The variables of the base job template."""

    credentials: RabbitMQCredentials | None = Field(
        default=None,
        description=f"Where RabbitMQ is. A worker's environment variable {VARIABLE} wins.",
    )


class RabbitMQWorker(ProcessWorker):
    """
    Runs flow runs as processes, as Prefect's process worker does, and takes messages from the
    RabbitMQ queues of the pool's work queues. What Prefect's UI says about these (paused, priority,
    concurrency limit) holds for the messages too, from the next heartbeat on.
    """

    type = "rabbitmq"
    job_configuration = RabbitMQJobConfiguration
    job_configuration_variables = RabbitMQVariables  # type: ignore[assignment]

    _display_name = "RabbitMQ"
    _description = (
        "Execute flow runs as subprocesses, and their tasks on any number of workers that are fed"
        " by RabbitMQ. Needs a RabbitMQ broker."
    )
    _documentation_url = "https://www.rabbitmq.com/docs"
    _logo_url = "https://github.com/rabbitmq.png?size=200"

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """See Prefect's `BaseWorker`."""
        super().__init__(*arguments, **named)
        self._consumer: Consumer | None = None
        self._link: Link | None = None
        self._main: asyncio.Task[Any] | None = None
        #: Its flow runs. One that is retried may be here twice, while its first process ends.
        self._flow_runs: set[_Started] = set()
        self._exhausted = ""
        self._warned = ""
        self._runs_once = False

    async def start(
        self,
        run_once: bool = False,  # noqa: FBT001, FBT002 - Prefect's signature
        with_healthcheck: bool = False,  # noqa: FBT001, FBT002
        printer: Callable[..., None] = print,
    ) -> None:
        """Work until told to stop, or until a limit of the pool is reached."""
        keep_events()
        self._main, self._runs_once = asyncio.current_task(), run_once
        try:
            await super().start(run_once, with_healthcheck, printer)
        except asyncio.CancelledError:
            if not self._exhausted:
                raise
            printer(f"Worker {self.name!r} stopped: {self._exhausted}")

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Run a flow run as a process."""
        started = _Started(task_status or anyio.TASK_STATUS_IGNORED)
        self._flow_runs.add(started)
        try:
            return await super().run(flow_run, configuration, started)
        finally:
            self._flow_runs.remove(started)

    async def sync_with_backend(self) -> None:
        """Send a heartbeat, and learn what the UI says now."""
        await super().sync_with_backend()
        if self._work_pool is None:
            return
        queues = await self.client.read_work_queues(work_pool_name=self._work_pool_name, limit=200)
        try:
            await self._configure(queues)
        except (WrongSetting, ValueError) as error:
            # Mended in the UI, it is right at the next heartbeat.
            self._warn(str(error))

    async def teardown(self, *exc_info: Any) -> None:
        """Finish what runs, within a time, and give back the rest."""
        try:
            if self._runs_once and exc_info[0] is None:
                await self._work_off()
        finally:
            with anyio.CancelScope(shield=True):
                await self._stop_consuming()
                await self._stop_flow_runs()
            await super().teardown(*exc_info)

    async def _get_scheduled_flow_runs(self) -> list[WorkerFlowRunResponse]:
        # After a limit, others run what comes.
        if self._consumer is not None and self._consumer.limit_reached:
            return []
        return await super()._get_scheduled_flow_runs()

    async def _propose_crashed_state(
        self, flow_run: FlowRun, message: str, client: PrefectClient | None = None
    ) -> None:
        # Prefect's runner has told it some seconds ago, and the run may have been retried since: by
        # an automation at once. Then Prefect's worker would end the retry before it begins.
        if not await self._is_retried(flow_run):
            await super()._propose_crashed_state(flow_run, message, client)

    async def _is_retried(self, before: FlowRun) -> bool:
        """Say whether an attempt of a flow run, as it was before that, is followed by another."""
        try:
            now = await self.client.read_flow_run(before.id)
        except (httpx.HTTPError, PrefectException):
            return False
        attempts = now.run_count - before.run_count
        waits = now.state is not None and (now.state.is_scheduled() or now.state.is_pending())
        return attempts > 1 or (attempts == 1 and waits)

    async def _configure(self, queues: list[WorkQueue]) -> None:
        template = self.work_pool.base_job_template
        limits = limits_of(template)
        if self._consumer is None:
            await self._connect(template)
        if self._consumer is not None and self._link is not None:
            self._link.call(self._consumer.configure, self._sources(queues), limits)

    async def _connect(self, template: dict[str, Any]) -> None:
        credentials = await asyncio.to_thread(template_credentials, template)
        if credentials is None:
            self._warn(
                f"No credentials for RabbitMQ: set {VARIABLE}, or choose a block in the work pool"
                f" {self._work_pool_name!r}. Flow runs are run, messages are not taken."
            )
            return
        hosts = credentials.parameters(f"prefect worker {self.name}")
        loop = asyncio.get_running_loop()
        self._consumer = Consumer(
            self._work_pool_name,
            self.name,
            lambda reason: asyncio.run_coroutine_threadsafe(self._limit_reached(reason), loop),
            lambda: bool(self._flow_runs or self._submitting_flow_run_ids),
        )
        self._link = Link(hosts, credentials.address, self._consumer)
        self._consumer.begin(self._link)

    def _sources(self, queues: list[WorkQueue]) -> list[Source]:
        if self.work_pool.is_paused:
            return []
        return [
            Source(queue.name, queue.priority or 1, queue.concurrency_limit)
            for queue in queues
            # Prefect takes a limit of 0 for one that lets nothing through.
            if not queue.is_paused
            and queue.concurrency_limit != 0
            and (not self._work_queues or queue.name in self._work_queues)
        ]

    def _warn(self, text: str) -> None:
        """Say something once, not with every heartbeat."""
        if text != self._warned:
            self._warned = text
            self._logger.warning("%s", text)

    async def _limit_reached(self, reason: str) -> None:
        if self._exhausted or self._consumer is None:
            return
        self._exhausted = reason
        if self._main is not None:
            self._main.cancel()

    async def _work_off(self) -> None:
        """Work until there is nothing left: neither messages nor flow runs that may bring some."""
        if self._consumer is None or self._link is None:
            return
        loop, empty = asyncio.get_running_loop(), asyncio.Event()
        self._link.call(self._consumer.work_off, lambda: loop.call_soon_threadsafe(empty.set))
        await empty.wait()

    async def _stop_consuming(self) -> None:
        if self._consumer is None or self._link is None:
            return
        consumer, link = self._consumer, self._link
        self._consumer = self._link = None
        link.call(consumer.give_back)
        with anyio.move_on_after(GRACE_SECONDS):
            while not consumer.is_idle:  # noqa: ASYNC110 - it is idle in another thread
                await anyio.sleep(0.05)
        link.call(consumer.abandon)
        await asyncio.to_thread(link.stop)
        await asyncio.to_thread(consumer.close)

    async def _stop_flow_runs(self) -> None:
        """
        Have flow runs end as `Crashed`, so that they can be retried.

        Prefect's own worker kills them, and its server would show them as running for ever.
        """
        for pid in [started.pid for started in self._flow_runs if started.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        with anyio.move_on_after(CRASH_SECONDS):
            while self._flow_runs:  # noqa: ASYNC110 - see above
                await anyio.sleep(0.1)


class _Started(anyio.abc.TaskStatus[int]):
    """Notes the process of a flow run when it has started."""

    def __init__(self, status: anyio.abc.TaskStatus[int]) -> None:
        self._status = status
        #: 0 until then.
        self.pid = 0

    def started(self, value: int | None = None) -> None:
        """Pass on the process id."""
        if value is not None:
            self.pid = value
            self._status.started(value)
