"""The outbox of `cron_events`, in our database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, timedelta
from typing import cast

from sqlalchemy import Engine

from commands.cron_events.port import Letter, Mail, News, OutboxAway, Stopped, Topic
from database import outbox
from database.digests import make_digest, post_digest, unposted_digests
from database.engine import open_database
from database.errors import DatabaseUnreachable
from database.old_jobs import forget_jobs
from database.subscribers import has_subscribers
from database.tables import now


class DatabaseOutbox:
    """
    The outbox of all workers that use the same database.

    Args:
        database: Its URL; it is opened when the outbox is used first.
    """

    def __init__(self, database: str) -> None:
        self._database = database

    def anybody(self) -> bool:
        """Say whether anybody is to be told."""
        with self._opened() as engine:
            return has_subscribers(engine)

    def post(self, domain: str, write: Callable[[News, frozenset[Topic]], Letter | None]) -> int:
        """Make a digest of what was not told yet, and mails of each digest that has none yet."""
        # Here, because it imports Prefect, and every batch has an outbox that it does not use.
        from tasks.jobs.refresh import refresh_some

        refresh_some(self._database)
        with self._opened() as engine:
            make_digest(engine)
            return sum(_post(engine, digest, domain, write) for digest in unposted_digests(engine))

    def tidy(self) -> list[str]:
        """Take back the claims of the dead and forget old jobs; returns which mails are unsure."""
        with self._opened() as engine:
            forget_jobs(engine)
            return outbox.tidy_outbox(engine)

    def again(self, stopped: Stopped) -> int:
        """Let mails be sent again."""
        with self._opened() as engine:
            return outbox.send_again(engine, stopped)

    def due(self) -> bool:
        """Say whether a mail can be claimed."""
        with self._opened() as engine:
            return outbox.any_due(engine)

    def claim(self) -> Mail | None:
        """Claim a mail."""
        with self._opened() as engine:
            row = outbox.claim_mail(engine)
        if row is None:
            return None
        return Mail(
            id=row.id,
            claim=row.claim,
            message_id=row.message_id,
            address=row.address,
            # SQLite gives it without the zone, which is UTC everywhere.
            created_at=row.created_at.replace(tzinfo=UTC),
            tries=row.tries,
            letter=Letter(row.subject, row.text, row.html),
        )

    def handing(self, mail: Mail) -> bool:
        """Note that the server may have the mail from now on."""
        with self._opened() as engine:
            return outbox.hand_over(engine, mail.id, mail.claim)

    def sent(self, mail: Mail) -> bool:
        """Note that the server took it."""
        with self._opened() as engine:
            return outbox.mark_sent(engine, mail.id, mail.claim)

    def failed(self, mail: Mail, error: str) -> bool:
        """Note that the server refused it for good."""
        with self._opened() as engine:
            return outbox.mark_failed(engine, mail.id, mail.claim, error)

    def unsure(self, mail: Mail, error: str) -> bool:
        """Note that the server has it, and did not say whether it takes it."""
        with self._opened() as engine:
            return outbox.mark_unsure(engine, mail.id, mail.claim, error)

    def put_off(self, mail: Mail, error: str, seconds: float) -> bool:
        """Note that the server did not take it, and when to try again."""
        until = now() + timedelta(seconds=seconds)
        with self._opened() as engine:
            return outbox.put_off(engine, mail.id, mail.claim, error, until)

    def counts(self) -> Mapping[str, int]:
        """Return how many mails are `pending` and `unsure`."""
        with self._opened() as engine:
            return outbox.outbox_counts(engine)

    @contextmanager
    def _opened(self) -> Iterator[Engine]:
        try:
            yield open_database(self._database)
        except DatabaseUnreachable as error:
            raise OutboxAway(str(error)) from error


def _post(
    engine: Engine,
    digest: int,
    domain: str,
    write: Callable[[News, frozenset[Topic]], Letter | None],
) -> int:
    # Who subscribes from now on is not told of this digest any more.
    if not has_subscribers(engine):
        return post_digest(engine, digest, domain, lambda _topics: None)
    # Here, because it imports Prefect, and every batch has an outbox that it does not use.
    from tasks.mail.news import read_news

    # Before the transaction: the counts of a large run take seconds, and SQLite has one writer.
    news = read_news(engine, digest)

    def written(topics: frozenset[str]) -> dict[str, str] | None:
        letter = write(news, cast("frozenset[Topic]", topics))
        return None if letter is None else asdict(letter)

    return post_digest(engine, digest, domain, written)
