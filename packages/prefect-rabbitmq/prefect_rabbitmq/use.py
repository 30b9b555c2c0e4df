"""How far a worker is used up."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from prefect_rabbitmq.settings import Limits


@dataclass(slots=True)
class Use:
    """What a worker's limits are about."""

    #: By `time.monotonic`.
    began: float = field(default_factory=time.monotonic)
    #: Messages that came to an end.
    messages: int = 0

    def exceeds(self, limits: Limits, memory_mb: float) -> str:
        """
        Return the limit that is reached, in words, or nothing.

        Args:
            limits: All of them.
            memory_mb: What the tasks' process holds, in MB.
        """
        if limits.message_limit and self.messages >= limits.message_limit:
            return f"Message limit of {limits.message_limit} reached"
        if limits.memory_limit_mb and memory_mb > limits.memory_limit_mb:
            return f"Memory limit of {limits.memory_limit_mb:g} MB reached"
        seconds = limits.time_limit_seconds
        if seconds and time.monotonic() - self.began >= seconds:
            return f"Time limit of {seconds:g} s reached"
        return ""
