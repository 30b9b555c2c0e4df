"""Digests: history is no news, and looking for news reads nothing else."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, insert, select

from database.digests import (
    digest_counts,
    digest_jobs,
    digest_runs,
    make_digest,
    post_digest,
    unposted_digests,
)
from database.engine import MIGRATIONS, open_database, reading, transaction
from database.outbox import any_due, claim_mail, outbox_counts, tidy_outbox
from database.results import save_results, status_counts
from database.subscribers import add_subscriber, list_subscribers
from database.tables import jobs, lists, now, runs
from tests.database.rows import keys, make_stage, result
from tests.database.test_plans import recorded, steps

HISTORY = 3_000


def past(engine: Engine) -> None:
    """Let much have ended that was told, and something that was not."""
    with transaction(engine) as connection:
        made = {"fingerprint": "f" * 64, "name": "old"}
        old = connection.execute(insert(lists).values(made).returning(lists.c.id)).scalar_one()
        told = {"list_id": old, "checks": [], "ended_at": now()}
        connection.execute(insert(runs), [{"id": uuid4(), **told} for _ in range(HISTORY)])
        job = {"work_queue": "q", "command": "old", "state": "failed", "ended_at": now()}
        failed = [{"id": uuid4(), "message": uuid4(), "number": n, **job} for n in range(HISTORY)]
        connection.execute(insert(jobs), failed)
    make_digest(engine)
    (told_by,) = unposted_digests(engine)
    post_digest(engine, told_by, "example.com", lambda _topics: None)


def news(engine: Engine) -> int:
    """Let a run end, beside another that has many results; returns its number."""
    domains = keys(HISTORY)
    other = make_stage(engine, domains)
    save_results(engine, other.run, other.check, [result(key) for key in domains])
    stage = make_stage(engine, domains[:20])
    save_results(engine, stage.run, stage.check, [result(key) for key in domains[:20]])
    with transaction(engine) as connection:
        ended = runs.update().where(runs.c.number == stage.run).values(ended_at=now())
        connection.execute(ended)
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")
    return stage.run


def read(engine: Engine, run: int) -> None:
    """Ask everything that a job asks."""
    make_digest(engine)
    (digest,) = unposted_digests(engine)
    assert digest_counts(engine, digest, "cron_events") == (1, 0, 0)
    assert [row.number for row in digest_runs(engine, digest, 10)] == [run]
    assert status_counts(engine, run) == {"host": {"resolves": 20}}
    assert digest_jobs(engine, digest, "cron_events", 10) == []
    assert not any_due(engine)
    assert tidy_outbox(engine) == []
    assert claim_mail(engine) is None
    outbox_counts(engine)


def test_sqlite_reads_only_what_is_new(tmp_path: Path) -> None:
    """Each question about runs, jobs and results goes by an index."""
    engine = open_database(f"sqlite:///{tmp_path / 'rollcall.db'}")
    past(engine)
    run = news(engine)
    with recorded(engine) as queries:
        read(engine, run)
    plans = ["\n".join(plan) for plan in steps(tmp_path / "rollcall.db", queries)]
    assert len(plans) >= 10
    for plan in plans:
        assert not any(f"SCAN {table}" in plan for table in ("runs", "jobs", "results", "outbox"))
    assert sum("INDEX runs_told (digest=?)" in plan for plan in plans) >= 3
    jobs_told = "INDEX jobs_told (state=? AND digest=?)"
    assert sum(jobs_told in plan for plan in plans) >= 3
    assert not any("jobs_ended" in plan for plan in plans)


def test_postgresql_reads_only_what_is_new(postgres_url: str) -> None:
    """No table that grows with history is read from one end to the other."""
    engine = open_database(postgres_url)
    past(engine)
    run = news(engine)
    with recorded(engine) as queries:
        read(engine, run)
    with reading(engine) as connection:
        for statement, values in queries:
            found = connection.exec_driver_sql(f"EXPLAIN {statement}", values)
            plan = "\n".join(row[0] for row in found)
            for table in ("runs", "jobs", "results"):
                assert f"Seq Scan on {table}" not in plan, plan
    engine.dispose()


def test_what_ended_before_there_were_digests_is_history(engine: Engine) -> None:
    """The migration leaves nothing to tell of what it finds; what has not ended is news later."""
    with transaction(engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
        both: list[dict[str, Any]] = [
            {"id": uuid4(), "checks": [], "ended_at": at} for at in (now(), None)
        ]
        connection.execute(insert(runs), both)
        command.upgrade(config, "0004")
    with reading(engine) as connection:
        digests = connection.execute(select(runs.c.digest).order_by(runs.c.number)).scalars().all()
    assert digests == [0, None]
    make_digest(engine)
    assert unposted_digests(engine) == []


def test_subscribing_again_changes_the_topics(engine: Engine) -> None:
    """There is one row for an address."""
    assert add_subscriber(engine, "ann@example.org", ["runs"])
    assert not add_subscriber(engine, "ann@example.org", ["jobs", "changes"])
    assert list_subscribers(engine) == [("ann@example.org", ["changes", "jobs"])]


@pytest.mark.parametrize("error", [None, "boom"])
def test_jobs_of_one_kind_are_one_row(engine: Engine, error: str | None) -> None:
    """Those of a command with the same error, also with none, with the last of them."""
    job = {"work_queue": "q", "command": "c", "state": "failed", "error": error}
    with transaction(engine) as connection:
        made = [
            {"id": uuid4(), "message": uuid4(), "number": n, "payload": n, "ended_at": now(), **job}
            for n in range(5)
        ]
        connection.execute(insert(jobs), made)
    make_digest(engine)
    (digest,) = unposted_digests(engine)
    (row,) = digest_jobs(engine, digest, "cron_events", 10)
    assert (row.jobs, row.number, row.payload, row.error) == (5, 4, 4, error)
