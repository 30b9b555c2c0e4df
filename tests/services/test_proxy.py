"""The proxy breaks connections as it is told."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.services.proxy import Proxy, running_proxy

#: For what is certain to come.
LONG = 30.0


class Echo(socketserver.BaseRequestHandler):
    """Says what it hears, until a connection ends."""

    def handle(self) -> None:
        """Serve one connection."""
        with contextlib.suppress(ConnectionError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Give a proxy before a server that says what it hears."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            with running_proxy(server.server_address[1]) as opened:
                yield opened
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def connected(proxy: Proxy) -> Iterator[socket.socket]:
    """Give a connection through which one word has gone and come."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=LONG) as client:
        assert echo(client, b"hello") == b"hello"
        yield client


def echo(client: socket.socket, data: bytes) -> bytes:
    """Send bytes and wait until as many are back."""
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    found = b""
    while len(found) < len(data):
        found += client.recv(65536)
    sender.join()
    return found


def test_it_forwards_both_ways_and_the_end(proxy: Proxy) -> None:
    """Much data comes through as it was, and an end in order is no reset."""
    data = bytes(range(256)) * 20_000
    with connected(proxy) as client:
        assert proxy.connections == 1
        assert echo(client, data) == data
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_cut_resets_what_is_open(proxy: Proxy) -> None:
    """Open connections are reset, not closed in order; a new one is served."""
    with connected(proxy) as first, connected(proxy) as second:
        proxy.cut()
        assert proxy.connections == 0
        for client in (first, second):
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    with connected(proxy):
        assert proxy.connections == 1


def test_refuse_lasts_until_accept(proxy: Proxy) -> None:
    """Refusing resets what is open and what comes; accepting serves at the same port."""
    with connected(proxy) as client:
        proxy.refuse()
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=LONG)
    proxy.accept()
    proxy.accept()
    with connected(proxy):
        assert proxy.connections == 1


def test_stall_holds_bytes_until_resume(proxy: Proxy) -> None:
    """A stalled connection is open and silent, and nothing of it is lost."""
    with connected(proxy) as client:
        proxy.stall()
        client.sendall(b"held")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert proxy.connections == 1
        client.settimeout(LONG)
        proxy.resume()
        assert client.recv(4) == b"held"


def test_a_stalled_connection_can_be_cut(proxy: Proxy) -> None:
    """What is held back does not hold a reset."""
    with connected(proxy) as client:
        proxy.stall()
        client.sendall(b"lost")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_nobody_behind_it_is_a_reset() -> None:
    """When the server is away, a connection is taken and reset."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    # Perhaps before it is known here that there is a connection.
    with (
        running_proxy(port) as proxy,
        pytest.raises(ConnectionResetError),
        socket.create_connection(("127.0.0.1", proxy.port), timeout=LONG) as client,
    ):
        client.recv(1)
