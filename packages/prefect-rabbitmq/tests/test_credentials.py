"""Who we are at RabbitMQ, and that nobody else learns the password."""

import json
import logging
import re
import secrets
import traceback
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from pika.exceptions import AMQPConnectionError
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from prefect_rabbitmq import connections
from prefect_rabbitmq.credentials import VARIABLE, RabbitMQCredentials, find_credentials
from prefect_rabbitmq.errors import BadCredentials, BrokerUnreachable, NoCredentials
from pydantic import SecretStr

from tests.services.prefect import PrefectServer
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


class TestBlock(BlockStandardTestSuite):
    """What Prefect wants of every block."""

    @pytest.fixture
    def block(self) -> type[Block]:
        """Give the block."""
        return RabbitMQCredentials

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """Prefect's own test loads it from the internet."""
        assert block._logo_url is not None
        assert block._logo_url.scheme == "https"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("amqp://broker", "broker:5672 (virtual host /)"),
        ("amqp://broker/", "broker:5672 (virtual host /)"),
        ("amqp://u:p@broker//", "broker:5672 (virtual host /)"),
        ("AMQPS://u:p@broker/jobs", "broker:5671 (virtual host jobs)"),
        ("amqp://u:p@broker:99/a%2Fb?heartbeat=5", "broker:99 (virtual host a/b)"),
        ("amqp://u:p,q@a,b:1/v", "a:5672,b:1 (virtual host v)"),
        ("amqp://u:p@a/v, amqps://u:q@b/v", "a:5672,b:5671 (virtual host v)"),
        ("amqp://[::1]:7/", "[::1]:7 (virtual host /)"),
    ],
)
def test_urls_are_read(url: str, address: str) -> None:
    """Each form of a URL leads to its host, port and virtual host."""
    assert of(url).address == address


def test_a_url_wins_over_the_fields() -> None:
    """Fields only fill in what the URL leaves out."""
    credentials = RabbitMQCredentials(
        url=SecretStr("amqp://broker/v"), host="other", port=1, username="u", virtual_host="w"
    )
    (parameters,) = credentials.parameters("me")
    assert (parameters.host, parameters.port, parameters.virtual_host) == ("broker", 5672, "v")
    assert (parameters.credentials.username, parameters.credentials.password) == ("u", "guest")
    assert parameters.client_properties == {"connection_name": "me"}


def test_escaped_names_and_options_arrive() -> None:
    """User and password are decoded; a heartbeat in the URL wins over the field's."""
    (parameters,) = of("amqp://a%40b:c%2Fd%25@h/?heartbeat=7").parameters()
    assert (parameters.credentials.username, parameters.credentials.password) == ("a@b", "c/d%")
    assert parameters.heartbeat == 7
    assert of("amqp://h").parameters()[0].heartbeat == 30


def test_fields_do_without_a_url() -> None:
    """The fields alone are enough, and a URL field left empty is none."""
    credentials = RabbitMQCredentials(url=SecretStr(" "), host="broker", tls=True)
    assert credentials.url is None
    assert credentials.address == "broker:5671 (virtual host /)"


#: What takes the place of PASSWORD is random.
BROKEN_URLS = [
    "http://u:PASSWORD@h",
    "PASSWORD",
    "u:PASSWORD@h",
    "//u:PASSWORD@h",
    "amqp://u:PASSWORD",
    "amqp://u:PASSWORD@",
    "amqp://u:PASSWORD@:5672",
    "amqp://u:PASSWORD@h:port",
    "amqp://u:PASSWORD@h:70000",
    "amqp://u:x/PASSWORD@h",
    "amqp://u:1/PASSWORD@h",
    "amqp://u:x#PASSWORD@h",
    "amqp://u:x?PASSWORD@h",
    "amqp://u:[PASSWORD@h",
    "amqp://u:x PASSWORD@h",
    "amqp://h/?password=PASSWORD",
    "amqp://h/?heartbeat=PASSWORD",
    "amqp://h/?heartbeat=-1&PASSWORD",
    "amqp://u:PASSWORD@h/v/w",
    "amqp://u:PASSWORD@h,amqp://u:PASSWORD@",
    "amqp://u:PASSWORD@h,http://u:PASSWORD@i",
]


@pytest.mark.parametrize("url", BROKEN_URLS)
def test_a_broken_url_is_one_error_without_its_password(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the block's error nor the variable's, nor any error behind them, repeats the URL."""
    password = secrets.token_hex(8)
    broken = url.replace("PASSWORD", password)
    monkeypatch.setenv(VARIABLE, broken)
    with pytest.raises(ValueError, match="url") as of_block:
        of(broken)
    with pytest.raises(BadCredentials, match=VARIABLE) as of_variable:
        RabbitMQCredentials.from_environment()
    for caught in (of_block.value, of_variable.value):
        assert password not in "".join(traceback.format_exception(caught)) + repr(caught)
    assert of_variable.value.__context__ is None


def test_a_url_is_no_host() -> None:
    """A URL in the field of the host would be shown with its password."""
    password = secrets.token_hex(8)
    with pytest.raises(ValueError, match="field url") as caught:
        RabbitMQCredentials(host=f"amqp://u:{password}@h")
    assert password not in str(caught.value)


def test_unknown_fields_are_not_kept() -> None:
    """A misspelt password is not shown either."""
    password = secrets.token_hex(8)
    credentials = RabbitMQCredentials.model_validate({"passwort": password})
    assert password not in repr(credentials) + credentials.model_dump_json()


def test_the_environment_names_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable there are no credentials, and the error says how to get some."""
    assert RabbitMQCredentials.from_environment() is None
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(NoCredentials, match=VARIABLE):
        find_credentials()
    monkeypatch.setenv(VARIABLE, "amqp://broker")
    assert find_credentials().address == "broker:5672 (virtual host /)"


def test_connects_under_its_name(rabbitmq: Broker, amqp_url: str) -> None:
    """The connection is open, and an administrator finds it by its name."""
    connection = of(amqp_url).connect("my program")
    assert connection.is_open
    assert rabbitmq.close_connections("my program") == 1
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


def test_a_saved_block_is_masked_and_connects(flow_server: PrefectServer, amqp_url: str) -> None:
    """The API, and with it the UI, shows stars; loaded again it is complete."""
    password = secrets.token_hex(8)
    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        saved = RabbitMQCredentials(url=SecretStr(amqp_url), password=SecretStr(password))
        saved.save("saved", overwrite=True)
        with find_credentials("saved").connect() as connection:
            assert connection.is_open
        assert find_credentials("saved").password.get_secret_value() == password
    path = "block_types/slug/rabbitmq-credentials/block_documents/name/saved"
    shown = httpx.get(f"{flow_server.api_url}/{path}").raise_for_status().text
    assert password not in shown
    assert amqp_url not in shown
    assert quote(amqp_url) not in shown


def test_the_form_suggests_no_masked_password() -> None:
    """A default in the schema would be stars, and be saved as they are."""
    assert "default" not in RabbitMQCredentials.model_json_schema()["properties"]["password"]


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


def test_a_key_needs_its_certificate() -> None:
    """A key alone is a mistake that is told at once."""
    with pytest.raises(ValueError, match="client_key needs a client_certificate"):
        RabbitMQCredentials(client_key=Path("our.key"))
