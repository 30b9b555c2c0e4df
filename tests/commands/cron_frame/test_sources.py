"""Rows come out of real databases: all types, a few at a time, and nothing is ever written."""

import json
import os
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from commands.cron_frame.thread import Stop
from commands.loop import submit
from tests.commands.cron_frame.receiver import Receiver, answers, receiving
from tests.commands.cron_frame.shop import Shop, export, job, offers, wait_for
from tests.services.processes import free_port

ROOT = Path(__file__).parents[3]
MEGABYTE = 1 << 20


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    """Give a shop on either database."""
    is_sqlite = request.param == "sqlite"
    return Shop(tmp_path, None if is_sqlite else str(request.getfixturevalue("postgres_url")))


def fed(shop: Shop, **frame: Any) -> list[dict[str, Any]]:
    """Export, and return what the endpoint got."""
    with receiving(Receiver()) as receiver:
        shop.frame(5, destination=receiver.url, **frame)
        outcome = export(5, shop.environment())
    assert outcome.status == "delivered", outcome.error
    return offers(bytes(receiver.requests[0].body))


def test_a_table_of_many_rows_is_all_there(shop: Shop) -> None:
    """More rows than are held at once come in full, compared with the table one by one."""
    prices = {str(number): f"{number}.{number % 100:02}" for number in range(1, 2_501)}
    shop.sell({"price": price} for price in prices.values())
    assert {one["id"]: one["price"] for one in fed(shop)} == prices


def test_a_query_names_and_orders(shop: Shop) -> None:
    """A SELECT of any kind: with a colon, a percent sign, a comment, a semicolon at its end."""
    shop.sell([{"name": "a%b"}, {"name": "c:d"}, {"name": "e"}])
    query = """WITH best AS (SELECT * FROM offers WHERE name LIKE '%:%' OR name LIKE 'a\\%%')
        SELECT id AS "id", price, 'RUR' AS "currencyId", "categoryId", name || ':x' AS name
        FROM best ORDER BY name DESC -- the best: 100 %
        ;"""
    if shop.url.startswith("sqlite"):
        query = query.replace("LIKE 'a\\%%'", "LIKE 'a%'")
    assert [one["name"] for one in fed(shop, table=None, query=query)] == ["c:d:x", "a%b:x"]


def test_the_types_of_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """Numbers, booleans, arrays and JSON are what they mean."""
    shop = Shop(tmp_path, postgres_url)
    shop.execute(
        "CREATE SCHEMA warehouse",
        'CREATE TABLE warehouse."Goods" (id bigint, available bool, price numeric(10, 2), old_price'
        " float8, category_id int, name text, picture text[], param jsonb, weight numeric)",
        'INSERT INTO warehouse."Goods" VALUES (9007199254740993, false, 1990.50, 2000.1, 102,'
        """ 'x', '{http://a/1,http://a/2}', '{"Power": 5, "Odd": null}', 1e3)""",
    )
    shop.execute('ALTER TABLE warehouse."Goods" RENAME old_price TO oldprice')
    (offer,) = fed(shop, table="warehouse.Goods")
    assert offer == {
        "id": "9007199254740993",
        "available": "false",
        "price": "1990.50",
        "oldprice": "2000.1",
        "currencyId": "RUR",
        "categoryId": "102",
        "name": "x",
        "picture": ["http://a/1", "http://a/2"],
        "param": {("Power", None): "5"},
        "weight": str(Decimal("1e3").quantize(Decimal(1))),
    }


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no table": ({"table": "goods"}, "goods"),
    "no schema": ({"table": "nowhere.goods"}, "goods"),
    "injection": ({"table": 'offers"; DROP TABLE offers; --'}, "refuses"),
    "wrong": ({"table": None, "query": "SELECT id FRM offers"}, "refuses"),
    "writes": ({"table": None, "query": "DELETE FROM offers"}, "refuses"),
    "returns": ({"table": None, "query": "DELETE FROM offers RETURNING id"}, "refuses"),
    "two": ({"table": None, "query": "SELECT 1 AS id; DROP TABLE offers"}, ""),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_database_refuses_is_an_error(shop: Shop, what: str) -> None:
    """It is told in a line with the database's words, is not tried again, and changes nothing."""
    frame, words = REFUSED[what]
    shop.sell([{}])
    with receiving(Receiver()) as receiver:
        shop.frame(5, destination=receiver.url, **frame)
        outcome = export(5, shop.environment())
    assert outcome.status == "error"
    assert words in str(outcome.error)
    assert "\n" not in str(outcome.error)
    assert receiver.requests == []
    assert len(fed(shop)) == 1


def test_categories_need_their_columns(shop: Shop) -> None:
    """What has neither id nor name is no list of categories."""
    shop.sell([{}])
    shop.execute("ALTER TABLE categories RENAME name TO title")
    shop.frame(5, destination="x.xml")
    outcome = export(5, shop.environment())
    assert "columns id, title, parent_id; needed are id and name" in str(outcome.error)


def test_a_database_that_is_away_is_asked_again(tmp_path: Path) -> None:
    """The job is tried again; then it says what is away, without the password."""
    shop = Shop(tmp_path)
    url = f"postgresql+psycopg2://ann:sesame@127.0.0.1:{free_port()}/shop"
    shop.frame(5, source=url, destination="x.xml")
    outcome = export(5, shop.environment(), retries=1)
    assert outcome.status == "error"
    assert "is away" in str(outcome.error)
    assert "sesame" not in str(outcome.error)


