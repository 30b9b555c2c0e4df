"""Numbers of jobs in their groups, whoever adds them at the same moment."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from database.engine import open_database, transaction
from database.job_life import Claim, claim_job, end_job, publish_anew, repeat_job
from database.jobs import (
    Order,
    State,
    StoredJob,
    Wanted,
    add_job,
    count_jobs,
    list_jobs,
    newest_jobs,
)
from database.old_jobs import forget_jobs
from database.tables import now

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


@pytest.mark.parametrize("work_queue", ["", "high"])
def test_a_worker_that_is_too_early_for_a_move(engine: Engine, work_queue: str) -> None:
    """The new message arrives before the move is committed: that is waited for."""
    id_ = uuid4()
    add(engine, id_)
    with ThreadPoolExecutor() as threads:
        claims: list[Future[Claim]] = []

        def publish(message: UUID, _job: StoredJob) -> None:
            claims.append(threads.submit(claim_job, engine, id_, message, ORDER, "early"))
            with pytest.raises(TimeoutError):
                claims[0].result(0.3)

        assert publish_anew(engine, id_, publish, states=["queued"], work_queue=work_queue)
        claim = claims[0].result()
    assert (claim.refused, claim.job.id, claim.job.worker) == (None, id_, "early")
    assert claim_job(engine, id_, id_, ORDER, "late").refused == "moved"


def test_a_move_that_is_undone(engine: Engine) -> None:
    """Its message may be in the queue all the same; the old one counts."""
    id_ = uuid4()
    add(engine, id_)
    published: list[UUID] = []

    def publish(message: UUID, _job: StoredJob) -> None:
        published.append(message)
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        publish_anew(engine, id_, publish, states=["queued"], work_queue="high")
    assert claim_job(engine, id_, published[0], ORDER, "w").refused == "moved"
    assert claim_job(engine, id_, id_, ORDER, "w").refused is None


def test_a_repetition_that_is_undone(engine: Engine) -> None:
    """The next try is the same job, which is not published twice if somebody has it."""
    id_ = uuid4()
    add(engine, id_)
    end_job(engine, id_, "failed")
    published: list[UUID] = []

    def publish(message: UUID, _job: StoredJob) -> None:
        published.append(message)
        if len(published) == 1:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        repeat_job(engine, id_, publish, states=["failed"])
    claim_job(engine, published[0], published[0], ORDER, "w")
    new = repeat_job(engine, id_, publish, states=["failed"])
    assert new is not None
    assert (published, new.state) == ([new.id], "running")
    assert repeat_job(engine, id_, publish, states=["failed"]) is None


def ended(engine: Engine, at: datetime, state: State = "failed") -> UUID:
    """Add a job that came and ended at a time."""
    id_ = uuid4()
    with transaction(engine) as connection:
        add_job(connection, id_, ORDER, state=state, created_at=at, ended_at=at)
    return id_


def test_the_newest_come_first_and_all_are_counted(engine: Engine) -> None:
    """However many are shown; those who run them again want the earliest first."""
    start = now()
    states: tuple[State, ...] = ("failed", "completed", "completed")
    ids = [ended(engine, start + timedelta(hours=n), state) for n, state in enumerate(states)]
    assert [job.id for job in newest_jobs(engine, Wanted(), 2)] == [ids[2], ids[1]]
    assert [job.id for job in list_jobs(engine, Wanted(), 2)] == ids[:2]
    assert list(count_jobs(engine, Wanted()).items()) == [("completed", 2), ("failed", 1)]
    assert count_jobs(engine, Wanted(command="y")) == {}


def test_a_window_of_time_has_a_zone(engine: Engine) -> None:
    """06:00+03:00 is 03:00 in UTC, and so is 03:00 without a zone."""
    three = datetime(2026, 11, 22, 3, tzinfo=UTC)
    id_ = ended(engine, three)
    moscow = three.astimezone(timezone(timedelta(hours=3)))
    second = timedelta(seconds=1)
    for same in (three, moscow, three.replace(tzinfo=None)):
        inside = Wanted(since=same, until=same + second)
        assert [job.id for job in list_jobs(engine, inside)] == [id_]
        assert list_jobs(engine, Wanted(since=same + second)) == []
        assert list_jobs(engine, Wanted(until=same)) == []


def test_what_ended_long_ago_is_forgotten(engine: Engine) -> None:
    """Some at a time; what is younger, or has its work before it, stays, and so do the numbers."""
    old, young = now() - timedelta(days=91), now() - timedelta(days=89)
    for state in ("completed", "failed", "cancelled", "superseded"):
        ended(engine, old, state)
    kept = {ended(engine, old, "held"), ended(engine, old, "queued"), ended(engine, young)}
    assert [forget_jobs(engine, most=3), forget_jobs(engine, most=3)] == [3, 1]
    assert forget_jobs(engine) == 0
    assert {job.id for job in list_jobs(engine, Wanted())} == kept
    assert add(engine, uuid4()) == 8
