"""
What a worker and its tasks' process say to each other, over a socket: JSON, and at times a body.

Worker: `{"do": "run", "tag": 7, "id": "…"}` with the message, `{"do": "cancel", "tags": [7]}`,
`{"do": "stop"}`.
Process: `{"is": "ready"}`, `{"is": "broken", "reason": "…"}`,
`{"is": "using", "memory_mb": 180.2}`,
`{"is": "done", "tag": 7, "outcome": "completed", "reason": ""}` with the reply.
"""

from __future__ import annotations

import json
import threading
from multiprocessing.connection import Connection
from typing import Any


class Pipe:
    """One end; any thread may send, one receives."""

    def __init__(self, descriptor: int) -> None:
        """Take over a socket's file descriptor."""
        self._connection = Connection(descriptor)
        self._lock = threading.Lock()

    def send(self, told: dict[str, Any], body: bytes = b"") -> bool:
        """Send something; returns whether the other end is still there."""
        data = json.dumps(told).encode() + b"\n" + body
        try:
            with self._lock:
                self._connection.send_bytes(data)
        except (OSError, ValueError):
            return False
        return True

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        """Wait for what the other end sends next; None once it is gone."""
        try:
            told, _, body = self._connection.recv_bytes().partition(b"\n")
        except (EOFError, OSError):
            return None
        return json.loads(told), body

    def close(self) -> None:
        """Close this end."""
        self._connection.close()
