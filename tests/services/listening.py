"""A TCP server on loopback that does with each connection what a test says, with TLS or without."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator
from socket import SO_LINGER, SOL_SOCKET

from tests.services.loops import running_loop

__all__ = ["Listener", "closes", "listening", "resets", "says", "silent"]

#: Turns of a loop in which what the kernel has taken for it is accepted and served, and more.
TURNS = 50
Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Counts the connections, and knows those that are open."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._open: set[asyncio.StreamWriter] = set()
        self._connections = 0
        #: Where it listens on 127.0.0.1.
        self.port = 0

    @property
    def connections(self) -> int:
        """Say how many there have been, as long as it runs; with TLS, whose handshake was done."""
        return asyncio.run_coroutine_threadsafe(self._settled(), self._loop).result()

    async def start(self, context: ssl.SSLContext | None, host: str) -> None:
        """Listen at a free port."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, host, 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and hang up."""
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        # A closed transport leaves in the next turn of the loop.
        await asyncio.sleep(0)

    async def _settled(self) -> int:
        # To its client a connection is there before it is accepted here.
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return self._connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        self._open.add(writer)
        try:
            await self._client(reader, writer)
        except OSError:
            pass
        finally:
            writer.close()
            # What is not sent yet keeps it open; a loop that ends meanwhile would leave it so.
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._open.discard(writer)


@contextlib.contextmanager
def listening(
    client: Client, *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Listener]:
    """
    Serve in a thread of its own.

    Args:
        client: Called with each connection; afterwards it is closed.
        context: For TLS.
        host: An address of this machine.
    """
    listener = Listener(client)
    with running_loop("listener") as loop:
        asyncio.run_coroutine_threadsafe(listener.start(context, host), loop).result()
        try:
            yield listener
        finally:
            asyncio.run_coroutine_threadsafe(listener.stop(), loop).result()


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Say nothing until the other side hangs up."""
    while await reader.read(65_536):
        pass


async def closes(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Hang up at the first word."""
    await reader.read(1)


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection at the first word."""
    await reader.read(1)
    # On, and for no time: what is closed then is reset.
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


def says(*pieces: bytes) -> Client:
    """Say the same to everybody, whatever they say first."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return client
