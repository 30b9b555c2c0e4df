"""A work pool, a database and a broker for jobs; workers on demand; and what became of the jobs."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import TaskRun
from prefect.exceptions import ObjectNotFound
from prefect_rabbitmq.connections import opened_channel
from prefect_rabbitmq.credentials import RabbitMQCredentials
from prefect_rabbitmq.topology import declare_pool
from pydantic import SecretStr

from database.engine import open_database
from database.jobs import StoredJob, Wanted, list_jobs, read_job
from deployments.pool import TASK_MODULES
from tasks.broker import WORK_POOL
from tasks.jobs.emit import emit, ordered
from tasks.settings import Settings
from tests.services.marks import VARIABLE, Mark, read_marks
from tests.services.prefect import PrefectServer, running_prefect_worker, working_off
from tests.services.processes import Server

LAB = Path(__file__).parent / "lab"
ROOT = Path(__file__).parents[2]
#: The longest wait for anything, on a busy machine.
PATIENCE_SECONDS = 90.0


@dataclass(kw_only=True)
class Yard:
    """All that jobs need but workers."""

    prefect: PrefectServer
    amqp_url: str
    database_url: str
    directory: Path
    client: SyncPrefectClient
    _logs: list[Path] = field(default_factory=list)

    # --- what runs --------------------------------------------------------------

    @property
    def variables(self) -> dict[str, str]:
        """What tells our own code, here and in workers, where all of it is."""
        return {
            "ROLLCALL_AMQP_URL": self.amqp_url,
            "ROLLCALL_DATABASE_URL": self.database_url,
            "ROLLCALL_HOME": str(self.directory),
            VARIABLE: str(self.directory / "marks"),
        }

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a worker."""
        ours = {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{LAB}",
            "PREFECT_RABBITMQ_URL": self.amqp_url,
            "PREFECT_RABBITMQ_TASK_MODULES": ",".join(TASK_MODULES),
            "PREFECT_WORKER_HEARTBEAT_SECONDS": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }
        return {**self.prefect.environment, **ours, **self.variables, **more}

    @contextlib.contextmanager
    def worker(self, name: str, *work_queues: str, **environment: str) -> Iterator[Server]:
        """Run a worker: of these work queues, or of all."""
        prefect = replace(self.prefect, environment=self.environment(**environment))
        self._logs.append(self.directory / f"{name}.log")
        options = _of(work_queues)
        with running_prefect_worker(
            prefect, self.directory, pool=WORK_POOL, name=name, kind="rabbitmq", options=options
        ) as worker:
            yield worker

    def once(self, name: str, *work_queues: str) -> contextlib.AbstractContextManager[Server]:
        """Run a worker that works its queues off and exits."""
        prefect = replace(self.prefect, environment=self.environment())
        self._logs.append(self.directory / f"{name}.log")
        options = _of(work_queues)
        return working_off(prefect, self.directory, pool=WORK_POOL, name=name, options=options)

    def make_queue(self, work_queue: str, limit: int | None = None) -> None:
        """Make a work queue, on Prefect's server and in RabbitMQ."""
        with self.api() as client:
            client.create_work_queue(work_queue, work_pool_name=WORK_POOL, concurrency_limit=limit)
        self.declare(work_queue)

    def declare(self, *work_queues: str) -> None:
        """Make the queues of work queues in RabbitMQ."""
        credentials = RabbitMQCredentials(url=SecretStr(self.amqp_url))
        with opened_channel(credentials.connect("tests"), credentials.address) as channel:
            declare_pool(channel, WORK_POOL, work_queues)

    # --- jobs -------------------------------------------------------------------

    def emit(self, command: str = "lab", work_queue: str = "default", **payload: Any) -> UUID:
        """Put a job on a work queue; returns its id."""
        return self.emit_all([payload], command, work_queue)[0]

    def emit_all(
        self, payloads: Sequence[Any], command: str = "lab", work_queue: str = "default"
    ) -> list[UUID]:
        """Put jobs on a work queue; returns their ids."""
        orders = [(uuid4(), ordered(command, payload, work_queue)) for payload in payloads]
        emit(orders, Settings())
        return [id_ for id_, _ in orders]

    def job(self, id_: UUID) -> StoredJob:
        """Return a job."""
        found = read_job(open_database(self.database_url), id_)
        assert found is not None
        return found

    def jobs(self, work_queue: str) -> list[StoredJob]:
        """Return the jobs of a group, by their numbers."""
        found = list_jobs(open_database(self.database_url), Wanted(work_queue=work_queue))
        return sorted(found, key=lambda job: job.number)

    def until(self, id_: UUID, state: str) -> StoredJob:
        """Wait until a job is in a state."""
        self.wait(lambda: self.job(id_).state == state)
        return self.job(id_)

    def shown(self, task_run: UUID) -> TaskRun | None:
        """Return a task run as Prefect's server knows it."""
        with self.api() as client:
            try:
                return client.read_task_run(task_run)
            except ObjectNotFound:
                return None

    def shows(self, task_run: UUID, state: str) -> TaskRun:
        """Wait until Prefect's server shows a state."""

        def is_so() -> bool:
            run = self.shown(task_run)
            return run is not None and run.state is not None and run.state.name == state

        self.wait(is_so)
        run = self.shown(task_run)
        assert run is not None
        return run

    def api(self) -> contextlib.AbstractContextManager[SyncPrefectClient]:
        """Give a client for the Prefect server; it is kept, as to make one takes long."""
        return contextlib.nullcontext(self.client)

    # --- what happened ------------------------------------------------------------

    def gate(self, name: str) -> str:
        """Return the file that a job is to hold for."""
        return str(self.directory / name)

    def open(self, gate: str) -> None:
        """Let the jobs end that hold for a gate."""
        (self.directory / gate).touch()

    def marks(self, what: str = "", beginning: str = "") -> list[Mark]:
        """Return what the jobs have written."""
        marks = read_marks(self.directory / "marks")
        return [m for m in marks if what in {"", m.what} and m.key.startswith(beginning)]

    def keys(self, what: str, beginning: str = "") -> list[str]:
        """Return whom something happened to, in this order."""
        return [mark.key for mark in self.marks(what, beginning)]

    def wait(self, ready: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until something is so; else fail with the logs of the workers."""
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                logs = [f"--- {log}\n{log.read_text()[-4000:]}" for log in self._logs[-4:]]
                raise AssertionError("\n".join([*logs, *map(str, self.marks()[-30:])]))
            time.sleep(0.1)


def _of(work_queues: Sequence[str]) -> list[str]:
    return [word for queue in work_queues for word in ("--work-queue", queue)]
