import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.load import AddressInvalid, AddressRefused, FetchError, FetchFailed, TooLarge, fetch
from tasks.load.fetch import fetch_allowed
from tests.services.processes import free_port

NAMES = b"a.com\nb.com\n"


class Handler(BaseHTTPRequestHandler):
    """Serves a file of names, and much that is none."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer by the path."""
        server = self.server
        assert isinstance(server, Server)
        server.hosts.append(self.headers["Host"])
        if self.path == "/names.txt":
            self.answer(200, NAMES)
        elif self.path == "/endless":
            self.endless()
        elif self.path.startswith("/hop/"):
            left = int(self.path.removeprefix("/hop/"))
            self.answer(302, location=f"/hop/{left - 1}" if left else "/names.txt")
        elif self.path.startswith("/to/"):
            self.answer(301, location=self.path.removeprefix("/to/"))
        elif self.path == "/broken":
            self.answer(200, NAMES, length=1000)
            self.close_connection = True
        else:
            self.answer(404)

    def answer(
        self, status: int, body: bytes = b"", *, location: str = "", length: int | None = None
    ) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def endless(self) -> None:
        """Send until nobody reads any more."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 65_536)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Remembers the Host header of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hosts: list[str] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


@pytest.fixture
def server() -> Iterator[Server]:
    """Give a running web server on loopback."""
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def fetched(url: str, directory: Path, *, allow_private: bool = True) -> bytes:
    """Fetch a small file."""
    return fetch(url, directory, allow_private=allow_private, max_bytes=1_000_000).read_bytes()


def error_of(url: str, directory: Path, *, allow_private: bool = True) -> Exception:
    """Fetch what cannot be fetched; nothing may be left of it."""
    with pytest.raises((FetchError, TooLarge)) as caught:
        fetched(url, directory, allow_private=allow_private)
    assert not list(directory.iterdir())
    assert str(caught.value).endswith(".")
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_fetch(host: str, server: Server, tmp_path: Path) -> None:
    """A file comes as it is, and the server sees the name that the user wrote."""
    assert fetched(f" http://{host}:{server.port}/names.txt ", tmp_path) == NAMES
    assert server.hosts == [f"{host}:{server.port}"]


def test_redirects(server: Server, tmp_path: Path) -> None:
    """Five redirects are followed, a sixth is not."""
    base = f"http://127.0.0.1:{server.port}/hop"
    assert fetched(f"{base}/4", tmp_path / "..") == NAMES
    error = error_of(f"{base}/5", tmp_path)
    assert isinstance(error, FetchFailed)
    assert "more than 5 times" in str(error)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"]
)
def test_private_address(host: str, server: Server, tmp_path: Path) -> None:
    """A private address is refused before any connection, however it is written."""
    url = f"http://{host}:{server.port}/names.txt"
    assert isinstance(error_of(url, tmp_path, allow_private=False), AddressRefused)
    assert not server.hosts


def test_redirect_to_a_private_address(server: Server, tmp_path: Path) -> None:
    """Each hop is checked anew: an allowed host cannot send us to one that is not."""
    with socket.create_server(("127.0.0.2", 0)) as listener:
        listener.settimeout(0.2)
        target = f"http://127.0.0.2:{listener.getsockname()[1]}/"
        url = f"http://127.0.0.1:{server.port}/to/{target}"
        with pytest.raises(AddressRefused):
            fetch_allowed(url, tmp_path, is_allowed={"127.0.0.1"}.__contains__, max_bytes=1000)
        assert server.hosts == [f"127.0.0.1:{server.port}"]
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    "source",
    [
        "", "names.txt", "example.com/names.txt", "ftp://example.com/x", "file:///etc/passwd",
        "http://", "http:///x", "https://exa mple.com", "http://[::1", "javascript:alert(1)",
        "http://a\0b.com/", "http://a.com:99999/",
    ],
)  # fmt: skip
def test_not_a_web_address(source: str, tmp_path: Path) -> None:
    """What is no http(s) address is an error that shows one."""
    error = error_of(source, tmp_path)
    assert isinstance(error, AddressInvalid)
    assert "https://" in str(error)


@pytest.mark.parametrize("target", ["ftp://example.com/x", "file:///etc/passwd", "data:,x"])
def test_redirect_to_what_is_no_web_address(target: str, server: Server, tmp_path: Path) -> None:
    """A redirect cannot lead out of the web."""
    url = f"http://127.0.0.1:{server.port}/to/{target}"
    assert isinstance(error_of(url, tmp_path), AddressInvalid)


def test_too_large(server: Server, tmp_path: Path) -> None:
    """An endless answer ends at the bound."""
    error = error_of(f"http://127.0.0.1:{server.port}/endless", tmp_path)
    assert isinstance(error, TooLarge)


@pytest.mark.parametrize(("path", "words"), [("missing", "404"), ("broken", "cannot be read")])
def test_bad_answer(path: str, words: str, server: Server, tmp_path: Path) -> None:
    """An error of the server, or half an answer, is no file."""
    error = error_of(f"http://127.0.0.1:{server.port}/{path}", tmp_path)
    assert isinstance(error, FetchFailed)
    assert words in str(error)


def test_connection_refused(tmp_path: Path) -> None:
    """A port where nobody listens is a failure that may pass."""
    assert isinstance(error_of(f"http://127.0.0.1:{free_port()}/", tmp_path), FetchFailed)


def test_unknown_host(tmp_path: Path) -> None:
    """A host that no name server knows is a failure that names it."""
    error = error_of("http://no-such-host.invalid/", tmp_path)
    assert isinstance(error, FetchFailed)
    assert "no-such-host.invalid" in str(error)


def test_proxies_of_the_environment_are_ignored(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would connect to where it likes: the checked address is all that counts."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetched(f"http://127.0.0.1:{server.port}/names.txt", tmp_path) == NAMES
