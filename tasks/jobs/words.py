"""How a job is called where people read it."""

from __future__ import annotations

import json
from typing import Any

#: Most characters of a payload in a name.
MOST_PAYLOAD = 60


def called(command: str, payload: Any = None, number: int | None = None, **_: Any) -> str:
    """Return the name of a job's task run: `cron_frame 5 #17`."""
    said = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    short = said if len(said) <= MOST_PAYLOAD else f"{said[: MOST_PAYLOAD - 1]}…"
    words = [command, "" if payload is None else short, f"#{number}" if number else ""]
    return " ".join(" ".join(words).split())
