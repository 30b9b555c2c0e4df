"""An HTTP server on loopback that keeps what is posted to it."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Webhook", "running_webhook"]


class Webhook(ThreadingHTTPServer):
    """
    What has come in.

    Args:
        statuses: What the first requests are answered; afterwards 200.
    """

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        #: The JSON of each request, also of those that were refused.
        self.posted: list[dict[str, Any]] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Keep it."""
        server = self.server
        assert isinstance(server, Webhook)
        length = int(self.headers["Content-Length"])
        server.posted.append(json.loads(self.rfile.read(length)))
        self.send_response(server.statuses.pop(0) if server.statuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def running_webhook(*statuses: int) -> Iterator[Webhook]:
    """Run one in a thread of its own."""
    with Webhook(*statuses) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
