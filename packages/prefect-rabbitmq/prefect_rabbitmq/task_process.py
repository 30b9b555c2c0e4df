"""
The process in which a worker's tasks run: `python -m prefect_rabbitmq.task_process <descriptor>`.

It is a process of its own so that a task that kills its process, or holds the interpreter for long,
neither costs the worker its connection nor hides which message it was. It knows nothing of
RabbitMQ: it is given messages and gives back replies.
"""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from prefect.context import SyncClientContext
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from prefect_rabbitmq.clients import opened
from prefect_rabbitmq.current import CurrentMessage
from prefect_rabbitmq.events import keep_events
from prefect_rabbitmq.execution import Executed, Executor, TaskCancelled
from prefect_rabbitmq.pipe import Pipe
from prefect_rabbitmq.registry import WrongTaskModule

logger = logging.getLogger("prefect.rabbitmq.tasks")

#: Seconds that Prefect's logs and events get to be sent at the end.
DRAIN_SECONDS = 30.0
#: Seconds between two looks at how much memory the process holds.
MEMORY_SECONDS = 1.0


class TaskProcess:
    """Takes messages from a pipe, and runs each in a thread."""

    def __init__(self, pipe: Pipe, executor: Executor, concurrency: int) -> None:
        """Prepare."""
        self._pipe = pipe
        self._executor = executor
        self._concurrency = concurrency
        self._threads = ThreadPoolExecutor(concurrency, "task", initializer=_open_client)
        #: What runs: tag -> thread.
        self._running: dict[int, int] = {}
        self._cancelled: set[int] = set()
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Run what comes until there is no more, or nobody at the other end."""
        self._start_threads()
        threading.Thread(target=self._tell_memory, name="memory", daemon=True).start()
        self._pipe.send({"is": "ready"})
        while (received := self._pipe.receive()) is not None:
            told, body = received
            match told["do"]:
                case "run":
                    message = CurrentMessage(**told["message"])
                    self._threads.submit(self._run, told["tag"], message, body)
                case "cancel":
                    self._cancel(told["tags"], given_away=told["given_away"])
                case _:
                    self._threads.shutdown()
                    return
        # The worker was killed: others are given its messages now.
        os._exit(1)

    def _start_threads(self) -> None:
        """Start all of them now: none could while the API is away, which work need not wait for."""
        together = threading.Barrier(self._concurrency + 1)
        for _ in range(self._concurrency):
            self._threads.submit(together.wait)
        together.wait()

    def _tell_memory(self) -> None:
        """Now and then: to read it costs more than a small task."""
        while self._pipe.send({"is": "using", "memory_mb": _memory_mb()}):
            time.sleep(MEMORY_SECONDS)

    def _run(self, tag: int, message: CurrentMessage, body: bytes) -> None:
        with self._lock:
            self._running[tag] = threading.get_ident()
            cancelled = tag in self._cancelled
        try:
            executed = self._executor.run(message, body, cancelled=cancelled)
        except TaskCancelled:
            # It came when the task had just ended.
            executed = Executed("cancelled")
        except Exception as error:
            # Whatever it is, the worker must hear of it: it would wait for this for ever.
            logger.exception("A message could not be run")
            executed = Executed("rejected", reason=f"{type(error).__name__}: {error}")
        while not self._over(tag):
            pass
        told = {
            "is": "done",
            "tag": tag,
            "outcome": executed.outcome,
            "reason": executed.reason,
        }
        self._pipe.send(told, executed.reply)

    def _over(self, tag: int) -> bool:
        """Make sure that no late cancellation reaches this thread, and its next task."""
        try:
            with self._lock:
                self._running.pop(tag, None)
                self._executor.given_away.discard(threading.get_ident())
                self._cancelled.discard(tag)
                _raise_in(threading.get_ident(), None)
        except TaskCancelled:
            return False
        return True

    def _cancel(self, tags: list[int], *, given_away: bool) -> None:
        with self._lock:
            self._cancelled |= set(tags)
            for tag in self._running.keys() & set(tags):
                thread = self._running[tag]
                if given_away:
                    self._executor.given_away.add(thread)
                if not self._executor.cancel_async(thread):
                    _raise_in(thread, TaskCancelled)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise an exception in a thread once it runs Python again; None takes one back."""
    raised = ctypes.py_object(error) if error else ctypes.py_object()
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


def main() -> None:
    """Serve a worker until it closes the pipe."""
    # Its worker decides when to stop; a terminal's Ctrl-C goes to all processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe = Pipe(int(sys.argv[1]))
    concurrency, modules = int(sys.argv[2]), sys.argv[3:]
    # As `python -m` does: modules of the folder where the worker was started are found.
    sys.path.insert(0, str(Path.cwd()))
    keep_events()
    try:
        executor = Executor(modules)
    except WrongTaskModule as error:
        pipe.send({"is": "broken", "reason": str(error)})
        return
    TaskProcess(pipe, executor, concurrency).serve()
    for sender in (APILogWorker, EventsWorker):
        with suppress(Exception):
            sender.drain_all(timeout=DRAIN_SECONDS)


_open = threading.local()


def _open_client() -> None:
    """Keep one API client open in each thread; a task run would otherwise make one of its own."""
    _open.stack = ExitStack()
    opened(lambda: _open.stack.enter_context(SyncClientContext()))


def _memory_mb() -> float:
    """Return the memory that the process holds."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        # Not Linux: the most that it ever held.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
