"""A worker's end of the process in which its tasks run."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Protocol

from prefect_rabbitmq.current import CurrentMessage
from prefect_rabbitmq.pipe import Pipe

logger = logging.getLogger("prefect.rabbitmq.host")

#: Of a message from outside Prefect would warn with each line that it is of no flow run.
QUIET = {"PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore"}
#: The port for metrics is the worker's; a process that wants it too could run nothing.
WITHOUT_METRICS = {"PREFECT_CLIENT_METRICS_ENABLED": "false"}


class Owner(Protocol):
    """Who is told what the process says; from a thread of its own."""

    def told(self, host: TaskHost, told: Mapping[str, Any], body: bytes) -> None:
        """The process said something; see `prefect_rabbitmq.pipe`."""

    def ended(self, host: TaskHost, code: int) -> None:
        """The process has ended; a negative code is the signal that killed it."""


class TaskHost:
    """One process; when it has died, another one is made in its place."""

    def __init__(
        self, modules: list[str], concurrency: int, call: Callable[..., Any], owner: Owner
    ) -> None:
        """
        Start the process.

        Args:
            modules: The task modules that it imports.
            concurrency: How many tasks it runs at once.
            call: Has a function called on the owner's thread.
            owner: Is told what happens.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "prefect_rabbitmq.task_process",
                    str(descriptor),
                    str(concurrency),
                    *modules,
                ],
                pass_fds=[descriptor],
                env={**QUIET, **os.environ, **WITHOUT_METRICS},
                # Ctrl-C in a terminal is for the worker, which lets the tasks finish.
                start_new_session=True,
            )
        self._pipe = Pipe(ours.detach())
        self._call = call
        self._owner = owner
        self.concurrency = concurrency
        self.modules = modules
        #: Whether it can be given messages, and whether it ever could.
        self.is_ready = self.was_ready = False
        threading.Thread(target=self._listen, name="rabbitmq-tasks", daemon=True).start()
        threading.Thread(target=self._watch, name="rabbitmq-tasks-end", daemon=True).start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def run(self, tag: int, message: CurrentMessage, body: bytes) -> None:
        """Have a message run."""
        self._pipe.send({"do": "run", "tag": tag, "message": asdict(message)}, body)

    def cancel(self, tags: Iterable[int], *, given_away: bool) -> None:
        """Have messages ended that run or wait there."""
        self._pipe.send({"do": "cancel", "tags": list(tags), "given_away": given_away})

    def kill(self) -> None:
        """Kill the process and all that it started; `ended` follows."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def discard(self) -> None:
        """Let the process finish and end by itself."""
        self._pipe.send({"do": "stop"})

    def stop(self, timeout: float) -> None:
        """Let the process finish, send its logs and end; kill it after `timeout` seconds."""
        self._pipe.send({"do": "stop"})
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def _watch(self) -> None:
        self._process.wait()
        # What it forked would hold its end of the pipe, and go on working.
        self.kill()

    def _listen(self) -> None:
        while (told := self._pipe.receive()) is not None:
            self._call(self._owner.told, self, *told)
        code = self._process.wait()
        self._call(self._owner.ended, self, code)
