"""Where RabbitMQ is and who we are there: a Prefect block, or an environment variable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import pika
from pika.connection import Parameters
from prefect.blocks.core import Block
from pydantic import (
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from prefect_rabbitmq import broker_url, connections
from prefect_rabbitmq.broker_url import PORT, TLS_PORT, Broker
from prefect_rabbitmq.errors import BadCredentials, NoCredentials
from prefect_rabbitmq.tls import ssl_options

__all__ = ["VARIABLE", "RabbitMQCredentials", "find_credentials"]

#: The environment variable that holds the URL.
VARIABLE = "PREFECT_RABBITMQ_URL"
#: Seconds for TCP, and for TCP, TLS and AMQP together.
SOCKET_TIMEOUT, STACK_TIMEOUT = 10.0, 20.0
#: Seconds that RabbitMQ may refuse to take more (memory or disk are full) before we give up on the
#: connection.
BLOCKED_TIMEOUT = 300.0


class RabbitMQCredentials(Block):
    """
    Where RabbitMQ is and who we are there.

    Either one URL or the single fields. What the URL leaves out (user, password, virtual host) is
    taken from the fields.

    Example:
        Load a saved block and connect:
        ```python
        from prefect_rabbitmq import RabbitMQCredentials

        credentials = RabbitMQCredentials.load("BLOCK_NAME")
        with credentials.connect("my program") as connection:
            channel = connection.channel()
        ```
    """

    # Inputs may hold a password, and so may a field that is not known.
    model_config: ClassVar[ConfigDict] = ConfigDict(hide_input_in_errors=True, extra="ignore")

    _block_type_name = "RabbitMQ Credentials"
    _block_type_slug = "rabbitmq-credentials"
    _description = "Where RabbitMQ is and who we are there: a URL or single fields, with TLS."
    _logo_url = HttpUrl("https://github.com/rabbitmq.png?size=200")
    _documentation_url = HttpUrl("https://www.rabbitmq.com/docs/uri-spec")

    url: SecretStr | None = Field(
        default=None,
        title="URL",
        description=(
            "As amqp://user:password@host:5672/virtual_host, or amqps:// for TLS. Several hosts "
            "are separated by commas. It wins over the fields."
        ),
    )
    host: str = Field(default="localhost", description="Name or IP address of the broker.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="By default 5672, with TLS 5671."
    )
    username: str = Field(default="guest", description="The user's name.")
    # A factory: the UI's form would show a plain default masked, and save it as it shows it.
    password: SecretStr = Field(
        default_factory=lambda: SecretStr("guest"), description="The user's password."
    )
    virtual_host: str = Field(default="/", description="The virtual host.")
    tls: bool = Field(
        default=False,
        title="TLS",
        description="Encrypt the connection, and check the broker's certificate and its name.",
    )
    ca_file: Path | None = Field(
        default=None,
        title="CA file",
        description="PEM file of who may have signed the broker's certificate; by default those "
        "that the system trusts.",
    )
    client_certificate: Path | None = Field(
        default=None, description="PEM file of our own certificate, if the broker wants one."
    )
    client_key: Path | None = Field(
        default=None, description="PEM file of its key, if it is not in the same file."
    )
    heartbeat_seconds: int = Field(
        default=30,
        ge=0,
        description="After two of these without a sign of life the connection counts as lost; "
        "0 turns it off.",
    )

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: SecretStr | None) -> SecretStr | None:
        """Refuse what cannot be a URL at once; an empty one, as of a form, is none."""
        if url is None or not url.get_secret_value().strip():
            return None
        broker_url.parse(url.get_secret_value())
        return url

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        if not host or set(host) & set("/@, "):
            raise BadCredentials("it is one name or IP address; a URL belongs into the field url")
        return host

    @model_validator(mode="after")
    def _key_has_a_certificate(self) -> Self:
        if self.client_key and not self.client_certificate:
            raise BadCredentials("client_key needs a client_certificate")
        return self

    @classmethod
    def from_environment(cls) -> RabbitMQCredentials | None:
        """
        Take the URL of the environment variable PREFECT_RABBITMQ_URL.

        Returns:
            None if it is not set, or empty.

        Raises:
            BadCredentials: It is no AMQP URL.
        """
        url = os.environ.get(VARIABLE, "").strip()
        try:
            return cls(url=SecretStr(url)) if url else None
        except ValidationError as error:
            reason = error.errors(include_input=False, include_url=False)[0]["msg"]
        # Out here, so that the other error and its inputs are not attached to this one.
        raise BadCredentials(f"{VARIABLE}: {reason.removeprefix('Value error, ')}")

    @property
    def address(self) -> str:
        """Where RabbitMQ is, for messages: hosts, ports and virtual host."""
        brokers = self._brokers()
        hosts = ",".join(f"{_bracketed(broker.host)}:{broker.port}" for broker in brokers)
        return f"{hosts} (virtual host {brokers[0].virtual_host})"

    def parameters(self, name: str = "") -> list[Parameters]:
        """
        Return what pika needs to connect, for each host in the order given.

        Args:
            name: What the connection is called in RabbitMQ's management UI.

        Raises:
            BadCredentials: A file for TLS cannot be read.
        """
        return [self._parameters(broker, name) for broker in self._brokers()]

    def connect(self, name: str = "") -> pika.BlockingConnection:
        """
        Connect to one of the hosts, several times tried and in random order.

        Args:
            name: What the connection is called in RabbitMQ's management UI.

        Raises:
            BadCredentials: A file for TLS cannot be read.
            BrokerUnreachable: None of them takes us; its text says why.
        """
        return connections.connect(self.parameters(name), self.address)

    def _brokers(self) -> list[Broker]:
        """Return the hosts with everything filled in."""
        if self.url is None:
            given = [Broker(host=self.host, port=self.port)]
        else:
            given = broker_url.parse(self.url.get_secret_value())
        return [self._filled(broker) for broker in given]

    def _filled(self, broker: Broker) -> Broker:
        tls = broker.tls or self.tls
        password = broker.password
        return Broker(
            host=broker.host,
            port=broker.port or (TLS_PORT if tls else PORT),
            tls=tls,
            username=self.username if broker.username is None else broker.username,
            password=self.password.get_secret_value() if password is None else password,
            virtual_host=broker.virtual_host or self.virtual_host,
            options=broker.options,
        )

    def _parameters(self, broker: Broker, name: str) -> Parameters:
        options: dict[str, Any] = {
            "heartbeat": self.heartbeat_seconds,
            "socket_timeout": SOCKET_TIMEOUT,
            "stack_timeout": STACK_TIMEOUT,
            "blocked_connection_timeout": BLOCKED_TIMEOUT,
        }
        return pika.ConnectionParameters(
            host=broker.host,
            port=broker.port,
            virtual_host=broker.virtual_host,
            credentials=pika.PlainCredentials(broker.username, broker.password),
            ssl_options=self._ssl_options(broker.host) if broker.tls else None,
            client_properties={"connection_name": name} if name else None,
            **(options | broker.options),
        )

    def _ssl_options(self, host: str) -> pika.SSLOptions:
        return ssl_options(
            host,
            ca_file=self.ca_file,
            client_certificate=self.client_certificate,
            client_key=self.client_key,
        )


def find_credentials(given: RabbitMQCredentials | str | None = None) -> RabbitMQCredentials:
    """
    Return the credentials to use.

    Args:
        given: Themselves, or the name of a saved block; without, those of the environment.

    Raises:
        NoCredentials: Nothing is given, nor in the environment.
        BadCredentials: Those of the environment are no AMQP URL.
        ValueError: There is no block of this name.
    """
    if isinstance(given, RabbitMQCredentials):
        return given
    if given:
        # Its annotations do not know of `_sync`.
        return cast("RabbitMQCredentials", RabbitMQCredentials.load(given, _sync=True))  # type: ignore[call-arg]
    found = RabbitMQCredentials.from_environment()
    if found is None:
        raise NoCredentials(f"name a RabbitMQ Credentials block, or set {VARIABLE}")
    return found


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
