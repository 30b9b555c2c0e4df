"""What each kind of web server makes of a name, over HTTPS, with certificates good and bad."""

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from demo.behaviours import answers
from demo.script import Script
from tests.commands.cron_frame.shop import wait_for
from tests.commands.stage import Stage, running_stage
from tests.services.asgi import running_asgi
from tests.services.web import Talk, page, reset, running_listener, running_web

PAGE = b"<title>Over HTTP/2</title>"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[trustme.CA]:
    """Give an authority that the command trusts."""
    made = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    made.cert_pem.write_to_path(str(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(path))
        yield made


@pytest.fixture(scope="module")
def stage(authority: trustme.CA) -> Iterator[Stage]:
    """Give a name server by which every name leads to this machine."""
    script = Script({"*": answers(A="127.0.0.1")})
    with running_stage(script, scheme="https") as running:
        yield running


def context(certificate: trustme.LeafCert, *protocols: str) -> ssl.SSLContext:
    """Make what a server's TLS needs."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    made.set_alpn_protocols(protocols)
    return made


async def application(scope: dict[str, Any], _receive: object, send: Any) -> None:
    """Answer by HTTP/2 or HTTP/1.1, at some paths too much."""
    if scope["type"] != "http":
        return
    headers = dict(scope["headers"])
    told = [(b"x-host", headers.get(b"host", b"")), (b"server", b"s" * 1_000)]
    if scope["path"] == "/away":
        told.append((b"location", b"/"))
    status = 302 if scope["path"] == "/away" else 200
    await send({"type": "http.response.start", "status": status, "headers": told})
    more = scope["path"] == "/endless"
    await send({"type": "http.response.body", "body": PAGE, "more_body": more})
    for _ in range(100 * more):
        await send({"type": "http.response.body", "body": b"." * 10_000, "more_body": True})


@pytest.fixture(scope="module")
def https(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the port of a good server of two names."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate = authority.issue_cert("good.org", "www.good.org")
    paths = folder / "certificate.pem", folder / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(str(paths[0]))
    certificate.private_key_pem.write_to_path(str(paths[1]))
    with running_asgi(application, certificate=paths[0], key=paths[1]) as port:
        yield port


@pytest.mark.parametrize(("http2", "version"), [(True, "HTTP/2"), (False, "HTTP/1.1")])
@pytest.mark.parametrize(("path", "hops"), [("/", 0), ("/away", 1), ("/endless", 0)])
def test_a_page_over_tls(
    stage: Stage, https: int, path: str, hops: int, *, http2: bool, version: str
) -> None:
    """A good server's page is read by the newest protocol that both speak, and no more of it."""
    outcome = stage.outcome("good.org", https_port=https, path=path, http2=http2)
    assert outcome.status == "ok", outcome
    answer = outcome.answer or {}
    assert answer["http_version"] == version
    assert answer["title"] == "Over HTTP/2"
    assert answer["server"] == "s" * 200
    assert len(answer["hops"]) == hops
    assert answer["body_bytes"] == (65_536 if path == "/endless" else len(PAGE))


def test_a_certificate_is_for_one_name(stage: Stage, https: int) -> None:
    """Each name is asked for over a connection of its own, whose certificate must be its own."""
    names = ("good.org", "www.good.org", "bad.org")
    checked = stage.check(*names, https_port=https)
    assert checked.statuses == {"good.org": "ok", "www.good.org": "ok", "bad.org": "tls-error"}
    assert "Hostname mismatch" in str(checked.outcomes["bad.org"].error)


def test_a_name_is_told_to_the_server(stage: Stage, authority: trustme.CA) -> None:
    """The name, and not the address, is what the server is told: in TLS and in HTTP."""
    told: list[object] = []
    heads: list[bytes] = []
    tls = context(authority.issue_cert("a.org"), "http/1.1")
    tls.sni_callback = lambda _object, name, _context: told.append(name)

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(page(200))

    with running_web(answer, tls=tls) as web:
        assert stage.outcome("a.org", https_port=web.port, path="/x?y=1").status == "ok"
    assert told == ["a.org"]
    (head,) = heads
    assert head.startswith(f"GET /x?y=1 HTTP/1.1\r\nHost: a.org:{web.port}\r\n".encode())
    assert b"Accept-Encoding: identity\r\n" in head
    assert b"User-Agent: Rollcall" in head


def bad(authority: trustme.CA, kind: str) -> trustme.LeafCert:
    """Issue a certificate that is not good."""
    if kind == "unknown":
        return trustme.CA().issue_cert("a.org")
    if kind == "expired":
        return authority.issue_cert("a.org", not_after=datetime.now(UTC) - timedelta(days=1))
    return authority.issue_cert("b.org")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("unknown", "unable to get local issuer"),
        ("expired", "expired"),
        ("another's", "Hostname mismatch"),
    ],
)
def test_a_bad_certificate_is_told(
    stage: Stage, authority: trustme.CA, kind: str, says: str
) -> None:
    """A bad certificate is the status, with the reason; only who says so goes on without one."""

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(page(200))

    tls = context(bad(authority, kind), "http/1.1")
    with running_web(answer, tls=tls) as web, running_web(answer) as plain:
        ports = {"https_port": web.port, "http_port": plain.port}
        outcome = stage.outcome("a.org", scheme="https-then-http", **ports)
        assert outcome.status == "tls-error"
        assert says in str(outcome.error)
        assert plain.connections == 0
        assert stage.outcome("a.org", **ports, verify=False).status == "ok"


