"""Workers of a pool and a virtual host of their own, and what became of the messages to them."""

import contextlib
import json
import logging
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import UUID

import pika
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.exceptions import ObjectNotFound
from prefect_rabbitmq import topology
from prefect_rabbitmq.messages import task_run_id
from prefect_rabbitmq.worker import RabbitMQWorker

from tests.services.marks import VARIABLE, Mark, read_marks
from tests.services.prefect import PrefectServer, running_prefect_worker, working_off
from tests.services.processes import Server, running
from tests.services.rabbitmq import Broker

__all__ = ["Dead", "Plant", "metric", "running_plant"]

ROOT = Path(__file__).resolve().parents[2]
LAB = "tests.rabbitmq.lab"
#: The longest wait for anything, on a busy machine.
PATIENCE_SECONDS = 90.0

# It warns of each look at a queue that is not there yet.
logging.getLogger("pika.channel").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Dead:
    """A dead letter."""

    reason: str
    body: bytes
    headers: dict[str, Any]


@dataclass(kw_only=True)
class Plant:
    """A work pool with a virtual host, and a folder in which its workers run."""

    prefect: PrefectServer
    broker: Broker
    url: str
    pool: str
    directory: Path
    client: SyncPrefectClient
    _dead: dict[str, Dead] = field(default_factory=dict)
    _logs: list[Path] = field(default_factory=list)

    # --- workers --------------------------------------------------------------

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a worker, or of a flow; an empty value is left out."""
        ours = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            VARIABLE: str(self.directory / "marks"),
            "PREFECT_RABBITMQ_URL": self.url,
            "PREFECT_RABBITMQ_TASK_MODULES": LAB,
            "PREFECT_WORKER_HEARTBEAT_SECONDS": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }
        both = {**self.prefect.environment, **ours, **more}
        return {name: value for name, value in both.items() if value}

    @contextlib.contextmanager
    def worker(
        self, name: str, *, queues: tuple[str, ...] = ("default",), **environment: str
    ) -> Iterator[Server]:
        """
        Run a worker.

        Args:
            name: Its name.
            queues: Work queues that somebody takes from before this returns.
            environment: More variables; an empty value takes one away.
        """
        prefect = replace(self.prefect, environment=self.environment(**environment))
        self._logs.append(self.directory / f"{name}.log")
        with running_prefect_worker(
            prefect, self.directory, pool=self.pool, name=name, kind="rabbitmq"
        ) as worker:
            self.wait(lambda: all(self.takers(queue) for queue in queues))
            yield worker

    def once(
        self, name: str, *options: str, **environment: str
    ) -> contextlib.AbstractContextManager[Server]:
        """Run a worker with `--run-once`; see `worker`."""
        prefect = replace(self.prefect, environment=self.environment(**environment))
        self._logs.append(self.directory / f"{name}.log")
        return working_off(prefect, self.directory, pool=self.pool, name=name, options=options)

    @contextlib.contextmanager
    def flow(self, name: str, *arguments: str) -> Iterator[Server]:
        """Run a flow of the lab in a process of its own; see its `main`."""
        command = [sys.executable, "-m", LAB, self.pool, name, *arguments]
        self._logs.append(self.directory / f"{name}.log")
        with running(
            command, directory=self.directory, name=name, environment=self.environment()
        ) as process:
            yield process

    def deploy(self, flow: str, **parameters: Any) -> UUID:
        """Make a deployment of a flow of the lab, and a run of it; returns the run's id."""
        steps = [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}]
        with self.api() as client:
            deployment = client.create_deployment(
                client.create_flow_from_name(flow),
                flow,
                entrypoint=f"tests/rabbitmq/lab.py:{flow}",
                work_pool_name=self.pool,
                pull_steps=steps,
            )
            return client.create_flow_run_from_deployment(deployment, parameters=parameters).id

    def ended(self, flow_run: UUID) -> FlowRun:
        """Wait for the end of a flow run."""
        with self.api() as client:
            final = {"Completed", "Failed", "Crashed", "Cancelled"}
            self.wait(lambda: client.read_flow_run(flow_run).state_name in final)
            return client.read_flow_run(flow_run)

    def choose(self, **variables: Any) -> None:
        """Edit the pool's variables, as its page in the UI does."""
        with self.api() as client:
            template = client.read_work_pool(self.pool).base_job_template
            for name, value in variables.items():
                template["variables"]["properties"][name]["default"] = value
            client.update_work_pool(self.pool, WorkPoolUpdate(base_job_template=template))

    def logs(self) -> str:
        """Return what all workers and flows have written."""
        return "".join(log.read_text() for log in self._logs)

    # --- messages ---------------------------------------------------------------

    def publish(
        self, task: str, *, work_queue: str = "default", message_id: str = "", **parameters: Any
    ) -> str:
        """Publish a message from outside; returns its id."""
        body = json.dumps({"task": task, "parameters": parameters}).encode()
        return self.send(body, work_queue=work_queue, message_id=message_id)

    def send(self, body: bytes, *, work_queue: str = "default", message_id: str = "") -> str:
        """Publish a body as it is; returns its id."""
        message_id = message_id or str(uuid.uuid4())
        properties = pika.BasicProperties(message_id=message_id, delivery_mode=2)
        with self.channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish(self.pool, work_queue, body, properties, mandatory=True)
        return message_id

    @contextlib.contextmanager
    def channel(self) -> Iterator[Any]:
        """Open a channel."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            yield connection.channel()

    def takers(self, work_queue: str = "default") -> int:
        """Count the consumers of a work queue; one that is not declared has none."""
        return self._declared(work_queue)[1]

    def waiting(self, work_queue: str = "default") -> int:
        """Count the messages that no worker holds."""
        return self._declared(work_queue)[0]

    def _declared(self, work_queue: str) -> tuple[int, int]:
        with self.channel() as channel:
            try:
                method = channel.queue_declare(
                    topology.queue_name(self.pool, work_queue), passive=True
                ).method
            except pika.exceptions.ChannelClosedByBroker:
                return 0, 0
            return method.message_count, method.consumer_count

    def dead(self) -> dict[str, Dead]:
        """Return the dead letters so far, by message id."""
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(
                    topology.dead_letters_name(self.pool), auto_ack=True
                )
                if method is None:
                    return self._dead
                headers = properties.headers or {}
                self._dead[properties.message_id] = Dead(headers["x-reason"], body, headers)

    def until_dead(self, message_id: str) -> None:
        """Wait until a message is a dead letter."""
        self.wait(lambda: message_id in self.dead())

    # --- what happened ----------------------------------------------------------

    def marks(self, what: str = "", key: str = "") -> list[Mark]:
        """Return what the tasks have written, all of it or of one kind."""
        marks = read_marks(self.directory / "marks")
        return [mark for mark in marks if what in {"", mark.what} and key in {"", mark.key}]

    def of(self, beginning: str) -> list[Mark]:
        """Return what happened to those whose keys begin so."""
        return [mark for mark in self.marks() if mark.key.startswith(beginning)]

    def keys(self, what: str, beginning: str = "") -> list[str]:
        """Return whom something happened to, in this order."""
        return [mark.key for mark in self.marks(what) if mark.key.startswith(beginning)]

    def until(
        self, what: str, beginning: str, count: int, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Wait until it has happened so often to those whose keys begin so."""
        self.wait(lambda: len(self.keys(what, beginning)) == count, seconds)

    def open(self, gate: str) -> None:
        """Let the tasks end that hold for a gate."""
        (self.directory / gate).touch()

    def gate(self, name: str) -> str:
        """Return the file that tasks are to hold for."""
        return str(self.directory / name)

    def api(self) -> contextlib.AbstractContextManager[SyncPrefectClient]:
        """Give a client for the Prefect server; it is kept, as to make one takes long."""
        return contextlib.nullcontext(self.client)

    def task_run(self, message_id: str) -> TaskRun | None:
        """Return the task run that stands for a message from outside."""
        with self.api() as client:
            try:
                return client.read_task_run(task_run_id(message_id))
            except ObjectNotFound:
                return None

    def state(self, message_id: str) -> str:
        """Return the name of the state of a message's task run, as the server knows it."""
        run = self.task_run(message_id)
        return run.state.name or "" if run and run.state else ""

    def wait(self, ready: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until something is so; else fail with the logs of the workers."""
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                logs = [f"--- {log}\n{log.read_text()[-3000:]}" for log in self._logs[-4:]]
                raise AssertionError("\n".join([*logs, *map(str, self.marks()[-30:])]))
            time.sleep(0.1)


def metric(port: int, name: str) -> float:
    """Return the value of a metric that a worker serves; 0 for one that has none yet."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)


@contextlib.contextmanager
def running_plant(prefect: PrefectServer, broker: Broker, directory: Path) -> Iterator[Plant]:
    """Make a pool and a virtual host."""
    pool = f"lab-{uuid.uuid4().hex[:8]}"
    template = RabbitMQWorker.get_default_base_job_template()
    with broker.virtual_host() as url, SyncPrefectClient(prefect.api_url) as client:
        client.create_work_pool(
            WorkPoolCreate(name=pool, type="rabbitmq", base_job_template=template)
        )
        yield Plant(
            prefect=prefect,
            broker=broker,
            url=url,
            pool=pool,
            directory=directory,
            client=client,
        )


@pytest.fixture(scope="module")
def plant(
    prefect_server: PrefectServer, rabbitmq: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plant]:
    """Give a pool and a virtual host which all tests of a file share."""
    with running_plant(prefect_server, rabbitmq, tmp_path_factory.mktemp("plant")) as made:
        yield made
