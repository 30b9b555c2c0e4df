"""The whole of Rollcall on one machine: RabbitMQ, PostgreSQL, a Prefect server, workers, flows."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.extras import with_repository
from tests.services.postgres import Postgres, running_postgres
from tests.services.prefect import PrefectServer, running_prefect_server, running_prefect_worker
from tests.services.processes import Server, start
from tests.services.rabbitmq import Broker, running_rabbitmq

POOL = "checks"
PREFECT_DATABASES = ("postgresql", "sqlite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What runs through all measurements."""

    broker: Broker
    postgres: Postgres
    prefect: PrefectServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Workers with a database and queues that are empty, and flows for them."""

    prefect: PrefectServer
    #: SQLAlchemy URL.
    database: str
    home: Path
    #: Ends with it; flow runs that are still under way then are stopped.
    stack: ExitStack

    def start(
        self, file: Path, *, work_queue: str = "default", checks: Sequence[Any] = ("host",)
    ) -> Check:
        """Start a flow run, as a process of its own."""
        given = {"file": str(file), "work_queue": work_queue, "checks": list(checks)}
        given["out"] = str(self.home / f"{file.stem}.csv")
        command = [sys.executable, "-m", "benchmarks.check_file", json.dumps(given)]
        began = time.time()
        server = start(
            command, directory=self.home, name=file.stem, environment=self.prefect.environment
        )
        self.stack.callback(server.stop)
        return Check(server, began)


@dataclass(frozen=True, slots=True)
class Check:
    """A flow run under way."""

    server: Server
    #: When its process was started, in seconds since the epoch.
    began: float

    def wait(self) -> str:
        """Return the flow run's id, once it has completed."""
        code = self.server.process.wait()
        assert code == 0, f"the flow ended with {code}:\n{self.server.tail()}"
        return self.server.tail().split()[-1]

    def assert_alive(self) -> None:
        """Fail if it has ended otherwise than well."""
        if self.server.process.poll():
            self.wait()


@contextmanager
def running_services(
    directory: Path, *, prefect_database: str = "postgresql"
) -> Iterator[Services]:
    """
    Run them.

    Args:
        directory: Empty; for the Prefect server's files.
        prefect_database: What the Prefect server keeps its own data in, of PREFECT_DATABASES.
    """
    with running_rabbitmq() as broker, running_postgres() as postgres, ExitStack() as stack:
        settings = {}
        if prefect_database == "postgresql":
            url = stack.enter_context(postgres.database()).replace("psycopg2", "asyncpg")
            settings["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = url
        prefect = stack.enter_context(running_prefect_server(directory, **settings))
        yield Services(broker=broker, postgres=postgres, prefect=prefect)


@contextmanager
def running_rig(
    services: Services, nameserver: str, home: Path, *, workers: int, **settings: str
) -> Iterator[Rig]:
    """
    Run workers on a new database and new queues.

    Args:
        services: What they use.
        nameserver: `ip:port`.
        home: An empty directory.
        workers: How many.
        settings: More environment variables, for workers and flows.
    """
    with ExitStack() as stack:
        database = stack.enter_context(services.postgres.database())
        amqp_url = stack.enter_context(services.broker.virtual_host())
        environment = with_repository(services.prefect.environment) | {
            "ROLLCALL_HOME": str(home),
            "ROLLCALL_DATABASE_URL": database,
            "ROLLCALL_AMQP_URL": amqp_url,
            "ROLLCALL_NAMESERVERS": nameserver,
            "PREFECT_RABBITMQ_URL": amqp_url,
            "PREFECT_RABBITMQ_TASK_MODULES": "tasks.check",
            **settings,
        }
        prefect = replace(services.prefect, environment=environment)
        _make_pool(prefect, home)
        for number in range(1, workers + 1):
            name = f"worker_{number}"
            stack.enter_context(
                running_prefect_worker(prefect, home, pool=POOL, name=name, kind="rabbitmq")
            )
        yield Rig(prefect=prefect, database=database, home=home, stack=stack)


def _make_pool(prefect: PrefectServer, home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.make_pool"],
        env=prefect.environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"the pool cannot be made:\n{done.stdout}{done.stderr}"
