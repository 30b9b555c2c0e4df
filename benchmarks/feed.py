"""
How many offers a second `cron_frame` exports, and in how much memory, beside a bare loop.

Each export is made in a process of its own, from a table on SQLite into a file; what the loop does
is the least that can be done: the same query, and `csv.writer`. Ours validates each row, keeps the
ids to find duplicates, writes with the format's escaping, and adds up a digest; the file is on the
disk when it ends. The offers are counted, and the sum of their prices is held against the table.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks.markdown import show
from commands.cron_frame.build import build
from commands.cron_frame.reading import read
from commands.cron_frame.thread import Stop

OFFERS = (10_000, 1_000_000)
BARE, YML, CSV = "csv.writer alone", "cron_frame, YML", "cron_frame, CSV"
WAYS = {BARE: "bare", YML: "yml", CSV: "csv"}
#: MiB that may be added from the fewest offers to the most.
MOST_GROWTH_MIB = 24.0
COLUMNS = "id, available, url, price, oldprice, category_id, picture, name, vendor, description"
FEEDS = """
[shop]
name = "Shop"
company = "Shop Inc."
url = "https://shop.example"
currencies = {{ RUR = 1 }}
categories = {{ table = "categories" }}
[frames.1]
source = "sqlite:///{database}"
query = "SELECT {columns} FROM offers"
format = "{format}"
destination = "unused"
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--offers", type=int, nargs="*", default=OFFERS)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)


def main(arguments: argparse.Namespace) -> None:
    """Measure all ways, one after the other; print a table."""
    if arguments.measure:
        way, folder = arguments.measure
        print(json.dumps(_measure(way, Path(folder))))
        return
    rows = []
    peaks: dict[str, list[float]] = {way: [] for way in WAYS}
    for count in arguments.offers:
        with tempfile.TemporaryDirectory() as folder:
            total = _fill(Path(folder), count)
            found = {way: _apart(name, folder) for way, name in WAYS.items()}
            for way, one in found.items():
                assert (one["offers"], one["total"]) == (count, total), (way, one, total)
                peaks[way].append(one["peak_mib"])
                slower = one["seconds"] / found[BARE]["seconds"]
                rate = count / one["seconds"]
                rows.append([way, count, one["mb"], one["seconds"], rate, slower, one["peak_mib"]])
    header = ["", "offers", "MB", "s", "offers/s", "times the bare loop", "peak MiB"]
    show("Exports from a table on SQLite", header, rows)
    for way, held in peaks.items():
        assert held[-1] - held[0] < MOST_GROWTH_MIB, f"{way}: memory grows with the offers"


def _apart(way: str, folder: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks", "feed", "--measure", way, folder]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    found: dict[str, float] = json.loads(printed.splitlines()[-1])
    return found


def _fill(folder: Path, count: int) -> int:
    """Make the shop, and return the sum of its prices."""
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.execute("CREATE TABLE categories (id, name, parent_id)")
        connection.executemany(
            "INSERT INTO categories VALUES (?, ?, NULL)", ((n, f"No. {n}") for n in range(1, 101))
        )
        connection.execute(f"CREATE TABLE offers ({COLUMNS})")
        connection.executemany(f"INSERT INTO offers VALUES ({'?, ' * 9}?)", _offers(count))
        connection.commit()
        return int(connection.execute("SELECT sum(price) FROM offers").fetchone()[0])


def _offers(count: int) -> Iterator[tuple[object, ...]]:
    for n in range(count):
        link = f"https://shop.example/goods/{n}"
        price, words = 100 + n * 7919 % 9000, "Well made, <b>good</b> & useful. " * 8
        yield (
            *(
                f"SKU-{n * 7919 % 1_000_003}-{n}",
                n % 5 > 0,
                link,
                price,
                price + 100 if n % 2 else None,
            ),
            *(
                n % 100 + 1,
                f"{link}/1.jpg {link}/2.jpg",
                f"Good no. {n}",
                f"Brand {n % 500}",
                words,
            ),
        )


def _measure(way: str, folder: Path) -> dict[str, float]:
    """Export once; runs in a process of its own."""
    path = folder / f"export.{way}"
    began = time.perf_counter()
    if way == "bare":
        _bare(folder / "shop.db", path)
    else:
        feeds = folder / "feeds.toml"
        text = FEEDS.format(database=folder / "shop.db", columns=COLUMNS, format=way)
        feeds.write_text(text, encoding="utf-8")
        build(read(feeds, 1, {}), path, datetime.now(UTC), Stop())
    seconds = time.perf_counter() - began
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_mib = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024
    prices = list(_prices(path, way))
    return {
        "seconds": seconds,
        "peak_mib": peak_mib,
        "offers": len(prices),
        "total": sum(prices),
        "mb": path.stat().st_size / 1e6,
    }


def _bare(database: Path, path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, path.open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows(
            connection.execute(f"SELECT {COLUMNS} FROM offers")
        )


def _prices(path: Path, way: str) -> Iterator[int]:
    """Read the prices out of an export, as another program would."""
    if way == "yml":
        for _, element in ET.iterparse(path):  # noqa: S314 - it is our own
            if element.tag == "price":
                yield int(element.text or "")
            elif element.tag == "offer":
                element.clear()
        return
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file, delimiter=";")
        place = 3
        if way == "csv":
            place = next(rows).index("price")
        for row in rows:
            yield int(row[place])
