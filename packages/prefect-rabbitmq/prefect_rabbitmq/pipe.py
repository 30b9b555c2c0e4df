"""
What a worker and its tasks' process say to each other, over a socket, as JSON.

Worker: `{"do": "run", "tag": 7, "id": "…", "body": "…"}`, `{"do": "cancel", "tags": [7]}`,
`{"do": "stop"}`.
Process: `{"is": "ready"}`, `{"is": "broken", "reason": "…"}`,
`{"is": "done", "tag": 7, "outcome": "completed", "reply": "…", "reason": "", "memory_mb": 180.2}`.
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

    def send(self, **told: Any) -> bool:
        """Send something; returns whether the other end is still there."""
        data = json.dumps(told).encode()
        try:
            with self._lock:
                self._connection.send_bytes(data)
        except (OSError, ValueError):
            return False
        return True

    def receive(self) -> dict[str, Any] | None:
        """Wait for what the other end sends next; None once it is gone."""
        try:
            told: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError, ValueError):
            return None
        return told

    def close(self) -> None:
        """Close this end."""
        self._connection.close()
