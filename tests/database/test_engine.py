"""The database opens with its newest tables, for everybody at once."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, func, inspect, select

from database.engine import MIGRATIONS, open_database, reading, transaction
from database.lists import ListWriter
from database.tables import lists, metadata

ROOT = Path(__file__).parents[2]
#: As many threads as have batches under way at once.
THREADS = 32


def tables(engine: Engine) -> set[str]:
    """List the tables."""
    return set(inspect(engine).get_table_names())


def test_migrations_make_the_tables(engine: Engine) -> None:
    """From nothing, the migrations give exactly the tables that the code declares."""
    assert tables(engine) == {*metadata.tables, "alembic_version"}
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_every_migration_can_be_undone(engine: Engine) -> None:
    """Downgrading to nothing takes every table away, and upgrading brings them back."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1
    with transaction(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert tables(engine) == {"alembic_version"}
    with transaction(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    assert tables(engine) == {*metadata.tables, "alembic_version"}


def test_opening_again_keeps_what_is_there(engine: Engine, url: str) -> None:
    """In one process there is one engine, and a second process finds what the first wrote."""
    ListWriter(engine, "kept", "f" * 64)
    assert open_database(url) is engine
    code = """
import sys
from database.engine import open_database, reading
from database.tables import lists
from sqlalchemy import select
with reading(open_database(sys.argv[1])) as connection:
    print(connection.execute(select(lists.c.name)).scalar_one())
"""
    assert run(code, url).communicate()[0] == "kept\n"


def test_processes_may_open_it_at_once(url: str, tmp_path: Path) -> None:
    """Several processes that find an empty database at the same moment all get their tables."""
    code = """
import sys
from database.engine import open_database
from database.lists import ListWriter
print("ready", flush=True)
sys.stdin.readline()
print(ListWriter(open_database(sys.argv[1]), "list", "f" * 64).id)
"""
    processes = [run(code, url) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    written = [process.communicate(timeout=60) for process in processes]
    assert sorted(out for out, _ in written) == ["1\n", "2\n", "3\n", "4\n"], written
    engine = create_engine(url)
    assert tables(engine) == {*metadata.tables, "alembic_version"}
    engine.dispose()


def run(code: str, url: str) -> "subprocess.Popen[str]":
    """Start a process of ours."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", code, url],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
    )


def test_threads_may_open_it_at_once(url: str) -> None:
    """Threads that open a database at the same moment share one engine."""
    with ThreadPoolExecutor(THREADS) as threads:
        engines = set(threads.map(open_database, [url] * THREADS))
    assert len(engines) == 1
    engines.pop().dispose()


def test_all_batches_may_read_at_once(engine: Engine) -> None:
    """There is a connection for each of the threads that have batches under way."""
    together = threading.Barrier(THREADS)

    def read(_: int) -> int:
        with reading(engine) as connection:
            together.wait(timeout=20)
            return connection.execute(select(func.count()).select_from(lists)).scalar_one()

    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(read, range(THREADS))) == [0] * THREADS


def test_readers_do_not_wait_for_a_writer(engine: Engine) -> None:
    """While somebody writes, others read what was there before."""
    ListWriter(engine, "before", "f" * 64)
    with transaction(engine) as connection:
        connection.execute(lists.insert().values(name="meanwhile", fingerprint="f" * 64))
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(names, engine).result(10) == ["before"]
    assert names(engine) == ["before", "meanwhile"]


def test_opening_does_not_wait_for_a_writer(engine: Engine, url: str) -> None:
    """A process that opens a database with all its tables need not wait until others are done."""
    code = "import sys; from database.engine import open_database; open_database(sys.argv[1])"
    with transaction(engine) as connection:
        connection.execute(lists.insert().values(name="meanwhile", fingerprint="f" * 64))
        assert run(code, url).communicate(timeout=30) == ("", "")


def names(engine: Engine) -> list[str]:
    """List the lists, finished or not."""
    with reading(engine) as connection:
        return list(connection.execute(select(lists.c.name).order_by(lists.c.id)).scalars())


def test_a_transaction_is_kept_whole_or_not_at_all(engine: Engine) -> None:
    """What a block wrote before it failed is not there afterwards."""

    def fail() -> None:
        with transaction(engine) as connection:
            connection.execute(lists.insert().values(name="half", fingerprint="f" * 64))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(engine) == []


FORK = """
import os, sys
from database.engine import open_database
from database.lists import ListWriter

url = sys.argv[1]
engine = open_database(url)
ListWriter(engine, "parent", "f" * 64)
child = os.fork()
ListWriter(open_database(url), "child" if child == 0 else "parent again", "f" * 64)
if child == 0:
    os._exit(0 if open_database(url) is not engine else 3)
print(os.waitpid(child, 0)[1])
"""


def test_a_forked_child_has_connections_of_its_own(engine: Engine, url: str) -> None:
    """A fork does not share a connection with its parent: both can go on."""
    assert run(FORK, url).communicate(timeout=60) == ("0\n", "")
    assert sorted(names(engine)) == ["child", "parent", "parent again"]
