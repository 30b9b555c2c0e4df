"""All that takes part: services, workers, and the lists that are checked."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pika
from pika.exceptions import AMQPError
from prefect_rabbitmq import topology

from tests.chaos.control import Control
from tests.chaos.nameserver import MISSING, NameServer, running_name_server
from tests.chaos.workers import Workers, running_workers
from tests.services.postgres import Postgres
from tests.services.prefect import running_prefect_server_on_postgres
from tests.services.processes import wait_until
from tests.services.proxy import Proxy, running_proxy
from tests.services.rabbitmq import Broker

__all__ = ["List", "Stage", "running_stage", "write_list"]

ROOT = Path(__file__).parents[2]
POOL = "checks"
#: Seconds in which all workers have to be there.
READY_SECONDS = 180.0
#: Of a list: one line in so many is a comment, one is no name, and one name is there twice.
COMMENTS, INVALID, DUPLICATES = 97, 89, 83


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs."""

    broker: Broker
    #: The way to RabbitMQ of workers and flows.
    network: Proxy
    postgres: Postgres
    prefect: Control
    nameserver: NameServer
    workers: Workers
    #: SQLAlchemy URL.
    database: str
    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """A file to be checked."""

    file: Path
    #: The names that are in it, each once.
    names: list[str]


@contextlib.contextmanager
def running_stage(
    broker: Broker, postgres: Postgres, directory: Path, *, workers: int, pace: float
) -> Iterator[Stage]:
    """
    Run Rollcall, as `make deploy` and an operator leave it.

    Args:
        broker: Its default virtual host is used.
        postgres: A database of its own is used.
        directory: Empty.
        workers: How many.
        pace: Look-ups a second, of all workers together; 0 is no limit.
    """
    with contextlib.ExitStack() as stack:
        (home := directory / "prefect").mkdir()
        prefect = stack.enter_context(running_prefect_server_on_postgres(home))
        control = Control(prefect)
        stack.callback(control.close)
        network = stack.enter_context(running_proxy(broker.port))
        database = stack.enter_context(postgres.database())
        nameserver = stack.enter_context(running_name_server())
        url = _through(network, broker.url)
        environment = dict(prefect.environment) | {
            "PYTHONPATH": str(ROOT),
            "ROLLCALL_HOME": str(directory / "home"),
            "ROLLCALL_DATABASE_URL": database,
            "ROLLCALL_AMQP_URL": url,
            "ROLLCALL_NAMESERVERS": nameserver.address,
            "ROLLCALL_DNS_QUERIES_PER_SECOND": f"{pace / workers:.1f}",
            "PREFECT_RABBITMQ_URL": url,
            "PREFECT_WORKER_HEARTBEAT_SECONDS": "5",
        }
        _deploy(environment)
        control.without_schedules()
        crew = stack.enter_context(running_workers(POOL, workers, directory, environment))
        wait_until(
            lambda: consumers(broker) >= workers, server=prefect.server, seconds=READY_SECONDS
        )
        yield Stage(
            broker=broker,
            network=network,
            postgres=postgres,
            prefect=control,
            nameserver=nameserver,
            workers=crew,
            database=database,
            directory=directory,
        )


def write_list(directory: Path, title: str, count: int) -> List:
    """
    Write a file of names that are in no other list, with lines that are none.

    Args:
        directory: For the file.
        title: Its name, and a part of every name in it.
        count: How many different names there are in it.
    """
    names = [f"{MISSING * (n % 4 == 3)}{n}.{title}.example.org" for n in range(count)]
    file = directory / f"{title}.txt"
    with file.open("w", encoding="ascii") as lines:
        for number, name in enumerate(names):
            lines.write(f"{name}\n")
            lines.write(f"# {number}\n\n" if number % COMMENTS == 0 else "")
            lines.write(f"-{number}-.org\n" if number % INVALID == 0 else "")
            lines.write(f"{name.upper()}.\n" if number % DUPLICATES == 0 else "")
    return List(file=file, names=names)


def consumers(broker: Broker, work_queue: str = "default") -> int:
    """Count the workers that take from a work queue."""
    with contextlib.closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
        queue = topology.queue_name(POOL, work_queue)
        try:
            return int(
                connection.channel().queue_declare(queue, passive=True).method.consumer_count
            )
        except AMQPError:
            return 0


def _through(network: Proxy, url: str) -> str:
    parts = urlsplit(url)
    user, _, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{network.port}"))


def _deploy(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deployments.deploy"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"make deploy says:\n{done.stdout}{done.stderr}"
