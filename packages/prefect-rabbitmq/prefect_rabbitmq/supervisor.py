"""Keeps the process of a worker's tasks alive; all of it on the link's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from prefect_rabbitmq.current import CurrentMessage
from prefect_rabbitmq.host import TaskHost
from prefect_rabbitmq.link import Link
from prefect_rabbitmq.settings import Limits

logger = logging.getLogger("prefect.rabbitmq.supervisor")

#: Seconds before a process is started again whose task modules could not be imported.
BROKEN_SECONDS = 5.0
#: Seconds between looks whether a process is idle that is to be replaced.
IDLE_SECONDS = 0.5


class Owner(Protocol):
    """Who is told of the process."""

    def ready(self) -> None:
        """It can be given messages."""

    def done(self, told: Mapping[str, Any], reply: bytes) -> None:
        """It has done one; see `prefect_rabbitmq.pipe`."""

    def died(self, how: str, *, killed_by_us: bool) -> None:
        """It has died with all that it had; another one is being started."""

    @property
    def has_running(self) -> bool:
        """Whether it has anything."""


class Supervisor:
    """One process at a time; a new one after each death, and for other task modules."""

    def __init__(self, owner: Owner) -> None:
        """Prepare; `configure` starts the process."""
        self._owner = owner
        self._host: TaskHost | None = None
        self._wanted: tuple[int, list[str]] = (0, [])
        self._killing = self._broken = False
        #: That the process holds.
        self.memory_mb = 0.0
        #: Set before anything else.
        self.link: Link

    @property
    def is_ready(self) -> bool:
        """Whether the process can be given messages."""
        return self._host is not None and self._host.is_ready

    def configure(self, limits: Limits) -> None:
        """Have a process with these task modules and so many threads."""
        wanted = (limits.concurrency, limits.task_modules)
        if wanted != self._wanted:
            self._wanted = wanted
            self._replace()

    def run(self, tag: int, message: CurrentMessage, body: bytes) -> None:
        """Have a message run."""
        if self._host is not None:
            self._host.run(tag, message, body)

    def cancel(
        self,
        tags: Iterable[int],
        seconds: float,
        still: Callable[[], bool],
        *,
        given_away: bool,
    ) -> None:
        """
        Have messages ended.

        Args:
            tags: Of the messages.
            seconds: After these the process is killed ...
            still: ... if this says that some of them run on.
            given_away: Whether RabbitMQ delivers them again: nobody has cancelled them.
        """
        if (host := self._host) is None:
            return
        host.cancel(tags, given_away=given_away)

        def kill() -> None:
            if host is self._host and still():
                logger.warning("Tasks that were told to stop do not: killing their process.")
                self._killing = True
                host.kill()

        self.link.later(seconds, kill)

    def stop(self, timeout: float) -> None:
        """End the process, which gets so many seconds to send its logs; from any thread."""
        if self._host is not None:
            host, self._host = self._host, None
            host.stop(timeout)

    def told(self, host: TaskHost, told: Mapping[str, Any], body: bytes) -> None:
        """Hear what a process says."""
        if host is not self._host:
            return
        if told["is"] == "done":
            self._owner.done(told, body)
        elif told["is"] == "using":
            self.memory_mb = told["memory_mb"]
        elif told["is"] == "broken":
            self._broken = True
            logger.error("%s. Trying on.", told["reason"])
        else:
            host.is_ready = host.was_ready = True
            self._owner.ready()

    def ended(self, host: TaskHost, code: int) -> None:
        """Hear that a process has ended; a negative code is the signal that killed it."""
        if host is not self._host:
            return
        self._host = None
        broken, self._broken = self._broken, False
        if not host.was_ready:
            if not broken:
                logger.error("The tasks' process ended (%d) before it was ready.", code)
            self.link.later(BROKEN_SECONDS, self._replace)
            return
        killing, self._killing = self._killing, False
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._replace()
        self._owner.died(how, killed_by_us=killing)

    def _replace(self) -> None:
        """Start a process; an earlier one is let finish what it has."""
        if self._host is not None:
            if self._owner.has_running:
                self._host.is_ready = False
                self.link.later(IDLE_SECONDS, self._replace)
                return
            self._host.discard()
        concurrency, modules = self._wanted
        self.memory_mb = 0.0
        self._host = TaskHost(modules, concurrency, self.link.call, self)
