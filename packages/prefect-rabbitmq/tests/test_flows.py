"""The flows for Prefect's UI."""

import json
from collections.abc import Iterator

import httpx
import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from prefect import Flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.utilities.callables import parameter_schema
from prefect_rabbitmq import topology
from prefect_rabbitmq.credentials import VARIABLE, RabbitMQCredentials
from prefect_rabbitmq.flows import list_dead_letters, publish_message, replay_dead_letters
from prefect_rabbitmq.letters import REASON, WORK_QUEUE
from pydantic import SecretStr

from tests.services.prefect import PrefectServer

POOL = "My checks"
FLOWS = [list_dead_letters, replay_dead_letters, publish_message]


@pytest.fixture
def channel(amqp_url: str, flow_server: PrefectServer) -> Iterator[BlockingChannel]:
    """Give a channel on a broker with the pool's queues, and Prefect's server to our flows."""
    with (
        temporary_settings({PREFECT_API_URL: flow_server.api_url}),
        pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection,
    ):
        channel = connection.channel()
        channel.confirm_delivery()
        topology.declare_pool(channel, POOL, ["default"])
        yield channel


@pytest.fixture
def named(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the broker in the environment."""
    monkeypatch.setenv(VARIABLE, amqp_url)


def bury(channel: BlockingChannel, message_id: str) -> None:
    """Put a dead letter where a worker puts it."""
    headers = {REASON: "boom", WORK_QUEUE: "default"}
    properties = pika.BasicProperties(message_id=message_id, headers=headers)
    channel.basic_publish(topology.dead_letters_name(POOL), "", b'{"task":"t"}', properties)


@pytest.mark.usefixtures("named")
def test_dead_letters_are_a_table(channel: BlockingChannel, flow_server: PrefectServer) -> None:
    """The flow returns plain data, and its artifact shows the same; the letters stay."""
    bury(channel, "one")
    bury(channel, "two")
    rows = list_dead_letters(POOL)
    assert [(row["message_id"], row["reason"]) for row in rows] == [
        ("one", "boom"),
        ("two", "boom"),
    ]
    assert list_dead_letters(POOL, limit=1) == rows[:1]
    filtered = {"artifacts": {"key": {"any_": ["dead-letters-my-checks"]}}, "sort": "CREATED_DESC"}
    shown = httpx.post(f"{flow_server.api_url}/artifacts/filter", json=filtered, timeout=60).json()
    assert [json.loads(artifact["data"]) for artifact in shown] == [rows[:1], rows]
    assert json.loads(json.dumps(rows)) == rows


@pytest.mark.usefixtures("named")
def test_no_dead_letters_are_an_empty_table(channel: BlockingChannel) -> None:
    """The flow completes when there is nothing to show."""
    assert list_dead_letters(POOL) == []
    assert replay_dead_letters(POOL) == 0


@pytest.mark.usefixtures("named")
def test_replay_takes_what_the_form_gives(channel: BlockingChannel) -> None:
    """A list as JSON has it names some; without it, all come back."""
    for message_id in ("one", "two", "three"):
        bury(channel, message_id)
    given = replay_dead_letters.validate_parameters({"pool": POOL, "message_ids": ["two"]})
    assert replay_dead_letters(**given) == 1
    assert [row["message_id"] for row in list_dead_letters(POOL)] == ["one", "three"]
    assert replay_dead_letters(POOL) == 2


def test_a_saved_block_names_the_broker(channel: BlockingChannel, amqp_url: str) -> None:
    """Without the environment's variable the name of a block is enough."""
    RabbitMQCredentials(url=SecretStr(amqp_url)).save("of-the-flows", overwrite=True)
    body = '{"task":"t","parameters":{}}'
    message_id = publish_message(
        body, routing_key="default", exchange=POOL, credentials="of-the-flows"
    )
    queue = topology.queue_name(POOL, "default")
    _, properties, sent = channel.basic_get(queue, auto_ack=True)
    assert (properties.message_id, properties.content_type, sent) == (
        message_id,
        "application/json",
        body.encode(),
    )
    assert list_dead_letters(POOL, credentials="of-the-flows") == []


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_the_run_form_is_simple_and_explained(flow: Flow[..., object]) -> None:
    """Every parameter has a plain type and a description, and no more than needed are required."""
    schema = parameter_schema(flow)
    assert all(field.get("description") for field in schema.properties.values())
    assert all("anyOf" not in field for field in schema.properties.values())
    assert set(schema.required) <= {"pool", "body", "routing_key"}
    assert flow.description
