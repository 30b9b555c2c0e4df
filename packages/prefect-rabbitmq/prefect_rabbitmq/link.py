"""
A connection to RabbitMQ that a thread of its own keeps open.

Everything that a session does happens on that thread, one thing after another; so sessions need no
locks, and work never keeps a heartbeat waiting.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from pika import SelectConnection
from pika.adapters.select_connection import IOLoop
from pika.connection import Parameters

from prefect_rabbitmq.errors import reason_of

logger = logging.getLogger("prefect.rabbitmq.link")

#: Seconds before the first new try to connect, and the longest wait between two.
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0


class Session(Protocol):
    """What is done with a connection. All of it is called on the link's thread."""

    def opened(self, connection: SelectConnection) -> None:
        """A connection is there, the first or a new one; nothing of an earlier one is valid."""

    def lost(self, reason: str) -> None:
        """The connection is gone; a new one is being tried."""


class Link:
    """Keeps a connection open for a session."""

    def __init__(self, hosts: list[Parameters], address: str, session: Session) -> None:
        """
        Prepare; `start` connects.

        Args:
            hosts: Where RabbitMQ is; several are tried in turn.
            address: The same for messages, without a password.
            session: What is done with the connection.
        """
        # What there is to say is said here, in a line; pika has a traceback for each try.
        if (pika := logging.getLogger("pika")).level == logging.NOTSET:
            pika.setLevel(logging.CRITICAL)
        self._hosts = hosts
        self._address = address
        self._session = session
        self._loop = IOLoop()
        #: The one that is open, and the one that is or was being opened last.
        self._connection: SelectConnection | None = None
        self._latest: SelectConnection | None = None
        self._tries = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="rabbitmq-link", daemon=True)

    def start(self) -> None:
        """Connect in the background."""
        self._loop.add_callback_threadsafe(self._connect)
        self._thread.start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have a function called on the link's thread, connected or not; from any thread."""
        self._loop.add_callback_threadsafe(lambda: _guarded(function, *arguments))

    def later(self, seconds: float, function: Callable[[], Any]) -> None:
        """Have a function called after a while; only on the link's thread."""
        self._loop.call_later(seconds, lambda: _guarded(function))

    def stop(self, timeout: float = 5.0) -> None:
        """Close the connection, what was written before included, and end the thread."""
        if self._thread.is_alive():
            self.call(self._stop)
            self._thread.join(timeout)

    def reset(self) -> None:
        """Close the connection, so that a new one is made; only on the link's thread."""
        if self._connection is not None and self._connection.is_open:
            self._connection.close(320, "starting anew")

    def _run(self) -> None:
        while True:
            try:
                self._loop.start()
                break
            except Exception as error:
                # Of pika itself, which then calls nobody: as when a connection is reset while it
                # is being made. Without this thread all would wait for ever.
                logger.debug("An error in pika", exc_info=error)
                self._abandon(error)
        self._loop.close()

    def _abandon(self, error: Exception) -> None:
        if (latest := self._latest) is not None:
            self._closed(latest, error)
            with suppress(Exception):
                latest.close()

    def _connect(self) -> None:
        if self._stopping:
            return
        self._latest = SelectConnection(
            self._hosts[self._tries % len(self._hosts)],
            on_open_callback=self._opened,
            on_open_error_callback=self._closed,
            on_close_callback=self._closed,
            custom_ioloop=self._loop,
        )

    def _opened(self, connection: SelectConnection) -> None:
        if connection is not self._latest:
            connection.close()
            return
        self._connection = connection
        self._tries = 0
        _guarded(self._session.opened, connection)

    def _closed(self, connection: SelectConnection, error: Exception) -> None:
        if connection is not self._latest:
            return
        was_open = self._connection is not None
        self._connection = self._latest = None
        if self._stopping:
            self._loop.stop()
            return
        self._tries += 1
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._tries, 8)) * random.uniform(0.5, 1)
        reason = reason_of(error)
        if was_open:
            logger.warning("The connection to %s is lost: %s. Reconnecting.", self._address, reason)
            _guarded(self._session.lost, reason)
        elif self._tries in {1, 5} or self._tries % 20 == 0:
            logger.warning(
                "RabbitMQ at %s cannot be reached: %s. Trying on.", self._address, reason
            )
        self._loop.call_later(wait, self._connect)

    def _stop(self) -> None:
        self._stopping = True
        if self._connection is not None and self._connection.is_open:
            self._connection.close()
        else:
            self._loop.stop()


def _guarded(function: Callable[..., Any], *arguments: Any) -> None:
    # An error in one callback would otherwise end the thread, and with it the connection.
    try:
        function(*arguments)
    except Exception:
        logger.exception("Something went wrong on RabbitMQ's thread")
