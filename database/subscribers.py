"""Who is told of what by mail."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Engine, delete, exists, insert, select, update

from database.digests import close_digest
from database.engine import reading, transaction
from database.tables import outbox, subscribers


def add_subscriber(engine: Engine, address: str, topics: Iterable[str]) -> bool:
    """
    Let somebody be told of what ends from now on; who is told already is told of these topics.

    What has ended until now is closed into a digest that is none of theirs: by the order of
    commits, so it does not matter whose clock is right.

    Returns:
        Whether they are new.
    """
    wanted = sorted(topics)
    with transaction(engine) as connection:
        last = close_digest(connection)
        known = update(subscribers).where(subscribers.c.address == address)
        if connection.execute(known.values(topics=wanted)).rowcount:
            return False
        row = {"address": address, "topics": wanted, "since": last}
        connection.execute(insert(subscribers).values(row))
        return True


def remove_subscriber(engine: Engine, address: str) -> bool:
    """Tell somebody nothing more, not even what waits for them; returns whether they were told."""
    waiting = outbox.c.state.in_(("pending", "failed", "unsure"))
    with transaction(engine) as connection:
        gone = delete(subscribers).where(subscribers.c.address == address)
        found = connection.execute(gone).rowcount
        connection.execute(delete(outbox).where(waiting, outbox.c.address == address))
        return found > 0


def list_subscribers(engine: Engine) -> list[tuple[str, list[str]]]:
    """Return rows of address, topics."""
    statement = select(subscribers.c.address, subscribers.c.topics)
    with reading(engine) as connection:
        found = connection.execute(statement.order_by(subscribers.c.address))
        return [(address, topics) for address, topics in found]


def has_subscribers(engine: Engine) -> bool:
    """Say whether there is anybody to tell."""
    with reading(engine) as connection:
        return bool(connection.execute(select(exists(select(subscribers)))).scalar_one())
