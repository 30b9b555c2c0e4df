"""Workers that are killed, and started again as by a supervisor."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from tests.services.processes import Server, end_all, start

__all__ = ["Workers", "processes_with", "running_workers"]

#: Seconds after which a worker is started again that has died.
AGAIN_SECONDS = (1.0, 2.0)
#: Seconds that a worker and its tasks' process get to be there, to be killed.
THERE_SECONDS = 90.0
TASKS = "prefect_rabbitmq.task_process"


class Workers:
    """
    Workers of a pool.

    Args:
        pool: The work pool.
        count: How many.
        directory: For their output.
        environment: Theirs, as a whole.
    """

    def __init__(
        self, pool: str, count: int, directory: Path, environment: Mapping[str, str]
    ) -> None:
        self.count = count
        self._pool = pool
        self._directory = directory
        self._environment = environment
        self._servers: dict[str, Server] = {}
        #: Name -> when it is to be started again, by `time.monotonic`.
        self._due: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="supervisor", daemon=True)

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [f"worker_{number}" for number in range(1, self.count + 1)]

    def start(self) -> None:
        """Start all, and keep them running."""
        for name in self.names:
            self._start(name)
        self._thread.start()

    def stop(self) -> None:
        """Stop all."""
        self._stopping.set()
        self._thread.join()
        for server in self._servers.values():
            server.stop()

    def kill_worker(self, name: str) -> None:
        """Kill a worker's own process; its flow runs are left to themselves."""
        self._parent(name).kill()

    def kill_tasks(self, name: str) -> None:
        """Kill the process in which a worker's tasks run."""
        deadline = time.monotonic() + THERE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in self._parent(name).children():
                    if TASKS in child.cmdline():
                        child.kill()
                        return
            time.sleep(0.1)
        raise TimeoutError(f"{name} has no process for tasks")

    def _parent(self, name: str) -> psutil.Process:
        deadline = time.monotonic() + THERE_SECONDS
        while not self._servers[name].is_running and time.monotonic() < deadline:
            time.sleep(0.1)
        return psutil.Process(self._servers[name].pid)

    def _keep(self) -> None:
        while not self._stopping.wait(0.1):
            for name, server in list(self._servers.items()):
                if server.is_running:
                    continue
                # Of its end nobody else takes note, and until then it is a zombie.
                server.process.wait()
                now = time.monotonic()
                if now > self._due.setdefault(name, now + random.uniform(*AGAIN_SECONDS)):
                    del self._due[name]
                    self._start(name)

    def _start(self, name: str) -> None:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", self._pool]
        command += ["--type", "rabbitmq", "--name", name]
        self._servers[name] = start(
            command, directory=self._directory, name=name, environment=self._environment
        )


@contextlib.contextmanager
def running_workers(
    pool: str, count: int, directory: Path, environment: Mapping[str, str]
) -> Iterator[Workers]:
    """Run workers; what they have left behind is ended with them."""
    workers = Workers(pool, count, directory, environment)
    workers.start()
    try:
        yield workers
    finally:
        workers.stop()
        # Flow runs and tasks of workers that were killed.
        end_all(processes_with("ROLLCALL_HOME", environment["ROLLCALL_HOME"]))


def processes_with(variable: str, value: str) -> list[psutil.Process]:
    """List the processes of this machine that have a variable of this value, but for ours."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(variable) == value and process.pid != psutil.Process().pid:
                found.append(process)
    return found
