"""A shop whose goods are exported: its database, its TOML file, and the job."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lxml import etree
from sqlalchemy import create_engine, text

from commands import execution
from commands.command import Outcome
from commands.environment import Environment
from commands.execution import Finished
from commands.loop import submit
from commands.registry import make

__all__ = ["CATEGORIES", "Shop", "elements", "export", "offers", "validated", "wait_for"]

DTD = Path(__file__).with_name("shops.dtd")
SECONDS = 240.0
CATEGORIES = [("1", "Household", None), ("10", "Kitchen & Co.", "1"), ("102", "Ice", "10")]
SHOP = """
[shop]
name = "Best Seller"
company = "The Best <Inc.> & Sons"
url = "https://best.seller.example"
currencies = {{ RUR = 1, USD = "CBRF" }}

[shop.categories]
table = "categories"

{frames}
"""


class Shop:
    """
    A database with categories and offers, and a TOML file.

    Args:
        folder: Empty.
        url: Of the database; without it, SQLite's.
    """

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder = folder
        self.url = url or f"sqlite:///{folder / 'shop.db'}"
        self.file = folder / "feeds.toml"
        self.execute("CREATE TABLE categories (id TEXT, name TEXT, parent_id TEXT)")
        self.insert("categories", ("id", "name", "parent_id"), CATEGORIES)
        self._frames: dict[int, dict[str, Any]] = {}

    def execute(self, *statements: str) -> None:
        """Run statements."""
        engine = create_engine(self.url)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows."""
        names = [f"v{number}" for number in range(len(columns))]
        quoted = ", ".join(f'"{column}"' for column in columns)
        places = ", ".join(f":{name}" for name in names)
        engine = create_engine(self.url)
        with engine.begin() as connection:
            values = [dict(zip(names, row, strict=True)) for row in rows]
            connection.execute(text(f"INSERT INTO {table} ({quoted}) VALUES ({places})"), values)
        engine.dispose()

    def sell(self, rows: Iterable[Mapping[str, Any]], *, types: str = "TEXT") -> None:
        """Make the table of offers anew, with a column for each key; what a row has not is NULL."""
        goods = [{"id": str(n), **GOOD, **row} for n, row in enumerate(rows, 1)]
        columns = list(dict.fromkeys(key for row in goods for key in row)) or ["id", *GOOD]
        listed = ", ".join(f'"{column}" {types}' for column in columns)
        self.execute("DROP TABLE IF EXISTS offers", f"CREATE TABLE offers ({listed})")
        if goods:
            self.insert("offers", columns, [[row.get(key) for key in columns] for row in goods])

    def frame(self, number: int, **fields: Any) -> None:
        """Describe a frame; the table `offers` as YML unless something else is said."""
        frame = {"source": self.url, "table": "offers", "format": "yml", **fields}
        self._frames[number] = {key: one for key, one in frame.items() if one is not None}
        written = (
            "\n".join([f"[frames.{number}]", *(f"{k} = {toml(v)}" for k, v in frame.items())])
            for number, frame in self._frames.items()
        )
        self.file.write_text(SHOP.format(frames="\n\n".join(written)), encoding="utf-8")

    def environment(self, **different: Any) -> Environment:
        """Return what a job is told."""
        values = {"feeds": self.file, "work_folder": self.folder / "work", **different}
        return Environment(**values)


GOOD: Mapping[str, Any] = {"name": "Ice-cream maker", "price": "8990", "categoryId": "102"}


def toml(value: Any) -> str:
    """Write a value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def export(payload: Any, environment: Environment, **handling: Any) -> Outcome:
    """Run a job to its end; new tries come at once."""
    return submit(job(payload, environment, **handling)).result(SECONDS)


async def job(payload: Any, environment: Environment, **handling: Any) -> Outcome:
    """Run a job in the running loop."""
    found: list[Finished] = []
    command = make("cron_frame", {}, environment)
    command.handle({"backoff_seconds": 0, **handling})
    async with command:
        await execution.run(command, [payload], found.append)
    await asyncio.sleep(0)
    return found[0].outcome


def wait_for(condition: Callable[[], object]) -> None:
    """Return when something is so; an error if it never is."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def validated(data: bytes) -> Any:
    """Return the root of a catalogue; an error if it is not valid."""
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False))
    with DTD.open("rb") as file:
        etree.DTD(file).assertValid(root)
    return root


def elements(offer: Any) -> dict[str, Any]:
    """Return an offer's elements: several of one name as a list, parameters with name and unit."""
    found: dict[str, Any] = dict(offer.attrib)
    for one in offer:
        if one.tag == "picture":
            found.setdefault("picture", []).append(one.text)
        elif one.tag == "param":
            key = (one.get("name"), one.get("unit"))
            found.setdefault("param", {})[key] = one.text
        else:
            found[one.tag] = one.text or ""
    return found


def offers(data: bytes) -> list[dict[str, Any]]:
    """Return the offers of a valid catalogue."""
    return [elements(one) for one in validated(data).iter("offer")]
