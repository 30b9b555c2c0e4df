"""
`make up` and `make down`: the whole stack on this machine, as processes in the background.

A Prefect server, `make deploy` on it, and workers. Their PID files and logs are in the folder
`stack` of ROLLCALL_HOME. RabbitMQ and PostgreSQL are used where ROLLCALL_AMQP_URL and
ROLLCALL_DATABASE_URL say, and are not started here; without them a flow run does all by itself.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import get_current_settings

from deployments.embedded import DEFAULTS
from deployments.pool import TYPE
from deployments.processes import Part, ask, end, parts
from tasks.broker import WORK_POOL
from tasks.errors import InputError
from tasks.settings import Settings

#: What `main` returns: done, something broke, a setting cannot be used.
DONE, BROKEN, REFUSED = 0, 1, 2
SERVER = "server"
#: The file that says where the server is; another `make up` may be told another port.
ADDRESS = "address"
#: Seconds for the server to make its tables, and for workers to be online.
START_SECONDS = 180.0
#: Seconds for flow runs to end, for workers to finish what they have begun, and for the server.
FLOW_RUN_PATIENCE, WORKER_PATIENCE, SERVER_PATIENCE = 15.0, 60.0, 15.0
#: The module that Prefect runs a flow run by.
FLOW_RUN = "prefect.engine"
#: How much of a log is shown when something did not start, in characters.
TAIL = 3000


class Broken(RuntimeError):
    """A part of the stack did not start; the text is for people."""


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make", description="The whole stack on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up").add_argument("--workers", type=int, default=1)
    commands.add_parser("down")
    told = parser.parse_args()
    try:
        settings = Settings()
        with _alone(settings.home.expanduser().resolve() / "stack") as folder:
            if told.command == "up":
                up(folder, settings, told.workers)
            else:
                down(folder)
    except InputError as error:
        return _fail(str(error), REFUSED)
    except (Broken, OSError) as error:
        return _fail(str(error), BROKEN)
    return DONE


def up(folder: Path, settings: Settings, workers: int) -> None:
    """
    Start what is not there, and say where it is; nothing if all of it runs.

    Raises:
        InputError: The port is taken, or there are to be no workers.
        Broken: Something did not start; nothing is left running.
    """
    if workers < 1:
        raise InputError("WORKERS: at least one is needed")
    found = parts(folder)
    if len(found) > 1 and all(part.leader for part in found):
        print(f"It is up already, with {len(found) - 1} workers")
    else:
        down(folder, quiet=True)
        try:
            _start(folder, settings, workers)
        except BaseException:
            down(folder, quiet=True)
            raise
    address = (folder / ADDRESS).read_text()
    print(f"Prefect's UI: {address}\nLogs: {folder}\nStop it: make down")


def down(folder: Path, *, quiet: bool = False) -> None:
    """Stop all that `up` started: workers first, so that they can tell the server."""
    found = parts(folder)
    if not quiet:
        print(f"Stopping {', '.join(part.name for part in found)}" if found else "Nothing is up")
    workers = [part for part in found if part.name != SERVER]
    # Told by itself, a flow run tells the server that it was ended, and can be retried; killed with
    # its worker it would seem to run for ever.
    flow_runs = [one for worker in workers for one in worker.processes() if FLOW_RUN in one.command]
    ask(flow_runs, FLOW_RUN_PATIENCE)
    end(workers, WORKER_PATIENCE)
    end([part for part in found if part.name == SERVER], SERVER_PATIENCE)


def _start(folder: Path, settings: Settings, workers: int) -> None:
    environment = _environment(settings)
    _check_port()
    (folder / ADDRESS).write_text(_address())
    print("Starting Prefect's server", flush=True)
    server = Part(folder, SERVER)
    server.start([*_PREFECT, "server", "start"], environment)
    _wait(_is_healthy, [server])

    print("Deploying", flush=True)
    deploy = [sys.executable, "-m", "deployments.deploy"]
    done = subprocess.run(deploy, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Broken(f"make deploy: {done.stderr.strip().removeprefix('error: ')}")

    print(f"Starting {workers} workers", flush=True)
    started = {f"worker_{number}" for number in range(1, workers + 1)}
    for name in started:
        worker = [*_PREFECT, "worker", "start", "--pool", WORK_POOL, "--type", TYPE, "--name", name]
        Part(folder, name).start(
            [sys.executable, "-m", "deployments.supervise", *worker], environment
        )
    _wait(lambda: started <= _online(), parts(folder))


_PREFECT = [sys.executable, "-m", "prefect"]


def _environment(settings: Settings) -> dict[str, str]:
    ours = {name: text for name, text in DEFAULTS.items() if "LOGGING" not in name}
    ours |= {"PREFECT_CLI_PROMPT": "false"}
    if settings.amqp_url is not None:
        ours["PREFECT_RABBITMQ_URL"] = settings.amqp_url.get_secret_value()
    # The stack is one: whatever other server is set for the terminal is not meant.
    return ours | os.environ | {"PREFECT_API_URL": f"{_address()}/api"}


def _address() -> str:
    return f"http://127.0.0.1:{get_current_settings().server.api.port}"


def _check_port() -> None:
    port = get_current_settings().server.api.port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(
                f"port {port} is taken, perhaps by another Prefect server; set "
                "PREFECT_SERVER_API_PORT to a free one"
            ) from error


def _is_healthy() -> bool:
    try:
        return httpx.get(f"{_address()}/api/health", timeout=5).is_success
    except httpx.HTTPError:
        return False


def _online() -> set[str]:
    given = get_current_settings().api.auth_string
    auth_string = given.get_secret_value() if given else None
    with SyncPrefectClient(f"{_address()}/api", auth_string=auth_string) as client:
        workers = client.read_workers_for_work_pool(WORK_POOL)
    return {worker.name for worker in workers if worker.status == "ONLINE"}


def _wait(ready: Callable[[], bool], needed: list[Part]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        late = time.monotonic() > deadline
        for part in needed:
            if late or part.leader is None:
                said = part.log.read_text(errors="replace")[-TAIL:].strip()
                raise Broken(f"{part.name} did not start; {part.log} ends with:\n{said}")
        time.sleep(0.1)


@contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """Give the folder when no other `make up` or `make down` is at work in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
