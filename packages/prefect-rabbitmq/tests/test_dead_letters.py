"""What a pool could not run is seen, and stays where it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from prefect_rabbitmq import dead_letters as module
from prefect_rabbitmq import topology
from prefect_rabbitmq.dead_letters import dead_letters, discard, replay
from prefect_rabbitmq.errors import QueueMissing, Refused
from prefect_rabbitmq.letters import BODY_CHARACTERS, DIED_AT
from prefect_rabbitmq.messages import Message

from tests.rabbitmq.burials import (
    DIED,
    POOL,
    bury,
    ids,
    reject,
    taken,
    wait_for_count,
)


def test_a_letter_tells_its_story(channel: BlockingChannel) -> None:
    """Id, task, reason, work queue, time and body are there, and it stays where it is."""
    bury(channel, 1)
    for _ in range(2):
        (letter,) = dead_letters(POOL)
        assert (letter.message_id, letter.task, letter.reason) == ("m1", "t", "boom")
        assert (letter.work_queue, letter.died_at) == ("default", DIED)
        assert letter.body == '{"task":"t","parameters":{"n":1}}'
    wait_for_count(channel, 1)


def test_nothing_is_listed_of_nothing(channel: BlockingChannel) -> None:
    """A pool without dead letters has none, at once."""
    assert (dead_letters(POOL), replay(POOL), discard(POOL, None)) == ([], 0, 0)


@pytest.mark.parametrize("call", [dead_letters, replay, lambda pool: discard(pool, None)])
def test_an_unknown_pool_is_an_error(channel: BlockingChannel, call: Any) -> None:
    """A misspelt pool is no pool without dead letters."""
    with pytest.raises(QueueMissing, match=r"no queue 'cheks/dead'"):
        call("cheks")


def test_listing_keeps_the_order_and_takes_nothing(channel: BlockingChannel) -> None:
    """However often and however much of it is listed, all of it is there in its order."""
    for number in range(150):
        bury(channel, number)
    expected = [f"m{number}" for number in range(150)]
    for limit in (0, 1, 100, 7, 149, 150, 151, 3, *range(30)):
        assert [letter.message_id for letter in dead_letters(POOL, limit)] == expected[:limit]
        wait_for_count(channel, 150)
    assert ids() == expected


def test_the_oldest_come_first(channel: BlockingChannel) -> None:
    """The time of death decides, and letters without one are taken for old."""
    for number, hours in ((1, 3), (2, 1), (3, 2)):
        bury(channel, number, **{DIED_AT: (DIED + timedelta(hours=hours)).isoformat()})
    bury(channel, 4, **{DIED_AT: "yesterday"})
    assert ids() == ["m4", "m2", "m3", "m1"]
    assert [letter.message_id for letter in dead_letters(POOL, 2)] == ["m4", "m2"]


@pytest.mark.parametrize("expiration", [None, "1"])
def test_rabbitmq_s_own_reasons_are_told(channel: BlockingChannel, expiration: str | None) -> None:
    """A message that RabbitMQ gave up has its reason, queue and time from there."""
    properties = pika.BasicProperties(message_id="m1", expiration=expiration)
    body = Message(task="t").encode()
    before = datetime.now(UTC).replace(microsecond=0)
    channel.basic_publish(topology.exchange_name(POOL), "high", body, properties)
    if expiration is None:
        reject(channel)
    wait_for_count(channel, 1)
    (letter,) = dead_letters(POOL)
    assert letter.reason == (
        "its time to live was over" if expiration else "a consumer rejected it"
    )
    assert letter.work_queue == "high"
    assert letter.died_at is not None
    assert letter.died_at >= before
    assert replay(POOL) == 1
    (alive,) = taken(channel, "high")
    assert not {name for name in alive.headers or {} if "death" in name}


@pytest.mark.parametrize(
    ("body", "task"),
    [
        (b"", ""),
        (b"\xff\xfe\x00", ""),
        (b"[1]", ""),
        (b'{"task": 5}', ""),
        (b'{"task": "other", "rest": ', ""),
        (b"[" * 100_000, ""),
        (b'{"task": "known", "foreign": true}', "known"),
        ("ü".encode() * 10_000, ""),
    ],
)
def test_foreign_letters_are_listed_too(channel: BlockingChannel, body: bytes, task: str) -> None:
    """Whatever somebody has sent is shown as far as it can be read, and its neighbours as well."""
    headers = {DIED_AT: 5, "x-death": "by chocolate", "since": datetime.now(UTC)}
    foreign = pika.BasicProperties(headers=headers)
    channel.basic_publish(topology.dead_letters_name(POOL), "", body, foreign)
    bury(channel, 1)
    letter, neighbour = dead_letters(POOL)
    assert (letter.task, letter.reason, letter.work_queue) == (task, "unknown", "")
    assert letter.died_at is None
    assert len(letter.body) <= BODY_CHARACTERS + 1
    assert neighbour.message_id == "m1"
    assert letter.message_id.startswith("sha256:")
    assert replay(POOL, [letter.message_id], "default") == 1
    assert ids() == ["m1"]


def test_two_readers_do_not_see_a_part_each(channel: BlockingChannel) -> None:
    """While somebody reads, the second one is refused rather than told half of it."""
    bury(channel, 1)
    channel.basic_consume(topology.dead_letters_name(POOL), lambda *_: None)
    for call in (dead_letters, replay):
        with pytest.raises(Refused, match="another program is reading the dead letters"):
            call(POOL)


def test_a_failing_listing_holds_nothing(
    channel: BlockingChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the midst leaves all of it where it was."""
    for number in range(100):
        bury(channel, number)

    def fail(_pool: str, letter: Any) -> None:
        if letter.message_id == "m50":
            raise RuntimeError("in the midst")

    with monkeypatch.context() as patch:
        patch.setattr(module, "record", fail)
        patch.setattr(module, "_age", lambda _: DIED)
        with pytest.raises(RuntimeError, match="in the midst"):
            dead_letters(POOL)
    assert ids() == [f"m{number}" for number in range(100)]
