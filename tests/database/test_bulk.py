"""Rows arrive as they are, once each, whoever else writes at the same time."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from database.bulk import insert_rows
from database.engine import reading, transaction
from database.lists import ListWriter, rejected_sample
from database.results import save_results
from database.tables import domains, rejected
from tests.database.rows import keys, make_stage, result, stored

TEXTS = [
    "",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\\",
    "\\\\",
    "\\N",
    "\\.",
    "\\n",
    "\\t\\x41\\101",
    "a\tb\nc\rd\\e",
    "ends in a backslash\\",
    "NULL",
    "null",
    "\x01\x08\x0b\x0c\x1b\x7f",
    "'quoted' \"twice\"",
    "%s %(name)s :name ? ?1 $1",
    "{}",
    "Ünïcödé 例え \U0001f600 e\u0301 \u2028 \ufeff",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_text_comes_back_as_it_was(engine: Engine, text: str) -> None:
    """No character of a text means anything to the way into the database."""
    writer = ListWriter(engine, "list", "f" * 64)
    writer.add_rejected([(1, 0, text, "before"), (1, 1, "next", text)])
    assert rejected_sample(engine, writer.id, 10) == [(1, text, "before"), (1, "next", text)]


@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=8))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_comes_back(engine: Engine, texts: list[str]) -> None:
    """So do all others that a database can hold."""
    writer = ListWriter(engine, "list", "f" * 64)
    writer.add_rejected([(1, n, text, "reason") for n, text in enumerate(texts)])
    assert [text for _, text, _ in rejected_sample(engine, writer.id, 10)] == texts


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_is_not_an_empty_text(engine: Engine, nothing: str | None) -> None:
    """None comes back as None, and an empty text as an empty text."""
    stage = make_stage(engine, [(1, "a.org")])
    row = result((1, "a.org"), answer=None, error=nothing, decided_by=nothing)
    save_results(engine, stage.run, stage.check, [row])
    (_, _, _, answer, error, _, decided_by, _), *_ = stored(engine, stage.run)
    assert (answer, error, decided_by) == (None, nothing, nothing)


@pytest.mark.parametrize("text", ["a\0b", "\0", "\udcff", "a\ud800\0b"])
def test_text_that_no_database_holds_costs_no_row(engine: Engine, text: str) -> None:
    """An error's text with a NUL or half a character is stored with a stand-in for it."""
    stage = make_stage(engine, [(1, "a.org")])
    row = result((1, "a.org"), answer={"text": text}, error=text)
    save_results(engine, stage.run, stage.check, [row])
    (_, _, _, answer, error, _, _, _), *_ = stored(engine, stage.run)
    assert error == text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    assert answer


def count(engine: Engine, table: Any) -> int:
    """Count a table's rows."""
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_no_rows_are_no_work(engine: Engine) -> None:
    """Writing nothing is allowed."""
    writer = ListWriter(engine, "list", "f" * 64)
    writer.add_domains([])
    writer.add_rejected([])
    assert (count(engine, domains), count(engine, rejected)) == (0, 0)


def test_a_row_is_written_once(engine: Engine) -> None:
    """Rows that are there already are left as they are, and new ones beside them are added."""
    writer = ListWriter(engine, "list", "f" * 64)
    rows = [(slot, name, n) for n, (slot, name) in enumerate(keys(300))]
    writer.add_domains(rows[:200])
    writer.add_domains([(slot, name, -1) for slot, name, _ in rows[100:]])
    with reading(engine) as connection:
        found = connection.execute(select(domains.c.name, domains.c.line)).all()
    assert dict(tuple(row) for row in found) == {
        name: n if n < 200 else -1 for n, (_, name, _) in enumerate(rows)
    }


def test_several_chunks_fit_into_one_transaction(engine: Engine) -> None:
    """What one call stages is not written again by the next in the same transaction."""
    writer = ListWriter(engine, "list", "f" * 64)
    columns = ("list_id", "slot", "name", "line")
    with transaction(engine) as connection:
        for n, (slot, name) in enumerate(keys(5)):
            insert_rows(connection, domains, columns, [(writer.id, slot, name, n)], "DO NOTHING")
    assert count(engine, domains) == 5


def together(work: Callable[[int], None], *, threads: int = 4) -> None:
    """Do work in several threads at once, and raise what one of them raised."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))


def test_writers_of_the_same_rows_do_not_block_each_other(engine: Engine) -> None:
    """Four threads that write the same rows in different orders all end, and no row is doubled."""
    domains_of_run = keys(2_000)
    stage = make_stage(engine, domains_of_run)
    rows = [result(key, final=False, status="timeout") for key in domains_of_run]
    names = [f"server{n} answered" for n in range(20)]

    def write(thread: int) -> None:
        order = random.Random(thread)
        for _ in range(5):
            mixed = order.sample(rows, k=len(rows))
            counts = dict.fromkeys(order.sample(names, k=len(names)), 1)
            save_results(engine, stage.run, stage.check, mixed, counts)

    together(write)
    found = stored(engine, stage.run)
    assert [row[0] for row in found] == [name for _, name in domains_of_run]
