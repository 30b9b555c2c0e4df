"""An RDAP server on a loopback port, and the list of servers: what they say is told by the test."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

__all__ = ["CUT", "SILENCE", "Registry", "Reply", "running_registry"]

LOOPBACK = "127.0.0.1"
#: Instead of a reply: the connection ends, or nothing comes.
CUT, SILENCE = "cut", "silence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server says about one path."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Bytes as they are, or what JSON is made of.
    body: Any = b""

    def wire(self) -> bytes:
        """Return it as it is sent."""
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        fields = {"Content-Length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asked for."""

    path: str
    #: Names in lower case.
    headers: Mapping[str, str]


class Registry:
    """
    A web server; a path that it has no reply for is not found.

    Args:
        host: Where it listens.
    """

    def __init__(self, host: str = LOOPBACK) -> None:
        #: Path -> what is said, one after the other; the last one again and again.
        self.replies: dict[str, list[Reply | str]] = {}
        self.requests: list[Request] = []
        self.port = 0
        self._host = host
        self._connections: set[asyncio.Task[None]] = set()

    def url(self, host: str | None = None) -> str:
        """Return its URL, by its address or by a name."""
        return f"http://{host or self._host}:{self.port}/"

    def paths(self) -> list[str]:
        """List what was asked for."""
        return [request.path for request in self.requests]

    def say(self, path: str, *replies: Reply | str) -> None:
        """Set what is said about a path."""
        self.replies[path] = list(replies)

    async def __aenter__(self) -> Self:
        """Begin to answer; again at the same port."""
        self._server = await asyncio.start_server(self._serve, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answered(await reader.readuntil(b"\r\n\r\n"), writer):
                    pass
        except asyncio.CancelledError:
            # Streams would complain of a task that was cancelled.
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answered(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        fields = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        path = first.split(" ")[1]
        self.requests.append(Request(path=path, headers=headers))
        said = self.replies.get(path, [Reply(status=404)])
        reply = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(reply, str):
            if reply == SILENCE:
                await asyncio.Event().wait()
            return False
        writer.write(reply.wire())
        await writer.drain()
        return True


@contextlib.contextmanager
def running_registry(host: str = LOOPBACK) -> Iterator[Registry]:
    """Run one in a thread of its own."""
    loop = asyncio.new_event_loop()
    registry = Registry(host)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(registry.__aenter__(), loop).result(10)
        yield registry
        asyncio.run_coroutine_threadsafe(registry.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
