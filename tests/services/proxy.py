"""A TCP path that breaks on demand: a proxy before a server, in a thread of this process."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

from tests.services.processes import free_port

__all__ = ["Proxy", "running_proxy"]

HOST = "127.0.0.1"
#: How long one of its orders may take on a busy machine.
ORDER_SECONDS = 30.0
CHUNK_BYTES = 65536
#: Far more than the few turns of a loop that it takes to begin with a connection.
SETTLE_SECONDS = 0.05


class Proxy:
    """
    Forwards a port of its own to another one, and does what a bad network does when told so.

    All orders are carried out when they return; they may come from any thread.

    Args:
        target_port: On loopback.
        loop: It runs in another thread.
    """

    def __init__(self, target_port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._loop = loop
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[Any]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._serving)

    def cut(self) -> None:
        """Reset all connections (RST, to both ends); new ones are welcome at once."""
        self._do(self._cut())

    def refuse(self) -> None:
        """Reset all connections and refuse new ones, until `accept`. Again is nothing."""
        self._do(self._refuse())

    def accept(self) -> None:
        """Take new connections again, at the same port. Again is nothing."""
        self._do(self._accept())

    def stall(self) -> None:
        """Hold back all bytes, and the ends of connections as well, until `resume`."""
        self._do(self._flow(flowing=False))

    def resume(self) -> None:
        """Hand on what was held back, and all that comes."""
        self._do(self._flow(flowing=True))

    def _do(self, order: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(order, self._loop).result(ORDER_SECONDS)

    async def _accept(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def _refuse(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
            # What was accepted a moment ago is not among those that are served yet.
            await asyncio.sleep(SETTLE_SECONDS)
        await self._cut()

    async def _cut(self) -> None:
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _flow(self, *, flowing: bool) -> None:
        if flowing:
            self._flowing.set()
        else:
            self._flowing.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        writers = [writer]
        try:
            there, back = await asyncio.open_connection(HOST, self._target_port)
            writers.append(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward(reader, back))
                both.create_task(self._forward(there, writer))
        except (asyncio.CancelledError, OSError, ExceptionGroup):
            # Cut by us, or one end has broken: so is the other one.
            for one in writers:
                _reset(one)
        finally:
            for one in writers:
                one.close()
                with contextlib.suppress(OSError):
                    await one.wait_closed()
            self._serving.discard(task)

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK_BYTES):
            await self._flowing.wait()
            sink.write(data)
            await sink.drain()
        await self._flowing.wait()
        sink.write_eof()


@contextlib.contextmanager
def running_proxy(target_port: int) -> Iterator[Proxy]:
    """
    Forward a free loopback port to another one, which need not be open yet.

    Args:
        target_port: Of a server on loopback.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
    thread.start()
    proxy = Proxy(target_port, loop)
    try:
        proxy.accept()
        yield proxy
    finally:
        proxy.refuse()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a socket so that its other end sees a reset, without waiting for unsent bytes."""
    opened: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
