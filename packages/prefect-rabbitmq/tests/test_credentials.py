"""Who we are at RabbitMQ, and that nobody else learns the password."""

import secrets
import traceback
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from prefect_rabbitmq.credentials import VARIABLE, RabbitMQCredentials, find_credentials
from prefect_rabbitmq.errors import BadCredentials, NoCredentials
from pydantic import SecretStr

from tests.services.prefect import PrefectServer


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
    shown = httpx.get(f"{flow_server.api_url}/{path}", timeout=60).raise_for_status().text
    assert password not in shown
    assert amqp_url not in shown
    assert quote(amqp_url) not in shown


def test_the_form_suggests_no_masked_password() -> None:
    """A default in the schema would be stars, and be saved as they are."""
    assert "default" not in RabbitMQCredentials.model_json_schema()["properties"]["password"]


def test_a_key_needs_its_certificate() -> None:
    """A key alone is a mistake that is told at once."""
    with pytest.raises(ValueError, match="client_key needs a client_certificate"):
        RabbitMQCredentials(client_key=Path("our.key"))
