"""Web servers on loopback that do as a function says, byte by byte, also what no server should."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator

from tests.services.loops import running_loop

__all__ = ["Listener", "Talk", "page", "reset", "running_listener", "running_web"]

#: What a server does with a connection.
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
#: What a server does with a request, given the bytes of its head.
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """
    A server that counts who comes.

    Args:
        talk: What it does with a connection, which is closed behind it.
        tls: Without it the server speaks none.
    """

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None) -> None:
        self._talk = talk
        self._tls = tls
        self._talking: set[asyncio.Task[None]] = set()
        #: Connections that were accepted so far; with TLS, those whose handshake was good.
        self.connections = 0
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._client, host, port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and end all connections."""
        self._server.close()
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talking.add(task)
        task.add_done_callback(self._talking.discard)
        self.connections += 1
        # That clients hang up, and that the test is over, is what happens here.
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await self._talk(reader, writer)
        writer.close()


@contextlib.contextmanager
def running_listener(
    talk: Talk, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Listener]:
    """Serve in a thread of its own."""
    listener = Listener(talk, tls)
    with running_loop("web") as loop:
        asyncio.run_coroutine_threadsafe(listener.start(host, port), loop).result()
        try:
            yield listener
        finally:
            asyncio.run_coroutine_threadsafe(listener.stop(), loop).result()


@contextlib.contextmanager
def running_web(
    answer: Answer, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Listener]:
    """Serve what is done with a request when its head has come."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(await reader.readuntil(b"\r\n\r\n"), writer)
        await writer.drain()

    with running_listener(talk, host=host, port=port, tls=tls) as listener:
        yield listener


def page(code: int, body: bytes = b"", **headers: str) -> bytes:
    """Write a whole answer; an underscore in the name of a header is a hyphen."""
    lines = [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
    head = [f"HTTP/1.1 {code} Words", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by a reset (RST)."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
