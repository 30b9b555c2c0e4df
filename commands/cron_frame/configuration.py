"""What the TOML file says of a shop and its frames; `reading` reads it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from commands.cron_frame.values import FORBIDDEN

#: Database -> the driver that is installed with Rollcall.
DRIVERS = {
    "sqlite": "sqlite:///path",
    "postgresql": "postgresql+psycopg2://user:password@host/name",
}
#: How a currency's rate is written: a number, or the bank whose rate counts.
RATE = re.compile(r"\d+([.,]\d+)?|CBRF|NBU|NBK|NBRB|CB")


def _writable(text: str) -> str:
    if FORBIDDEN.search(text):
        raise ValueError("has a character that XML does not have; take it out")
    return text


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000),
    AfterValidator(_writable),
]


def _database(url: str) -> str:
    try:
        parsed = make_url(url)
        # It may be the default one, which the name of the database alone stands for.
        known = parsed.get_driver_name() in {"pysqlite", "psycopg2"}
    except (ArgumentError, ImportError, ValueError) as error:
        # Not the error's own words, which may quote a part of the password.
        raise ValueError(f"no database URL: write {' or '.join(DRIVERS.values())}") from error
    if not known or parsed.get_backend_name() not in DRIVERS:
        raise ValueError(f"no database that can be read: write {' or '.join(DRIVERS.values())}")
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ValueError("names no file: write sqlite:///path")
    return url


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError("no time zone, e.g. Europe/Moscow") from error
    return name


def _web(url: str) -> str:
    if not re.match(r"https?://[^/\s]+", url):
        raise ValueError("no web address: write https://…")
    return url


def _rates(rates: dict[str, str]) -> dict[str, str]:
    for name, rate in rates.items():
        if not re.fullmatch("[A-Z]{3}", name):
            raise ValueError(f"'{name}' is no currency: write three letters, e.g. RUR")
        if not RATE.fullmatch(rate):
            raise ValueError(f"'{rate}' is no rate of {name}: write a number or a bank, e.g. CBRF")
    return rates


def _number_as_text(value: object) -> object:
    if isinstance(value, dict):
        return {name: _number_as_text(rate) for name, rate in value.items()}
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


#: Headers that are ours to write.
OURS = frozenset({"content-length", "transfer-encoding", "connection", "idempotency-key"})


class Part(BaseModel):
    """A table of the file; an unknown field is an error, and no error repeats a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Rows(Part):
    """Where rows come from: a table, or the rows of a query."""

    #: SQLAlchemy URL.
    source: Annotated[str, AfterValidator(_database)] = Field(repr=False)
    #: With its schema where it needs one: ``shop.offers``.
    table: Line | None = None
    #: One SELECT.
    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError("write either table or query")
        return self


class Shop(Part):
    """Whose goods they are: what comes before the offers in YML."""

    name: Line
    company: Line
    url: Annotated[Line, AfterValidator(_web)]
    platform: Line | None = None
    version: Line | None = None
    agency: Line | None = None
    email: Line | None = None
    #: Currency -> rate. The first one is that of offers that name none.
    currencies: Annotated[
        dict[str, str],
        BeforeValidator(_number_as_text),
        AfterValidator(_rates),
        Field(min_length=1),
    ]
    #: In which the moment of the export is told.
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    categories: Rows


class Frame(Rows):
    """One feed: what is in it, and where it goes."""

    format: Literal["yml", "csv"]
    #: Between the columns of CSV.
    delimiter: Literal[";", ",", "\t"] = ";"
    #: Whether a feed without a single offer is delivered.
    allow_empty: bool = False

    #: ``http://…``, ``https://…``, or the path of a file.
    destination: Line = Field(repr=False)
    method: Literal["PUT", "POST"] = "PUT"
    headers: dict[Line, Line] = Field(default_factory=dict, repr=False)
    #: How an upload that was cut off goes on: ``no`` begins anew.
    resume: Literal["no", "tus"] = "no"
    #: Whether a feed that is as it was at the last delivery is delivered again.
    skip_unchanged: bool = False

    #: Of one delivery.
    tries: int = Field(default=5, ge=1, le=20)
    #: Before the second try; each later one waits twice as long.
    backoff_seconds: float = Field(default=2.0, ge=0, le=300)
    #: The longest wait that an endpoint may ask for by Retry-After.
    most_wait_seconds: float = Field(default=300.0, ge=0, le=3_600)
    #: How long an endpoint may say nothing.
    timeout_seconds: float = Field(default=60.0, gt=0, le=1_800)
    #: An export that could not be delivered is taken by the next job, if it is no older.
    reuse_seconds: float = Field(default=900.0, ge=0)

    @property
    def to_web(self) -> bool:
        """Whether it goes to an endpoint, and not to a file."""
        return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", self.destination) is not None

    @model_validator(mode="after")
    def _destination_fits(self) -> Self:
        if self.to_web:
            try:
                url = httpx.URL(self.destination)
            except (httpx.InvalidURL, ValueError) as error:
                raise ValueError("destination: no web address: write https://…") from error
            is_host = re.fullmatch(r"[\w.:-]+", url.host) and (url.port or 0) < 65_536
            if url.scheme not in {"http", "https"} or not is_host:
                raise ValueError("destination: write https://…, http://… or the path of a file")
        only_web = {"method", "headers", "resume", "tries"} & self.model_fields_set
        if not self.to_web and only_web:
            raise ValueError(f"{min(only_web)}: is for web addresses, and destination is a file")
        if self.resume == "tus" and "method" in self.model_fields_set:
            raise ValueError("method: tus has its own methods; leave it out")
        return self

    @model_validator(mode="after")
    def _headers_can_be_sent(self) -> Self:
        for name, value in self.headers.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
                raise ValueError(f"headers: '{name}' is no name of a header")
            if name.lower() in OURS:
                raise ValueError(f"headers: {name} is written by cron_frame itself")
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"headers: {name} has a value that no header can have")
        return self
