"""Numbers of jobs in their groups, whoever adds them at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from database.engine import open_database, transaction
from database.jobs import Order, add_job

ORDER = Order(command="x", payload=None, work_queue="group")


def add(engine: Engine, id_: UUID) -> int | None:
    """Add a job in a transaction of its own."""
    with transaction(engine) as connection:
        return add_job(connection, id_, ORDER)


def test_a_job_that_two_add_takes_one_number(postgres_url: str) -> None:
    """A worker may have the message before the emitter has stored the row: no number is lost."""
    engine, id_ = open_database(postgres_url), uuid4()
    waiting = threading.Event()

    def worker() -> int | None:
        with transaction(engine) as connection:
            waiting.set()
            return add_job(connection, id_, ORDER)

    with ThreadPoolExecutor() as threads:
        with transaction(engine) as connection:
            assert add_job(connection, id_, ORDER) == 1
            second = threads.submit(worker)
            waiting.wait()
            with pytest.raises(TimeoutError):
                # It waits for us.
                second.result(0.5)
        assert second.result() is None
    assert add(engine, uuid4()) == 2


def test_numbers_of_an_emission_that_is_undone(postgres_url: str) -> None:
    """They are given out again."""
    engine = open_database(postgres_url)
    with engine.connect() as connection:
        assert add_job(connection, uuid4(), ORDER) == 1
        connection.rollback()
    assert add(engine, uuid4()) == 1
