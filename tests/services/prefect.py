"""A Prefect server with a home of its own, and workers for it."""

import contextlib
import functools
import os
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.services.postgres import running_postgres
from tests.services.processes import Server, free_port, running, wait_until

__all__ = [
    "PrefectServer",
    "running_prefect_server",
    "running_prefect_server_on_postgres",
    "running_prefect_worker",
    "working_off",
]

#: It makes its SQLite tables first, which takes 5 s on an idle machine.
START_SECONDS = 180.0
#: A certificate that has signed nothing.
AUTHORITY = Path(__file__).with_name("authority.pem")
#: Our server's settings that are not Prefect's defaults.
SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # By default it drops events, and with them task runs, above 43 task runs a second.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "500",
    # With batches it otherwise writes what it has every five seconds. Less than 1 is 0 to Prefect
    # (3.8), which then does nothing else than look.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_CLI_PROMPT": "false",
}
#: Not a setting of the server's, and not for benchmarks: each of the many clients otherwise reads
#: all authorities of the Web, which takes 20 ms of a processor.
QUICK_CLIENTS = {"PREFECT_API_SSL_CERT_FILE": str(AUTHORITY)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefectServer:
    """A running server."""

    port: int
    #: The whole environment for a child that shall use this server: its URL and its home.
    environment: Mapping[str, str]
    #: What it writes, as a process.
    server: Server

    @property
    def ui_url(self) -> str:
        """The page to open in a browser."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """The value for PREFECT_API_URL."""
        return f"{self.ui_url}/api"


@contextlib.contextmanager
def running_prefect_server_on_postgres(directory: Path) -> Iterator[PrefectServer]:
    """
    Run a server with a PostgreSQL cluster of its own, as one does where much happens at once.

    With SQLite, a request has now and then hung for a minute while tests kept it busy.

    Args:
        directory: Empty; becomes its PREFECT_HOME and HOME.

    Raises:
        ServerFailed: With the end of its output.
    """
    with running_postgres() as cluster, cluster.database() as url:
        setting = {"PREFECT_API_DATABASE_CONNECTION_URL": url.replace("psycopg2", "asyncpg")}
        with running_prefect_server(directory, **setting) as server:
            yield server


@contextlib.contextmanager
def running_prefect_server(directory: Path, **settings: str) -> Iterator[PrefectServer]:
    """
    Run a server with API and UI, and with SQLite where the settings say nothing else.

    Args:
        directory: Empty; becomes its PREFECT_HOME and HOME.
        settings: More of Prefect's settings, as environment variables.

    Raises:
        ServerFailed: With the end of its output.
    """
    port = free_port()
    environment = _environment(directory, port) | settings
    command = [*_prefect(), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with running(command, directory=directory, name="server", environment=environment) as server:
        prefect = PrefectServer(port=port, environment=environment, server=server)
        wait_until(lambda: _healthy(prefect), server=server, seconds=START_SECONDS)
        yield prefect


@contextlib.contextmanager
def running_prefect_worker(
    prefect: PrefectServer,
    directory: Path,
    *,
    pool: str,
    name: str = "worker",
    kind: str = "process",
    options: Sequence[str] = (),
) -> Iterator[Server]:
    """
    Run a worker and wait until the server has heard of it.

    Args:
        prefect: Where it asks for work.
        directory: Its working directory, from where deployments find their code.
        pool: Its work pool, which it makes if there is none.
        name: Its name, unique in the pool.
        kind: Its type.
        options: More for `prefect worker start`.
    """
    command = [*_prefect(), "worker", "start", "--pool", pool, "--type", kind, "--name", name]
    with running(
        [*command, *options], directory=directory, name=name, environment=prefect.environment
    ) as server:
        wait_until(
            lambda: name in _online_workers(prefect, pool), server=server, seconds=START_SECONDS
        )
        yield server


def working_off(
    prefect: PrefectServer, directory: Path, *, pool: str, name: str, options: Sequence[str] = ()
) -> contextlib.AbstractContextManager[Server]:
    """Run a worker of RabbitMQ with `--run-once`: it works its queues off and exits."""
    command = [*_prefect(), "worker", "start", "--run-once", "--pool", pool, "--type", "rabbitmq"]
    return running(
        [*command, "--name", name, *options],
        directory=directory,
        name=name,
        environment=prefect.environment,
    )


@functools.cache
def _http() -> httpx.Client:
    """Return the client by which we ask, again and again, whether something is there."""
    return httpx.Client(timeout=5, verify=ssl.create_default_context(cafile=str(AUTHORITY)))


def _prefect() -> list[str]:
    """Return the command of the Prefect that we ourselves would import."""
    return [sys.executable, "-m", "prefect"]


def _environment(home: Path, port: int) -> dict[str, str]:
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "ROLLCALL_")) or name in QUICK_CLIENTS
    }
    temporary = home / "tmp"
    temporary.mkdir(exist_ok=True)
    private = {
        # Workers keep files in `runner_storage` there, which belongs to whoever came first.
        "TMPDIR": str(temporary),
        "HOME": str(home),
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    return ours | SETTINGS | private


def _healthy(prefect: PrefectServer) -> bool:
    try:
        return _http().get(f"{prefect.api_url}/health").is_success
    except httpx.TransportError:
        return False


def _online_workers(prefect: PrefectServer, pool: str) -> list[str]:
    url = f"{prefect.api_url}/work_pools/{pool}/workers/filter"
    try:
        answer = _http().post(url, json={})
    except httpx.TransportError:
        return []
    workers = answer.json() if answer.is_success else []
    return [worker["name"] for worker in workers if worker["status"] == "ONLINE"]
