"""What a pool could not run: look at it, run it again, or drop it."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from pika.adapters.blocking_connection import BlockingChannel

from prefect_rabbitmq import topology
from prefect_rabbitmq.connections import send
from prefect_rabbitmq.credentials import RabbitMQCredentials
from prefect_rabbitmq.letter_reader import opened_letters
from prefect_rabbitmq.letters import DeadLetter, Letter, alive_again, alone, record

__all__ = ["DeadLetter", "dead_letters", "discard", "replay"]

logger = logging.getLogger("prefect.rabbitmq.dead_letters")

#: How many are held without an acknowledgement: all that AMQP allows where only some are wanted;
#: fewer where each is acknowledged, as they wait in memory.
MOST, FEW = 65_535, 1_000
#: So many ids are named in a warning.
NAMED = 5


def dead_letters(
    pool: str, limit: int = 100, *, credentials: RabbitMQCredentials | str | None = None
) -> list[DeadLetter]:
    """
    List dead letters, the oldest first, and leave them where they are.

    All are read, whatever the limit, as their queue keeps its order only so; and no other program
    can read them meanwhile. Afterwards, failed or not, they are all back. Of more than 65,535 the
    rest is not seen.

    Args:
        pool: The name of the work pool.
        limit: List at most so many.
        credentials: A block or the name of a saved one; by default those of the environment, or
            else those of the pool.

    Raises:
        QueueMissing: No worker of the pool was ever started.
        Refused: Another program is reading them.
        BrokerUnreachable: There is no connection.
        BadCredentials: There are no credentials, or of no use.
    """
    with opened_letters(pool, credentials, MOST) as letters:
        return heapq.nsmallest(limit, (record(pool, letter) for letter in letters), key=_age)


def replay(
    pool: str,
    message_ids: Collection[str] | None = None,
    work_queue: str = "",
    *,
    credentials: RabbitMQCredentials | str | None = None,
) -> int:
    """
    Put dead letters back on their work queue, in the order in which they are in theirs.

    Each is taken off the dead letters after RabbitMQ has confirmed that it is on its queue: a crash
    may double one, and loses none. One whose work queue nothing tells stays, with a warning; once
    there are 1,000 of those, what is behind them is not reached without `work_queue`.

    Args:
        pool: The name of the work pool.
        message_ids: Which ones; None for all that are there now.
        work_queue: Where to; empty for where each one was.
        credentials: A block or the name of a saved one; by default those of the environment, or
            else those of the pool.

    Returns:
        How many were put back.

    Raises:
        QueueMissing: No worker of the pool was ever started.
        Refused: Another program is reading them.
        Unroutable: There is no such work queue any more; this one stays, earlier ones are put back.
        BrokerUnreachable: There is no connection, or it was lost; earlier ones are put back.
        BadCredentials: There are no credentials, or of no use.
    """
    staying = []

    def put_back(channel: BlockingChannel, letter: Letter) -> bool:
        target = work_queue or record(pool, letter).work_queue
        if not target:
            staying.append(letter.message_id)
            return False
        properties = alive_again(letter.properties)
        exchange = topology.exchange_name(pool)
        send(channel, alone(letter.body), properties, exchange=exchange, routing_key=target)
        return True

    replayed = _take(pool, message_ids, put_back, credentials)
    _warn("Nothing tells where these dead letters of pool %s were: %s", pool, staying)
    return replayed


def discard(
    pool: str,
    message_ids: Collection[str] | None,
    *,
    credentials: RabbitMQCredentials | str | None = None,
) -> int:
    """
    Drop dead letters for good.

    Args:
        pool: The name of the work pool.
        message_ids: Which ones; None for all that are there now.
        credentials: A block or the name of a saved one; by default those of the environment, or
            else those of the pool.

    Returns:
        How many were dropped.

    Raises:
        As `replay`, but never Unroutable.
    """
    return _take(pool, message_ids, lambda _channel, _letter: True, credentials)


def _take(
    pool: str,
    message_ids: Collection[str] | None,
    handle: Callable[[BlockingChannel, Letter], bool],
    credentials: RabbitMQCredentials | str | None,
) -> int:
    """Take those letters off that are wanted and for which `handle` says yes; count them."""
    wanted = None if message_ids is None else set(message_ids)
    missing, taken = set(wanted or ()), 0
    with opened_letters(pool, credentials, FEW if wanted is None else MOST) as letters:
        for letter in letters:
            if wanted is not None and letter.message_id not in wanted:
                continue
            missing.discard(letter.message_id)
            if handle(letters.channel, letter):
                letters.take_off(letter)
                taken += 1
    _warn("Pool %s has no dead letter with these ids: %s", pool, sorted(missing))
    return taken


def _age(letter: DeadLetter) -> datetime:
    return letter.died_at or datetime.min.replace(tzinfo=UTC)


def _warn(text: str, pool: str, message_ids: list[str]) -> None:
    if message_ids:
        more = f" and {len(message_ids) - NAMED} more" if len(message_ids) > NAMED else ""
        logger.warning(text, pool, ", ".join(message_ids[:NAMED]) + more)