async def hang_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Hang up."""


async def plain_http(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak no TLS."""
    writer.write(page(400))


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection amid the handshake."""
    await reader.read(100)
    reset(writer)


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a handshake that never ends: empty records of it, for ever."""
    while not writer.is_closing():
        writer.write(b"\x16\x03\x03\x00\x00" * 100)
        await writer.drain()


async def says_nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Say nothing."""
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("talk", "status"),
    [
        (hang_up, "tls-error"),
        (plain_http, "tls-error"),
        (resets, "tls-error"),
        (endless, "tls-error"),
        (says_nothing, "timeout"),
    ],
)
def test_a_broken_handshake_is_told(stage: Stage, talk: Talk, status: str) -> None:
    """A server that accepts connections and does not get through with TLS is told as that."""
    with running_listener(talk) as listener:
        checked = stage.check("a.org", https_port=listener.port, timeout_seconds=3.0)
        assert checked.statuses == {"a.org": status}, checked.outcomes
        # To its client a connection is there before the server has accepted it.
        wait_for(lambda: listener.connections)
        assert listener.connections == 1


def demand(listening: socket.socket, tls: ssl.SSLContext) -> None:
    """Demand the certificate of whoever comes first, and say that there is none."""
    client = tls.wrap_socket(listening.accept()[0], server_side=True, do_handshake_on_connect=False)
    # An end with bytes unread would be a reset, which overtakes what was said.
    with client, socket.socket(fileno=os.dup(client.fileno())) as bare:
        with pytest.raises(ssl.SSLError):
            client.do_handshake()
        while bare.recv(1_000):
            pass


def test_a_demand_for_our_certificate_is_told(stage: Stage, authority: trustme.CA) -> None:
    """A server that wants to know who asks, which TLS 1.3 says after the handshake, is TLS's."""
    tls = context(authority.issue_cert("a.org"), "http/1.1")
    tls.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:
        demanded = pool.submit(demand, listening, tls)
        outcome = stage.outcome("a.org", https_port=listening.getsockname()[1])
        demanded.result()
    assert outcome.status == "tls-error", outcome
    assert "certificate required" in str(outcome.error).lower().replace("_", " ")


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """Write a frame of HTTP/2 (RFC 9113, 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_HEADERS = 4
OK = frame(HEADERS, b"\x88", flags=END_HEADERS, stream=1)
BOMB = b"\x82" * 16_384
EVIL = {
    "goes away": (frame(GOAWAY, bytes(8)), "protocol-error"),
    "resets": (frame(RST_STREAM, bytes(4), stream=1), "protocol-error"),
    "resets amid": (OK + frame(RST_STREAM, bytes(4), stream=1), "protocol-error"),
    "hangs up amid": (OK + frame(DATA, b"x", stream=1), "protocol-error"),
    "no frames": (page(200), "protocol-error"),
    "no frames amid": (OK + bytes(range(256)), "protocol-error"),
    "data first": (frame(DATA, b"x", stream=1), "protocol-error"),
    "endless header": (
        frame(HEADERS, b"\x88", stream=1) + frame(CONTINUATION, stream=1) * 100_000,
        "protocol-error",
    ),
    "long header": (frame(HEADERS, b"\x88" + BOMB, flags=END_HEADERS, stream=1) * 40,
        "protocol-error"),
    "endless pings": (frame(PING, bytes(8)) * 100_000, "protocol-error"),
    "strange code": (
        frame(HEADERS, b"\x08\x03abc", flags=END_HEADERS, stream=1), "protocol-error"
    ),
}  # fmt: skip


def speaks(wire: bytes) -> Talk:
    """Answer a request by HTTP/2 with these bytes, and hang up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)
        writer.write(frame(SETTINGS) + wire)
        await writer.drain()

    return talk


@pytest.mark.parametrize("kind", EVIL)
def test_broken_http2_is_told(stage: Stage, authority: trustme.CA, kind: str) -> None:
    """Whatever frames a server sends, the name gets a status, soon."""
    wire, status = EVIL[kind]
    tls = context(authority.issue_cert("a.org"), "h2")
    with running_listener(speaks(wire), tls=tls) as listener:
        outcome = stage.outcome("a.org", https_port=listener.port)
    assert outcome.status == status, outcome
