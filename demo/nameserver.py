"""
A name server on a loopback port whose answers follow a script, over UDP and TCP.

For people:  python -m demo.nameserver --port 5354      then  host -p 5354 python.org 127.0.0.1
For tests:   with running_nameserver(Script({"python.org": answers(A="192.0.2.1")})) as server:
                 server.address, server.queries
"""

import argparse
import asyncio
import contextlib
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Self

from demo.behaviours import SILENCE, Behaviour
from demo.replies import Query, form_error, read_query, reply, write
from demo.script import Script
from demo.zone import ZONE

__all__ = ["NameServer", "running_nameserver"]

LOOPBACK = "127.0.0.1"
#: UDP and TCP have ports of their own: one that is free for the first may be taken for the second.
PORT_ATTEMPTS = 20
#: Room for a burst while Python is busy; the kernel grants what net.core.rmem_max allows.
RECEIVE_BYTES = 4 * 1024 * 1024


class NameServer:
    """
    A scripted name server, an asynchronous context manager: it answers while inside.

    Args:
        script: What to answer.
        port: On loopback, for UDP and TCP alike; 0 takes one that is free.
    """

    def __init__(self, script: Script, *, port: int = 0) -> None:
        self._script = script
        self._queries: Counter[tuple[str, str, str]] = Counter()
        self._lookups: Counter[tuple[str, str, str]] = Counter()
        self._last: dict[tuple[str, str, str], int] = {}
        self._troubled: Counter[str] = Counter()
        self._udp_socket, self._tcp_socket = _sockets(port)
        self._open: set[asyncio.BaseTransport] = set()

    @property
    def port(self) -> int:
        """The port in use, never 0."""
        return int(self._udp_socket.getsockname()[1])

    @property
    def address(self) -> str:
        """Where it listens, as `ip:port`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def queries(self) -> Counter[tuple[str, str, str]]:
        """
        Count the queries until now, answered or not.

        Returns:
            A copy: (name in lower case without the last dot, type, `udp` or `tcp`) to how often.
        """
        return self._queries.copy()

    @property
    def lookups(self) -> Counter[tuple[str, str, str]]:
        """
        Count as `queries` does, but a query that was sent again only once.

        A client that gets no answer soon sends the same packet again, with the same id.
        """
        return self._lookups.copy()

    async def __aenter__(self) -> Self:
        """Begin to answer."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: _Udp(self), sock=self._udp_socket)
        self._listener = await loop.create_server(lambda: _Tcp(self), sock=self._tcp_socket)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close both sockets and every connection."""
        self._listener.close()
        for transport in list(self._open):
            transport.close()
        # A closed transport leaves in the next turn of the loop.
        await asyncio.sleep(0)

    def handle(self, wire: bytes, protocol: str, send: Callable[[bytes], None]) -> None:
        """
        Answer what came in, now, later or never.

        Args:
            wire: One packet, or one message of a connection without its length.
            protocol: `udp` or `tcp`.
            send: Called with the answer, at most once.
        """
        query = read_query(wire)
        if query is None:
            answer = form_error(wire)
            if answer:
                send(answer)
            return
        behaviour = self._behaviour(query, protocol)
        trouble = self._trouble(query, behaviour)
        if trouble == SILENCE:
            return
        message = reply(query, behaviour, trouble=trouble)
        answer = write(message, protocol=protocol, cut=behaviour.truncated)
        asyncio.get_running_loop().call_later(behaviour.milliseconds / 1000, send, answer)

    def opened(self, transport: asyncio.BaseTransport) -> None:
        """Remember a socket, to close it at the end."""
        self._open.add(transport)

    def closed(self, transport: asyncio.BaseTransport) -> None:
        """Forget a socket."""
        self._open.discard(transport)

    def _behaviour(self, query: Query, protocol: str) -> Behaviour:
        """Count a query and look up what to do with it by now."""
        behaviour, name = self._script.behaviour(query.name), _text(query)
        question = (name, query.type, protocol)
        self._queries[question] += 1
        self._lookups[question] += self._last.get(question) != query.message.id
        self._last[question] = query.message.id
        asked = sum(self._queries[name, query.type, how] for how in ("udp", "tcp"))
        if behaviour.later is not None and asked > behaviour.times:
            return behaviour.later
        return behaviour

    def _trouble(self, query: Query, behaviour: Behaviour) -> str:
        """Tell what goes wrong with a query, if anything."""
        name = _text(query)
        before = self._troubled[name]
        meant = not behaviour.trouble_types or query.type in behaviour.trouble_types
        if behaviour.trouble and meant and before != behaviour.trouble_times:
            self._troubled[name] += 1
            return behaviour.trouble
        return ""


def _text(query: Query) -> str:
    return query.name.to_text(omit_final_dot=True).lower()


class _Udp(asyncio.DatagramProtocol):
    """One packet, one query."""

    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        self._server.opened(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._server.closed(self._transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.handle(data, "udp", partial(self._send, addr))

    def _send(self, addr: tuple[str, int], answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(answer, addr)


class _Tcp(asyncio.Protocol):
    """Messages one after the other, each behind its length in two bytes (RFC 1035, 4.2.2)."""

    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._received = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._server.opened(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._server.closed(self._transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 2 + (size := int.from_bytes(self._received[:2])):
            wire, self._received = self._received[2 : 2 + size], self._received[2 + size :]
            self._server.handle(wire, "tcp", self._send)

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(len(answer).to_bytes(2) + answer)


@contextlib.contextmanager
def running_nameserver(script: Script, *, port: int = 0) -> Iterator[NameServer]:
    """
    Run a scripted name server in a thread of its own.

    Args:
        script: What to answer.
        port: On loopback; 0 takes one that is free.

    Raises:
        OSError: The port is taken.
    """
    server = NameServer(script, port=port)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="nameserver", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _sockets(port: int) -> tuple[socket.socket, socket.socket]:
    """Open a UDP and a TCP socket on the same port."""
    for attempt in range(PORT_ATTEMPTS):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            udp.bind((LOOPBACK, port))
            # Else the connections of a server that has just ended hold its port for a minute.
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind(udp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
            if port or attempt == PORT_ATTEMPTS - 1:
                raise
        else:
            return udp, tcp
    raise AssertionError


def main() -> None:
    """Serve the demo's zone on a loopback port."""
    parser = argparse.ArgumentParser(prog="python -m demo.nameserver", description=main.__doc__)
    parser.add_argument("--port", type=int, default=5354, help="on 127.0.0.1 (default: 5354)")
    port = parser.parse_args().port
    try:
        serve(port)
    except OSError as error:
        sys.exit(f"port {port} of {LOOPBACK} cannot be used: {error.strerror}")


def serve(port: int) -> None:
    """Answer from the demo's zone until interrupted."""
    with contextlib.suppress(KeyboardInterrupt), running_nameserver(ZONE, port=port) as server:
        print(
            f"Answering on {server.address}; try: host -p {port} python.org {LOOPBACK}", flush=True
        )
        threading.Event().wait()


if __name__ == "__main__":
    main()
