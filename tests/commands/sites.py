"""Web sites of every kind, good and evil: what each does, and what that makes of its name."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.services.web import page, reset

__all__ = ["BOMB_BYTES", "MORE_THAN_ENOUGH", "SITES", "Site", "answer"]

#: More than a header, a body, or anything else of the kind is allowed to be.
MORE_THAN_ENOUGH = 8 * 1024 * 1024
BOMB_BYTES = 400_000_000
HEAD = b"HTTP/1.1 200 OK\r\n"
PAGE = b"<html><head><title>A page</title></head></html>"

Write = Callable[[asyncio.StreamWriter, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Site:
    """One name."""

    status: str
    #: What it answers, or what writes that, given the server's port; `{port}` is replaced.
    does: bytes | Write
    #: What the error, or else the answer's title, must contain.
    says: str = ""
    #: How many connections it takes until that is clear.
    connections: int = 1


async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
    """Answer a request as the site does that it names."""
    host = head.partition(b"\r\nHost: ")[2].partition(b"\r\n")[0].decode()
    name, _, port = host.partition(":")
    path = head.split(b" ", 2)[1].decode()
    does = SITES[name].does if path == "/" else PATHS[path]
    if callable(does):
        await does(writer, int(port))
    else:
        writer.write(does.replace(b"{port}", port.encode()))


def endless(begin: bytes, part: bytes) -> Write:
    """Send something, and then something else for ever."""

    async def write(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(begin)
        while not writer.is_closing():
            writer.write(part)
            await writer.drain()

    return write


def drops(begin: bytes, part: bytes) -> Write:
    """Send something, and then a little every now and then, for ever."""

    async def write(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(begin)
        while not writer.is_closing():
            writer.write(part)
            await asyncio.sleep(0.05)

    return write


def broken_off(begin: bytes) -> Write:
    """Send something, and reset the connection."""

    async def write(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(begin)
        await writer.drain()
        # Else the reset overtakes what was sent.
        await asyncio.sleep(0.05)
        reset(writer)

    return write


async def silent(_writer: asyncio.StreamWriter, _port: int) -> None:
    """Say nothing."""
    await asyncio.Event().wait()


def leads(location: str, code: int = 302) -> bytes:
    """Redirect."""
    return page(code, Location=location)


def packed(text: bytes) -> bytes:
    """Compress a page, although nobody asked for it."""
    return page(200, gzip.compress(text), Content_Encoding="gzip")


LATIN = "<title>Grüße</title>".encode("latin-1")
#: What is behind `/`, for redirects within a site.
PATHS = {
    "/page": page(200, PAGE),
    "/1": leads("/2"),
    "/2": leads("/3"),
    "/3": leads("/4"),
    "/4": leads("/5"),
    "/5": leads("/page"),
    "/0": leads("/1"),
    "/there": leads("/back"),
    "/back": leads("/there"),
}
SITES = {
    # Answers.
    "ok.org": Site("ok", page(200, PAGE), "A page"),
    "created.org": Site("ok", page(201)),
    "empty.org": Site("ok", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "old.org": Site("ok", b"HTTP/1.0 200 OK\r\n\r\n" + PAGE, "A page"),
    "chunked.org": Site(
        "ok",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n18\r\n<title>In parts</title> \r\n0\r\n\r\n",
        "In parts",
    ),
    "early.org": Site("ok", b"HTTP/1.1 103 Early Hints\r\n\r\n" + page(200, PAGE), "A page"),
    "latin.org": Site("ok", page(200, LATIN, Content_Type="text/html; charset=latin-1"), "Grüße"),
    "gzip.org": Site("ok", packed(PAGE + b"." * 100_000), "A page"),
    "endless.org": Site("ok", endless(HEAD + b"\r\n" + PAGE, b"." * 10_000), "A page"),
    "missing.org": Site("client-error", page(404)),
    "forbidden.org": Site("client-error", page(403)),
    "broken.org": Site("server-error", page(500)),
    "busy.org": Site("server-error", page(503)),
    # Redirects.
    "moved.org": Site("ok", leads("http://ok.org:{port}/"), "A page", 2),
    "moved-for-ever.org": Site("ok", leads("//ok.org:{port}", 308), "A page", 2),
    "within.org": Site("ok", leads("page#part"), "A page", 2),
    "as-a-user.org": Site("ok", leads("http://name:word@ok.org:{port}/"), "A page", 2),
    "dot.org": Site("ok", leads("http://OK.org.:{port}/"), "A page", 2),
    "five.org": Site("ok", leads("/2"), "A page", 6),
    "six.org": Site("redirect-loop", leads("/1"), "max_hops", 6),
    "itself.org": Site("redirect-loop", leads("/"), "circle"),
    "circle.org": Site("redirect-loop", leads("/there"), "circle", 3),
    "nowhere.org": Site("redirect", page(302), "leads nowhere"),
    "no-url.org": Site("redirect", leads("http://[1"), "leads nowhere"),
    "no-name.org": Site("redirect", leads("http://a%00b/"), "leads nowhere"),
    "unchanged.org": Site("redirect", page(304), "leads nowhere"),
    "choice.org": Site("redirect", leads("/page", 300), "leads nowhere"),
    "to-missing.org": Site("no-address", leads("http://gone.net:{port}/"), "nxdomain"),
    "to-file.org": Site("blocked", leads("file:///etc/passwd"), "scheme 'file'"),
    "to-ftp.org": Site("blocked", leads("ftp://ok.org/"), "scheme 'ftp'"),
    "to-script.org": Site("blocked", leads("javascript:alert(1)"), "scheme 'javascript'"),
    "to-ssh.org": Site("blocked", leads("http://ok.org:22/"), "port 22"),
    "to-port-0.org": Site("blocked", leads("http://ok.org:0/"), "port 0"),
    # What is no HTTP.
    "hangs-up.org": Site("protocol-error", b"", "disconnected"),
    "ssh.org": Site("protocol-error", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "at http://ssh.org"),
    "noise.org": Site("protocol-error", bytes(range(256)) * 8, "at http://noise.org"),
    "strange-code.org": Site("protocol-error", page(700), "final"),
    "switches.org": Site("protocol-error", b"HTTP/1.1 101 Switching\r\n\r\n", "SWITCH"),
    "two-lengths.org": Site("protocol-error", page(200, content_length="9"), "Content-Length"),
    "short.org": Site("protocol-error", page(200, PAGE)[:-5], "complete"),
    "reset.org": Site("protocol-error", broken_off(b""), "broke the connection off", 3),
    "reset-amid.org": Site(
        "protocol-error",
        broken_off(HEAD + b"Content-Length: 9999\r\n\r\n" + PAGE),
        "broke the connection off",
        3,
    ),
    "endless-header.org": Site("protocol-error", endless(HEAD + b"X: ", b"x" * 1_000), "buffer"),
    "endless-lines.org": Site("protocol-error", endless(HEAD, b"X: x\r\n" * 100), "buffer"),
    "endless-hints.org": Site(
        "protocol-error", endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100), "more bytes came"
    ),
    # What is too slow.
    "silent.org": Site("timeout", silent, "not done within"),
    "slow-header.org": Site("timeout", drops(HEAD, b"X: x\r\n"), "not done within"),
    "slow-body.org": Site(
        "timeout", drops(HEAD + b"Content-Length: 9999\r\n\r\n", b"."), "not done within"
    ),
}  # fmt: skip
