"""Prefect's server asked over HTTP: it may be away, or too busy to answer (503)."""

import time
from collections.abc import Callable
from typing import Any

import httpx

__all__ = ["ask_api", "patient"]

#: Seconds until one gives up.
PATIENCE = 120.0
#: Seconds between two tries.
AGAIN_SECONDS = 0.5


def ask_api(method: str, url: str, body: Any = None) -> Any:
    """Return the JSON that is answered, or nothing where the answer is empty."""
    answer = patient(
        lambda: httpx.request(method, url, json=body, timeout=60).raise_for_status(),
    )
    return answer.json() if answer.content else None


def patient(call: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
    """Call something again and again while the server is away."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(AGAIN_SECONDS)
