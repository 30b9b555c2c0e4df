"""The settings: environment variables with the prefix ``ROLLCALL_``, read once at the edge."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from commands.environment import Environment
from tasks.errors import InputError
from tasks.locks import shared_locks
from tasks.mail.outbox import DatabaseOutbox
from tasks.turns import shared_turns


class Settings(BaseSettings):
    """Everything that a person may set; a task reads them where it runs."""

    model_config = SettingsConfigDict(
        env_prefix="ROLLCALL_",
        env_file=".env",
        # Compose files and `.env` say "not set" by an empty value.
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    home: Path = Field(
        default_factory=lambda: Path.home() / ".rollcall",
        description="Folder of the SQLite database, the inbox and the results.",
    )
    database_url: SecretStr | None = Field(
        default=None, description="SQLAlchemy URL; unset: SQLite in the home folder."
    )
    amqp_url: SecretStr | None = Field(
        default=None, description="AMQP URL; unset: batches run in the flow run's own process."
    )
    nameservers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="ip or ip:port, comma-separated; unset: the system's."
    )
    dns_in_flight: int = Field(
        default=500, gt=0, le=32_000, description="DNS queries under way to one name server."
    )
    dns_queries_per_second: float = Field(
        default=0, ge=0, description="DNS queries a second to one name server; 0: no limit."
    )
    allow_private_addresses: bool = Field(
        default=False, description="Whether hosts at private addresses may be connected to."
    )
    max_file_bytes: int = Field(
        default=4 << 30, gt=0, description="Largest file, in bytes after unpacking."
    )
    inbox: Path | None = Field(
        default=None, description="Folder that is watched for files; unset: inbox in the home."
    )
    inbox_settle_seconds: float = Field(
        default=5, ge=0, description="How long a file in the inbox must have been left unchanged."
    )

    smtp_url: SecretStr | None = Field(
        default=None, description="SMTP server that sends e-mail; unset: none is sent."
    )
    mail_from: str = Field(default="", description="The sender's address of e-mail.")

    feeds: Path | None = Field(
        default=None, description="TOML file that describes product feeds for `cron_frame`."
    )

    @field_validator("nameservers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    def __init__(self, **values: object) -> None:
        """
        Read the environment.

        Raises:
            InputError: A variable has a value that it cannot have.
        """
        try:
            super().__init__(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors()[0]
            variable = f"ROLLCALL_{'_'.join(str(part) for part in first['loc'])}".upper()
            message = f"the setting {variable} is wrong: {first['msg']}"
            raise InputError(message) from error

    @property
    def database(self) -> str:
        """The URL of the database, password included: not for messages."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home.expanduser().resolve() / 'rollcall.db'}"

    @property
    def inbox_folder(self) -> Path:
        """The folder that is watched for files."""
        return (self.inbox or self.home / "inbox").expanduser().resolve()

    def scratch_folder(self) -> Path:
        """
        Return the folder for files that go with the process: a large list does not fit /tmp.

        Raises:
            InputError: It cannot be made.
        """
        folder = self.home.expanduser().resolve() / "tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"ROLLCALL_HOME: {folder} cannot be made: {error.strerror}"
            raise InputError(message) from error
        return folder

    def environment(self, *, second_pass: bool) -> Environment:
        """Return what the commands of a batch are told."""
        return Environment(
            nameservers=self.nameservers,
            dns_in_flight=self.dns_in_flight,
            dns_queries_per_second=self.dns_queries_per_second,
            allow_private_addresses=self.allow_private_addresses,
            second_pass=second_pass,
            turns=shared_turns(self.database),
            cache_folder=self.home.expanduser().resolve() / "cache",
            locks=shared_locks(self.database),
            feeds=self.feeds and self.feeds.expanduser().resolve(),
            work_folder=self.home.expanduser().resolve() / "work",
            variables=os.environ,
            outbox=DatabaseOutbox(self.database),
            smtp_url=self.smtp_url,
            mail_from=self.mail_from,
        )
