"""A database that goes away under a call is told in one line, and used again when it is back."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text

from database.engine import open_database, reading, transaction
from database.errors import DatabaseUnreachable
from database.lists import ListWriter, rejected_sample
from database.results import counter_values, save_results
from database.tables import lists
from tests.database.rows import keys, make_stage, result, stored
from tests.services.postgres import Postgres, running_postgres


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    """Give a cluster that a test may stop and kill."""
    with running_postgres() as postgres:
        yield postgres


@pytest.fixture
def own_url(cluster: Postgres) -> Iterator[str]:
    """Give an empty database in that cluster."""
    with cluster.database() as url:
        yield url


def test_it_goes_on_after_a_restart(cluster: Postgres, own_url: str) -> None:
    """When PostgreSQL was restarted between two calls, the second one works as the first."""
    engine = open_database(own_url)
    stage = make_stage(engine, keys(2))
    for end in (cluster.stop, cluster.kill):
        save_results(engine, stage.run, stage.check, [], {"calls": 1})
        end()
        cluster.start()
        save_results(engine, stage.run, stage.check, [result(key) for key in keys(2)])
    assert counter_values(engine, stage.run, stage.check) == {"calls": 2}
    assert len(stored(engine, stage.run)) == 2
    engine.dispose()


def test_while_it_is_down_every_call_says_so(cluster: Postgres, own_url: str) -> None:
    """As long as PostgreSQL is down, each call fails in one line, and none is the worse for it."""
    engine = open_database(own_url)
    stage = make_stage(engine, keys(2))
    cluster.stop()
    for _ in range(3):
        with pytest.raises(DatabaseUnreachable, match=f"{cluster.port}.*refused"):
            stored(engine, stage.run)
    cluster.start()
    assert stored(engine, stage.run) == []
    engine.dispose()


def test_a_broken_copy_is_told(cluster: Postgres, own_url: str) -> None:
    """What PostgreSQL stops in the middle of a COPY fails in one line, like any other call."""
    engine = open_database(own_url)
    writer = ListWriter(engine, "list", "f" * 64)
    with transaction(engine) as connection:
        name = engine.url.database
        connection.execute(text(f"ALTER DATABASE {name} SET statement_timeout = '100ms'"))
    engine.dispose()
    large = [(1, n, "x" * 1_000_000, "reason") for n in range(50)]
    with pytest.raises(DatabaseUnreachable, match="statement timeout"):
        writer.add_rejected(large)
    engine.dispose()


class Fatal:
    """A value that kills the server when it is written out: between staging and COPY."""

    def __init__(self, cluster: Postgres) -> None:
        self._cluster = cluster

    def __str__(self) -> str:
        self._cluster.kill()
        return "text"


def in_copy(engine: Engine, cluster: Postgres) -> None:
    """Kill the server before the rows are sent."""
    ListWriter(engine, "list", "f" * 64).add_rejected([(1, 0, Fatal(cluster), "r")])  # type: ignore[list-item]


def while_waiting(engine: Engine, cluster: Postgres) -> None:
    """Kill the server while a call waits for somebody else's lock."""
    writer = ListWriter(engine, "list", "f" * 64)
    failed: list[Exception] = []

    def write() -> None:
        try:
            writer.add_rejected([(1, 0, "text", "reason")])
        except DatabaseUnreachable as error:
            failed.append(error)

    with contextlib.suppress(DatabaseUnreachable), transaction(engine) as connection:
        connection.execute(text("LOCK TABLE rejected IN ACCESS EXCLUSIVE MODE"))
        thread = threading.Thread(target=write)
        thread.start()
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not connection.execute(waiting).scalar_one():
            time.sleep(0.01)
        cluster.kill()
        thread.join()
    raise failed[0]


def while_reading(engine: Engine, cluster: Postgres) -> None:
    """Kill the server between two chunks."""
    domains = keys(5_000)
    stage = make_stage(engine, domains)
    save_results(engine, stage.run, stage.check, [result(k, error="x" * 2000) for k in domains])
    with reading(engine) as connection:
        rows = connection.execution_options(yield_per=10).execute(text("SELECT * FROM results"))
        for n, _ in enumerate(rows):
            if n == 100:
                cluster.kill()


def at_commit(engine: Engine, cluster: Postgres) -> None:
    """Kill the server before the end of a transaction."""
    with transaction(engine) as connection:
        connection.execute(lists.insert().values(name="lost", fingerprint="f" * 64))
        cluster.kill()


@pytest.mark.parametrize("work", [in_copy, while_waiting, while_reading, at_commit])
def test_a_crash_during_a_call_is_told(
    cluster: Postgres, own_url: str, work: Callable[[Engine, Postgres], None]
) -> None:
    """A server that dies under a call makes it fail in one line, and the next call works again."""
    engine = open_database(own_url)
    try:
        with pytest.raises(DatabaseUnreachable) as caught:
            work(engine, cluster)
        assert "\n" not in str(caught.value)
    finally:
        cluster.start()
    writer = ListWriter(engine, "after", "f" * 64)
    writer.add_rejected([(1, 0, "text", "reason")])
    assert rejected_sample(engine, writer.id, 5) == [(1, "text", "reason")]
    engine.dispose()