def test_a_missing_sqlite_file_is_not_made(tmp_path: Path) -> None:
    """A wrong path is an error, not an empty shop."""
    shop = Shop(tmp_path)
    shop.frame(5, source=f"sqlite:///{tmp_path / 'shops.db'}", destination="x.xml")
    outcome = export(5, shop.environment())
    assert "there is no database" in str(outcome.error)
    assert not (tmp_path / "shops.db").exists()


def readers(url: str, column: str = "pid") -> int:
    """Count the connections that read offers, and do with each what the column says."""
    engine = create_engine(url)
    with engine.begin() as connection:
        found = connection.execute(
            text(
                f"SELECT {column} FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'rollcall cron_frame'"
            )
        ).all()
    engine.dispose()
    return len(found)


def terminate(url: str) -> int:
    """Cut the connections that read offers, and return how many there were, when they are gone."""
    return readers(url, "pg_terminate_backend(pid, 60000)")


#: Rows that take longer than any test waits, after some that come at once.
ENDLESS = """SELECT n AS id, 1 AS price, 102 AS category_id, 'x' AS name
FROM generate_series(1, 5000) n UNION ALL SELECT 5001, 1, 102, pg_sleep(600)::text"""


def test_a_connection_lost_in_the_middle_delivers_nothing(
    postgres_url: str, tmp_path: Path
) -> None:
    """Half a feed is none: the job is tried again from the start."""
    shop = Shop(tmp_path, postgres_url)
    with receiving(Receiver()) as receiver:
        shop.frame(5, destination=receiver.url, table=None, query=ENDLESS)
        part = tmp_path / "work" / "frame-5" / "export.part"
        exporting = submit(job(5, shop.environment(), retries=0))
        wait_for(lambda: part.exists() and part.stat().st_size > 100_000)
        assert terminate(postgres_url) == 1
        outcome = exporting.result(60)
    assert outcome.status == "error"
    assert "is away" in str(outcome.error)
    assert receiver.requests == []


def test_an_interrupt_within_another_leaves_that_one() -> None:
    """The innermost is asked; when it is over the outer one is again."""
    stop, asked = Stop(), Queue[str]()
    with stop.by(lambda: asked.put("offers")):
        with stop.by(lambda: asked.put("categories")):
            stop.ask()
            assert asked.get(timeout=60) == "categories"
        # It is asked until the work has ended: without a word from us.
        wait_for(lambda: asked.get(timeout=60) == "offers")
    stop.over.set()


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
def test_a_cancelled_job_stops_its_query(postgres_url: str, tmp_path: Path, *, apart: bool) -> None:
    """The query is interrupted, and the frame is free, when the job is cancelled."""
    shop = Shop(tmp_path, postgres_url)
    shop.frame(5, destination="x.xml", table=None, query=ENDLESS)
    if apart:
        # The categories are in a database of their own.
        (tmp_path / "other").mkdir()
        source = f'source = "{Shop(tmp_path / "other").url}"'
        text = shop.file.read_text().replace("[shop.categories]", f"[shop.categories]\n{source}")
        shop.file.write_text(text)
    part = tmp_path / "work" / "frame-5" / "export.part"
    exporting = submit(job(5, shop.environment()))
    wait_for(lambda: part.exists() and part.stat().st_size > 100_000)
    exporting.cancel()
    shop.sell([{}])
    shop.frame(5, destination="x.xml")
    wait_for(lambda: export(5, shop.environment()).status == "delivered")
    wait_for(lambda: readers(postgres_url) == 0)
    wait_for(lambda: not [t for t in threading.enumerate() if t.name.startswith("cron_frame")])


def test_a_query_that_takes_too_long_is_a_time_out(postgres_url: str, tmp_path: Path) -> None:
    """A job has a time limit, and its query ends with it."""
    shop = Shop(tmp_path, postgres_url)
    shop.frame(5, destination="x.xml", table=None, query=ENDLESS)
    outcome = export(5, shop.environment(), timeout_seconds=0.5)
    assert outcome.status == "timeout"
    wait_for(lambda: readers(postgres_url) == 0)


MEASURE = """
import json, sys
from pathlib import Path
from commands.environment import Environment
from tests.commands.cron_frame.shop import export

def peak():
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) * 1024

environment = Environment(feeds=Path(sys.argv[1]), work_folder=Path(sys.argv[2]))
peaks = []
for frame in (1, 2, 3, 4):
    outcome = export(frame, environment)
    assert outcome.status == "delivered", outcome
    peaks.append((outcome.answer["offers"], peak()))
print(json.dumps(peaks))
"""


def test_memory_does_not_grow_with_the_offers(shop: Shop) -> None:
    """From 10,000 to 100,000 offers the peak of memory grows by less than 10 MB, in each format."""
    texts = "1 AS price, 102 AS category_id, 'Good no. ' || n AS name, 'words ' || n AS description"
    numbers = (
        "WITH RECURSIVE counted(n) AS"
        " (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {most})"
        f" SELECT n AS id, {texts} FROM counted"
    )
    frames = [(10_000, "yml"), (10_000, "csv"), (100_000, "yml"), (100_000, "csv")]
    with receiving(Receiver(answers())) as receiver:
        for frame, (most, kind) in enumerate(frames, 1):
            query = numbers.format(most=most)
            shop.frame(
                frame, destination=f"{receiver.url}/{frame}", table=None, query=query, format=kind
            )
        command = [sys.executable, "-c", MEASURE, str(shop.file), str(shop.folder / "work")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        printed = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    small, _, yml, csv = json.loads(printed)
    assert [small[0], yml[0], csv[0]] == [10_000, 100_000, 100_000]
    assert csv[1] - small[1] < 10 * MEGABYTE, printed
    assert receiver.requests[2].body.count(b"<offer id=") == 100_000
    assert receiver.requests[3].body.count(b"\r\n") == 100_001
