"""Connections to a real broker, with and without TLS; nobody learns the password."""

import json
import logging
import re
import traceback
from pathlib import Path

import pytest
from pika.exceptions import AMQPConnectionError
from prefect_rabbitmq import connections
from prefect_rabbitmq.credentials import RabbitMQCredentials
from prefect_rabbitmq.errors import BadCredentials, BrokerUnreachable
from pydantic import SecretStr

from tests.services.processes import free_port
from tests.services.rabbitmq import Broker
from tests.services.tls import Authority, running_tls_proxy


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try all hosts once only."""
    monkeypatch.setattr(connections, "ATTEMPTS", 1)


def of(url: str) -> RabbitMQCredentials:
    """Make credentials of a URL."""
    return RabbitMQCredentials(url=SecretStr(url))


def test_connects_under_its_name(rabbitmq: Broker, amqp_url: str) -> None:
    """The connection is open, and an administrator finds it by its name."""
    connection = of(amqp_url).connect("my program")
    assert connection.is_open
    assert rabbitmq.close_connections("my program")
    with pytest.raises(AMQPConnectionError):
        connection.close()


def test_another_host_is_tried(rabbitmq: Broker) -> None:
    """A host without address and one where nobody listens do not keep us from the third."""
    hosts = f"nobody.invalid,127.0.0.1:{free_port()},127.0.0.1:{rabbitmq.port}"
    for _ in range(3):
        url = rabbitmq.url.replace(f"127.0.0.1:{rabbitmq.port}", hosts)
        with of(url).connect() as connection:
            assert connection.is_open


@pytest.mark.parametrize(
    ("pattern", "replacement", "reason"),
    [
        (r":\d+/", ":1/", "refused"),
        ("@127.0.0.1", "@nobody.invalid", "not known"),
        ("@", "x@", "ACCESS_REFUSED"),
        ("$", "-missing", "vhost .*-missing"),
        ("^amqp", "amqps", "(?i)ssl|record layer|wrong version"),
    ],
)
def test_unreachable_brokers_are_one_clear_error(
    rabbitmq: Broker,
    amqp_url: str,
    pattern: str,
    replacement: str,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its text has address and cause, and no password is in it, in its causes or in any log."""
    caplog.set_level(logging.DEBUG)
    credentials = of(re.sub(pattern, replacement, amqp_url, count=1))
    with pytest.raises(BrokerUnreachable, match=reason) as caught:
        credentials.connect()
    assert credentials.address in str(caught.value)
    assert "\n" not in str(caught.value)
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert rabbitmq.password not in told


@pytest.mark.parametrize("form", ["{:c}", "%{:02X}"], ids=["plain", "encoded"])
def test_a_password_is_nowhere_to_be_seen(
    rabbitmq: Broker, amqp_url: str, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither logs at their finest nor any text of the block has it, as it is or encoded."""
    caplog.set_level(logging.DEBUG)
    # A link of another test may have hushed it in this process.
    caplog.set_level(logging.DEBUG, logger="pika")
    encoded = "".join(form.format(ord(letter)) for letter in rabbitmq.password)
    credentials = of(amqp_url.replace(rabbitmq.password, encoded))
    with credentials.connect("seen") as connection:
        connection.channel().close()
        texts = [repr(connection), repr(credentials.parameters()), credentials.address]
    texts += [repr(credentials), str(credentials), str(credentials.model_dump())]
    texts += [credentials.model_dump_json(), json.dumps(credentials.model_json_schema())]
    assert "pika" in {record.name.partition(".")[0] for record in caplog.records}
    seen = caplog.text + "".join(texts)
    assert rabbitmq.password not in seen
    assert encoded not in seen


def test_tls_connects_to_who_has_the_right_certificate(rabbitmq: Broker, tmp_path: Path) -> None:
    """With the CA's file we connect, and show our own certificate if there is one."""
    authority = Authority(tmp_path)
    server, client = authority.issue("127.0.0.1"), authority.issue("client")
    with running_tls_proxy(rabbitmq.port, server, ca_file=authority.ca_file) as port:
        url = rabbitmq.url.replace(f":{rabbitmq.port}", f":{port}")
        for scheme, tls in (("amqps", False), ("amqp", True)):
            credentials = RabbitMQCredentials(
                url=SecretStr(url.replace("amqp", scheme)),
                tls=tls,
                ca_file=authority.ca_file,
                client_certificate=client.certificate,
                client_key=client.key,
            )
            with credentials.connect() as connection:
                assert connection.is_open


@pytest.mark.parametrize(("name", "ca"), [("127.0.0.1", ""), ("localhost", "ca.pem")])
def test_tls_refuses_the_wrong_broker(rabbitmq: Broker, tmp_path: Path, name: str, ca: str) -> None:
    """A certificate of a stranger is refused, and so is one for another name."""
    authority = Authority(tmp_path)
    server = authority.issue(name)
    with running_tls_proxy(rabbitmq.port, server, ca_file=authority.ca_file) as port:
        url = rabbitmq.url.replace("amqp:", "amqps:").replace(f":{rabbitmq.port}", f":{port}")
        ca_file = tmp_path / ca if ca else None
        with pytest.raises(BrokerUnreachable, match="certificate verify failed"):
            RabbitMQCredentials(url=SecretStr(url), ca_file=ca_file).connect()


def test_files_of_tls_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A missing file, one that is no certificate, and a key that is not its own are errors."""
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    authority = Authority(tmp_path)
    one, other = authority.issue("one"), authority.issue("other")
    for fields, pattern in (
        ({"ca_file": tmp_path / "missing.pem"}, r"ca_file .*missing\.pem: No such file"),
        ({"ca_file": broken}, r"ca_file .*broken\.pem: "),
        ({"client_certificate": broken}, r"client_certificate .*broken\.pem: "),
        ({"client_certificate": one.certificate, "client_key": other.key}, r"client_key .*other"),
    ):
        credentials = RabbitMQCredentials.model_validate({"tls": True} | fields)
        with pytest.raises(BadCredentials, match=pattern):
            credentials.parameters()
