"""The thread that keeps a connection: it outlives whatever happens to one."""

import threading
from typing import Any

import pytest
from pika import SelectConnection
from pika.adapters.utils import io_services_utils
from prefect_rabbitmq.credentials import RabbitMQCredentials
from prefect_rabbitmq.link import Link
from pydantic import SecretStr

SECONDS = 60.0


class Opened:
    """A session that takes note."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.is_lost = threading.Event()

    def opened(self, _connection: SelectConnection) -> None:
        """It is open."""
        self.is_open.set()

    def lost(self, _reason: str) -> None:
        """It is gone."""
        self.is_lost.set()


def linked(amqp_url: str) -> tuple[Link, Opened]:
    """Start a link."""
    session = Opened()
    hosts = RabbitMQCredentials(url=SecretStr(amqp_url)).parameters("link")
    link = Link(hosts, "here", session)
    link.start()
    return link, session


def test_a_connection_that_is_reset_while_it_is_made(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pika raises an error in its event loop; the exact moment cannot be caused from outside."""
    made = io_services_utils._AsyncStreamConnector
    calls = 0

    def connector(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("Expected connected socket, but getpeername() failed")
        return made(*arguments, **named)

    monkeypatch.setattr(io_services_utils, "_AsyncStreamConnector", connector)
    link, session = linked(amqp_url)
    assert session.is_open.wait(SECONDS)
    # Links of others in this process may be among them.
    assert calls >= 2
    assert not session.is_lost.is_set()
    link.stop()


def test_an_error_of_pika_while_it_is_open(amqp_url: str) -> None:
    """Whatever it is, the connection is made anew, and what is called later is still called."""
    link, session = linked(amqp_url)
    assert session.is_open.wait(SECONDS)
    session.is_open.clear()
    called = threading.Event()
    link.call(lambda: link.later(0.5, called.set))

    def fail() -> None:
        raise ValueError("as after a frame that it does not know")

    # Not guarded, as pika's own callbacks are not.
    link._loop.add_callback_threadsafe(fail)
    assert session.is_lost.wait(SECONDS)
    assert session.is_open.wait(SECONDS)
    assert called.wait(SECONDS)
    link.stop()
