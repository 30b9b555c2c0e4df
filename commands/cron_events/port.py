"""What `cron_events` needs of the world around it: news, and an outbox that remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, get_args
from uuid import UUID

#: Of what a subscriber may be told.
Topic = Literal["changes", "runs", "jobs"]
TOPICS: tuple[Topic, ...] = get_args(Topic)
#: Mails that have come to a stop, and may be sent again when somebody says so.
Stopped = Literal["unsure", "failed"]


class OutboxAway(Exception):
    """The outbox cannot be reached, for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One domain whose result is another one than in the run before."""

    check: str
    domain: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run that has ended."""

    #: Its list's.
    name: str
    ended_at: datetime
    #: Its page; empty where nobody knows.
    url: str = ""
    #: Check -> status -> domains.
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    #: Check -> results that changed.
    changes: Mapping[str, int] = field(default_factory=dict)
    #: The first of them.
    examples: Sequence[Changed] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedJobs:
    """Jobs of one command that failed with one error."""

    command: str
    error: str
    count: int
    #: Of the last one, with its number in the work queue.
    work_queue: str
    number: int
    payload: str
    ended_at: datetime
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one mail tells."""

    #: How many there are of each topic.
    counts: Mapping[Topic, int]
    #: The last runs and the most frequent failures; there may be more.
    runs: Sequence[EndedRun] = ()
    jobs: Sequence[FailedJobs] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """News in words."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A letter to somebody, claimed by whoever has this."""

    id: int
    claim: UUID
    message_id: str
    address: str
    created_at: datetime
    #: How often it was tried before.
    tries: int
    letter: Letter


class Outbox(Protocol):
    """
    The mails, and how far each has come; for all workers together.

    Each method is done whole or not at all, and raises `OutboxAway` where it cannot be done now.
    Those that take a mail return False where the claim to it has ended: then nothing is noted.
    """

    def anybody(self) -> bool:
        """Say whether anybody is to be told."""

    def post(self, domain: str, write: Callable[[News, frozenset[Topic]], Letter | None]) -> int:
        """
        Put into the outbox what was not told yet, a mail to each subscriber who wants it.

        Args:
            domain: What the mails' ids end with.
            write: Puts news into words for some topics; None where they hold nothing.

        Returns:
            How many mails there are.
        """

    def tidy(self) -> list[str]:
        """Take back the claims of the dead; returns which mails are unsure for that, in words."""

    def again(self, stopped: Stopped) -> int:
        """Let mails be sent again; returns how many there are."""

    def due(self) -> bool:
        """Say whether a mail can be claimed."""

    def claim(self) -> Mail | None:
        """Claim a mail; None where none is due."""

    def handing(self, mail: Mail) -> bool:
        """Note that the server may have the mail from now on."""

    def sent(self, mail: Mail) -> bool:
        """Note that the server took it."""

    def failed(self, mail: Mail, error: str) -> bool:
        """Note that the server refused it for good."""

    def unsure(self, mail: Mail, error: str) -> bool:
        """Note that the server has it, and did not say whether it takes it."""

    def put_off(self, mail: Mail, error: str, seconds: float) -> bool:
        """Note that the server did not take it, and in how many seconds to try again."""

    def counts(self) -> Mapping[str, int]:
        """Return how many mails are `pending` and `unsure`."""
