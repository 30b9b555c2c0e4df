"""A RabbitMQ broker of one's own, with its management API, on loopback only."""

import contextlib
import secrets
import shutil
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pika
import psutil

from tests.services.processes import (
    Server,
    end_all,
    find_program,
    free_port,
    running,
    start,
    wait_until,
)
from tests.services.rabbitmq_settings import write_settings

__all__ = ["Broker", "running_rabbitmq"]

#: It takes 6 s on an idle machine, and as long to stop.
START_SECONDS = 120.0
STOP_SECONDS = 60.0
USER = "rollcall"
#: How long the management API may take to have heard of a connection.
LISTED_SECONDS = 30.0


class Broker:
    """
    A broker on ports of its own, which keeps them when it is stopped and started.

    Args:
        directory: For its files; its path is short, and nobody else may read it.
        epmd_port: Where Erlang's port mapper listens.
    """

    def __init__(self, directory: Path, *, epmd_port: int) -> None:
        self.port = free_port()
        #: Of its user; random, so that a test can look for it where it must not be.
        self.password = secrets.token_hex(16)
        self._management_port = free_port()
        self._directory = directory
        self._environment = write_settings(
            directory,
            port=self.port,
            management_port=self._management_port,
            epmd_port=epmd_port,
            user=USER,
            password=self.password,
        )
        self._server: Server | None = None
        # Kept, since to make one takes long.
        self._http = httpx.Client(auth=(USER, self.password), timeout=30)

    @property
    def pid(self) -> int | None:
        """The id of its main process, None while it is stopped."""
        return self._server.pid if self._server else None

    @property
    def url(self) -> str:
        """The URL of its default virtual host, with user and password."""
        return self._url("/")

    @property
    def management_url(self) -> str:
        """Where its UI and its HTTP API are; the user is `rollcall`."""
        return f"http://127.0.0.1:{self._management_port}"

    @property
    def log(self) -> Path:
        """The file with what it writes."""
        return self._directory / "rabbitmq.log"

    def start(self) -> None:
        """
        Start it with the data that it has, and wait until it answers; nothing if it runs.

        For half a second after that, its quorum queues may have no leader yet: they refuse what is
        published (nack) and count too few messages.

        Raises:
            ServerFailed: With the end of its log.
        """
        if self._server:
            return
        self._server = start(
            [_program()], directory=self._directory, name="rabbitmq", environment=self._environment
        )
        wait_until(self._answers, server=self._server, seconds=START_SECONDS)

    def stop(self) -> None:
        """Shut it down in order: connections are closed. Again is nothing."""
        self._end(partial(Server.stop, seconds=STOP_SECONDS))

    def kill(self) -> None:
        """Kill it with all its processes, as a crash does."""
        self._end(Server.kill)

    def restart(self) -> None:
        """Stop and start it: durable queues and their persistent messages are kept."""
        self.stop()
        self.start()

    def restart_empty(self) -> None:
        """Stop it, remove all that it knew, and start it: its own user is there again."""
        self.stop()
        shutil.rmtree(self._directory / "data")
        self.start()

    def close_connections(self, name_contains: str = "") -> int:
        """
        Close the connections that are open now, as an administrator does in the UI.

        Args:
            name_contains: A part of the name that the client gave, or of its address.

        Returns:
            How many were listed: those that are open, and perhaps some that closed a moment ago.
            RabbitMQ may list a connection for two minutes that ended while it was being collected.
        """
        named = [name for name, given in self._connections() if name_contains in f"{name} {given}"]
        for name in named:
            self.administrate("DELETE", f"connections/{quote(name, safe='')}", missing_ok=True)
        return len(named)

    def queues(self, url: str = "") -> dict[str, int]:
        """
        Count what waits in every queue of a virtual host.

        The names are those of the management API, the counts are of passive declares: these are
        of now, where those of the API are some seconds old.

        Args:
            url: Of the virtual host; empty for the default one.

        Returns:
            Name to messages, without those that a consumer has not acknowledged yet.
        """
        parameters = pika.URLParameters(url or self.url)
        listed = self.administrate(
            "GET", f"queues/{quote(parameters.virtual_host, safe='')}?columns=name"
        )
        with contextlib.closing(pika.BlockingConnection(parameters)) as connection:
            channel = connection.channel()
            return {
                name: channel.queue_declare(name, passive=True).method.message_count
                for name in sorted(queue["name"] for queue in listed)
            }

    @contextlib.contextmanager
    def virtual_host(self) -> Iterator[str]:
        """Make an empty virtual host, give its URL, and delete it with all in it at the end."""
        name = f"test-{uuid.uuid4().hex}"
        try:
            yield self.make_virtual_host(name)
        finally:
            self.start()
            # `restart_empty` has forgotten it.
            self.administrate("DELETE", f"vhosts/{name}", missing_ok=True)

    def make_virtual_host(self, name: str) -> str:
        """Make a virtual host that stays, and return its URL. Again is nothing."""
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.administrate("PUT", f"vhosts/{name}", {})
        self.administrate("PUT", f"permissions/{name}/{USER}", everything)
        return self._url(name)

    def _url(self, virtual_host: str) -> str:
        path = quote(virtual_host, safe="")
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self.port}/{path}"

    def administrate(
        self, method: str, path: str, body: Any = None, *, missing_ok: bool = False
    ) -> Any:
        """
        Use the management API.

        Args:
            method: Of HTTP.
            path: What comes after `/api/`.
            body: Is sent as JSON.
            missing_ok: Whether something that is not there is no error.

        Returns:
            The answer's JSON; None if it has none.
        """
        url = f"{self.management_url}/api/{path}"
        answer = self._http.request(method, url, json=body)
        if not (missing_ok and answer.status_code == httpx.codes.NOT_FOUND):
            answer.raise_for_status()
        return answer.json() if answer.content else None

    def _connections(self) -> list[tuple[str, str]]:
        """
        List all connections: RabbitMQ's name, and the one given by the client.

        The list is collected now and then, so a connection of ours is opened after all others:
        when it is in the list, they are.
        """
        last = f"last-{uuid.uuid4().hex}"
        parameters = pika.URLParameters(self.url)
        parameters.client_properties = {"connection_name": last}
        found: list[tuple[str, str]] = []

        def listed() -> bool:
            found[:] = [
                (connection["name"], connection.get("user_provided_name", ""))
                for connection in self.administrate(
                    "GET", "connections?columns=name,user_provided_name"
                )
            ]
            return any(given == last for _, given in found)

        assert self._server
        with contextlib.closing(pika.BlockingConnection(parameters)):
            wait_until(listed, server=self._server, seconds=LISTED_SECONDS)
        return [(name, given) for name, given in found if given != last]

    def _answers(self) -> bool:
        """Tell whether it serves both: the port for AMQP is opened last."""
        socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        try:
            self.administrate("GET", "whoami")
        except httpx.HTTPError:
            return False
        return True

    def _end(self, end: Callable[[Server], int]) -> None:
        if self._server:
            # Erlang's helpers have sessions of their own.
            helpers = psutil.Process(self._server.pid).children(recursive=True)
            end(self._server)
            end_all(helpers)
            self._server = None


@contextlib.contextmanager
def running_rabbitmq() -> Iterator[Broker]:
    """
    Run a broker, and remove it with all its files at the end.

    Raises:
        ServerFailed: It is not installed, or does not start.
    """
    epmd = find_program("epmd", package="rabbitmq-server")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="rollcall-rabbitmq-") as name:
        directory = Path(name)
        # Left to itself, Erlang would start one as a daemon and never stop it.
        command = [epmd, "-port", str(port), "-address", "127.0.0.1"]
        with running(command, directory=directory, name="epmd") as mapper:
            wait_until(lambda: _listens(port), server=mapper, seconds=START_SECONDS)
            broker = Broker(directory, epmd_port=port)
            try:
                broker.start()
                yield broker
            finally:
                broker.stop()


def _program() -> str:
    """Find the server itself: Debian's `rabbitmq-server` on the path wants an account for it."""
    places = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"))
    return find_program("rabbitmq-server", package="rabbitmq-server", also_in=places)


def _listens(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    return True
