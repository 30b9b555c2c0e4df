"""A reverse proxy that counts HTTP requests, in a thread of this process."""

import asyncio
import contextlib
import re
import threading
from collections import Counter
from collections.abc import Iterator

from tests.services.processes import free_port

__all__ = ["Counts", "running_counter"]

HOST = "127.0.0.1"
CHUNK_BYTES = 65536
#: Ids in a path, which would make each path another one.
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
UPGRADE = re.compile(rb"^upgrade:\s*websocket", re.IGNORECASE | re.MULTILINE)


class Counts:
    """What was asked for, through a port of its own."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        #: Method and path (an id in it is `<id>`) to how often; a websocket counts as one `WS`.
        self.requests: Counter[str] = Counter()
        self._target_port = target_port
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, end: asyncio.Event) -> None:
        """Serve until the end."""
        async with await asyncio.start_server(self._serve, HOST, self.port):
            end_of_all = asyncio.create_task(end.wait())
            await end_of_all
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        there, back = await asyncio.open_connection(HOST, self._target_port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._requests(reader, back))
                both.create_task(_copy(there, writer))
        except* (OSError, asyncio.IncompleteReadError):
            # One end is gone; so is the other one.
            pass
        finally:
            for one in (writer, back):
                one.close()
            self._serving.discard(task)

    async def _requests(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Hand on what a client sends, request by request."""
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b" ", 2)
            path = ID.sub("<id>", target.decode().partition("?")[0])
            is_websocket = UPGRADE.search(head) is not None
            self.requests[f"{'WS' if is_websocket else method.decode()} {path}"] += 1
            back.write(head)
            if is_websocket:
                await _copy(reader, back)
                return
            if length := LENGTH.search(head):
                back.write(await reader.readexactly(int(length[1])))
            await back.drain()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK_BYTES):
        sink.write(data)
        await sink.drain()
    sink.write_eof()


@contextlib.contextmanager
def running_counter(target_port: int) -> Iterator[Counts]:
    """
    Forward a free loopback port to a server that speaks HTTP 1, and count.

    Args:
        target_port: Of the server, on loopback. Bodies without a length (chunked) are not known.
    """
    counts = Counts(target_port)
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    def run() -> None:
        with contextlib.closing(loop):
            loop.run_until_complete(counts.serve(end))

    thread = threading.Thread(target=run, name="counter")
    thread.start()
    try:
        yield counts
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
