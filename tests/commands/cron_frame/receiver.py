"""An HTTP server that takes feeds, on loopback, and fails in the ways that it is told."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat

from tests.services.web import page, reset, running_listener

__all__ = ["Receiver", "Request", "Tus", "answers", "cuts", "receiving", "silent", "slowly"]

SLOWLY_BYTES = 16_384


@dataclass
class Request:
    """What has come in, so far."""

    method: str
    target: str
    #: Names in lower case.
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    #: Whether all of it has come.
    whole: bool = False


Talk = Callable[[Request, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def take(request: Request, reader: asyncio.StreamReader, most: int | None = None) -> None:
    """Read the body, or so many bytes of it."""
    length = int(request.headers.get("content-length", "0"))
    goal = length if most is None else most
    while len(request.body) < goal:
        piece = await reader.read(min(65_536, goal - len(request.body)))
        if not piece:
            return
        request.body += piece
    request.whole = len(request.body) == length


def answers(code: int = 204, words: bytes = b"", **headers: str) -> Talk:
    """Take all, and answer."""

    async def talk(
        request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await take(request, reader)
        writer.write(page(code, words, **headers))
        await writer.drain()

    return talk


def cuts(after: int) -> Talk:
    """Drop the connection after so many bytes of the body."""

    async def talk(
        request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await take(request, reader, after)
        reset(writer)

    return talk


async def silent(
    request: Request, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
) -> None:
    """Take all, and say nothing for as long as the other side waits."""
    await take(request, reader)
    await reader.read()


async def slowly(
    request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Read in small pieces with pauses, then answer."""
    length = int(request.headers["content-length"])
    while len(request.body) < length:
        await take(request, reader, min(len(request.body) + SLOWLY_BYTES, length))
        await asyncio.sleep(0.01)
    writer.write(page(204))


class Receiver:
    """
    Does one thing after the other, and the last one for ever.

    Args:
        script: What is done with each request.
    """

    def __init__(self, *script: Talk) -> None:
        steps = script or (answers(),)
        self._script = chain(steps, repeat(steps[-1]))
        self.requests: list[Request] = []
        #: Target -> how many requests for it are under way, and the most that there were at once.
        self.under_way: dict[str, int] = {}
        self.at_once: dict[str, int] = {}
        #: The most requests that were under way at once, for whatever target.
        self.together = 0
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")[:-2]
            method, target, _ = first.split(" ")
            pairs = (line.partition(": ") for line in lines)
            request = Request(method, target, {name.lower(): text for name, _, text in pairs})
            self.requests.append(request)
            self._begins(target)
            try:
                await self.serve(request, reader, writer)
            finally:
                self.under_way[target] -= 1
            await writer.drain()

    def _begins(self, target: str) -> None:
        self.under_way[target] = self.under_way.get(target, 0) + 1
        self.at_once[target] = max(self.at_once.get(target, 0), self.under_way[target])
        self.together = max(self.together, sum(self.under_way.values()))

    async def serve(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Do what comes next with a request."""
        await next(self._script)(request, reader, writer)


class Tus(Receiver):
    """
    Speaks tus 1.0: creation, HEAD, PATCH.

    Args:
        cut_after: For each PATCH the bytes after which its connection is dropped; None: it is not.
        forgets: Whether it has forgotten each upload that was cut.
        holds: Whether it does not drop them, but stops reading until it is released.
    """

    def __init__(self, *cut_after: int | None, forgets: bool = False, holds: bool = False) -> None:
        super().__init__()
        self._cuts = chain(cut_after, repeat(None))
        self._forgets = forgets
        self._holds = holds
        self.released = threading.Event()
        #: Address -> what has come of it, and how long it is to be.
        self.uploads: dict[str, bytearray] = {}
        self.lengths: dict[str, int] = {}

    async def serve(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Do as the protocol says."""
        assert request.headers["tus-resumable"] == "1.0.0"
        if request.method == "POST":
            address = f"/uploads/{len(self.lengths)}?token=sesame"
            self.uploads[address] = bytearray()
            self.lengths[address] = int(request.headers["upload-length"])
            writer.write(page(201, Tus_Resumable="1.0.0", Location=address))
        elif request.target not in self.uploads:
            await take(request, reader)
            writer.write(page(404))
        elif request.method == "HEAD":
            offset = len(self.uploads[request.target])
            length = self.lengths[request.target]
            writer.write(page(200, Upload_Offset=str(offset), Upload_Length=str(length)))
        else:
            await self._patch(request, reader, writer)

    async def _patch(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        upload = self.uploads[request.target]
        assert int(request.headers["upload-offset"]) == len(upload)
        assert request.headers["content-type"] == "application/offset+octet-stream"
        most = next(self._cuts)
        await take(request, reader, most)
        if self._holds:
            await asyncio.to_thread(self.released.wait)
            await take(request, reader)
        upload += request.body
        if most is not None:
            if self._forgets:
                del self.uploads[request.target]
            reset(writer)
            return
        writer.write(page(204, Tus_Resumable="1.0.0", Upload_Offset=str(len(upload))))


@contextlib.contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """Serve in a thread of its own."""
    with running_listener(receiver.talk) as listener:
        receiver.port = listener.port
        yield receiver
