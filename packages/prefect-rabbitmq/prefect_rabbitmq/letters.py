"""
A dead letter: what it says of itself.

A worker gives one the headers named here. One that RabbitMQ itself gave up has `x-death` instead.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pika
from pydantic import BaseModel, ConfigDict

from prefect_rabbitmq import topology

__all__ = ["DIED_AT", "REASON", "WORK_QUEUE", "DeadLetter", "Letter", "alive_again", "record"]

#: Headers: why, the work queue it was on, and when (ISO 8601).
REASON, WORK_QUEUE, DIED_AT = "x-reason", "x-work-queue", "x-dead-at"
#: How the names of the headers begin that tell of an earlier death.
OF_A_DEATH = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")
#: So much of a body is shown, in characters.
BODY_CHARACTERS = 2_000
#: The reasons of RabbitMQ, in words.
REASONS = {
    "delivery_limit": "RabbitMQ had delivered it too often without an acknowledgement",
    "expired": "its time to live was over",
    "maxlen": "its queue was full",
    "rejected": "a consumer rejected it",
}


class DeadLetter(BaseModel):
    """One message that could not be run."""

    model_config = ConfigDict(frozen=True)

    #: That of its publisher; for one without, a checksum of its body.
    message_id: str
    #: The task that it names; empty if nobody can read that.
    task: str
    #: Why it is here.
    reason: str
    #: Where it was before; empty if nothing tells.
    work_queue: str
    died_at: datetime | None
    #: Its beginning, as text.
    body: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it lies in the queue."""

    tag: int
    properties: pika.BasicProperties
    body: bytes

    @property
    def message_id(self) -> str:
        """As `DeadLetter` has it."""
        return self.properties.message_id or f"sha256:{hashlib.sha256(self.body).hexdigest()[:16]}"

    @property
    def headers(self) -> dict[str, Any]:
        """What came with it."""
        return self.properties.headers or {}

    @property
    def last_death(self) -> dict[str, Any]:
        """What RabbitMQ wrote of its latest death, if it did."""
        deaths = self.headers.get("x-death")
        latest = deaths[0] if isinstance(deaths, list) and deaths else None
        return latest if isinstance(latest, dict) else {}


def record(pool: str, letter: Letter) -> DeadLetter:
    """Return what people want to know of a letter; never fails, whatever somebody has sent."""
    death = letter.last_death
    # Bytes first: a body may be large.
    text = letter.body[: 4 * BODY_CHARACTERS].decode(errors="replace")
    code = str(death.get("reason", ""))
    return DeadLetter(
        message_id=letter.message_id,
        task=_task(letter.body),
        reason=str(letter.headers.get(REASON) or REASONS.get(code, code) or "unknown"),
        work_queue=str(letter.headers.get(WORK_QUEUE) or _work_queue(pool, death)),
        died_at=_time(letter.headers.get(DIED_AT) or death.get("time")),
        body=text if len(text) <= BODY_CHARACTERS else f"{text[:BODY_CHARACTERS]}…",
    )


def alive_again(properties: pika.BasicProperties) -> pika.BasicProperties:
    """Remove what was written of the death."""
    headers = {
        name: value
        for name, value in (properties.headers or {}).items()
        if name not in {REASON, WORK_QUEUE, DIED_AT} and not name.startswith(OF_A_DEATH)
    }
    properties.headers = headers or None
    properties.reply_to = None
    return properties


def alone(body: bytes) -> bytes:
    """
    Return a message without the task run that it stood for.

    That has ended, and perhaps its flow run as well; a worker would drop it.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(message, dict) or "task_run" not in message:
        return body
    return json.dumps({key: value for key, value in message.items() if key != "task_run"}).encode()


def _work_queue(pool: str, death: dict[str, Any]) -> str:
    prefix, queue = topology.queue_name(pool, ""), str(death.get("queue", ""))
    return queue.removeprefix(prefix) if queue.startswith(prefix) else ""


def _task(body: bytes) -> str:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    task = message.get("task") if isinstance(message, dict) else None
    return task if isinstance(task, str) else ""


def _time(value: Any) -> datetime | None:
    with contextlib.suppress(ValueError):
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(time, datetime):
            return time.replace(tzinfo=time.tzinfo or UTC)
    return None
