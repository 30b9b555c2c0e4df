"""Things that happen, and the command that tells of them."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, insert, update

from commands.command import Outcome
from commands.execution import _ended
from commands.registry import make
from database.comparison import compare
from database.engine import reading, transaction
from database.results import save_results
from database.runs import end_run
from database.tables import jobs, now, outbox
from tasks.settings import Settings
from tests.database.rows import keys, make_stage, result

__all__ = ["ANN", "BOB", "SENDER", "Emit", "emit", "end", "fail", "mails", "pass_time"]

ANN, BOB = "ann@example.org", "bob@example.org"
SENDER = "rollcall@example.com"
Emit = Callable[..., Outcome]


def emit(url: str, smtp_url: str | None, payload: Any = None, **different: Any) -> Outcome:
    """Do the job, as a worker does."""
    values = {"database_url": url, "smtp_url": smtp_url, "mail_from": SENDER} | different
    environment = Settings(**values).environment(second_pass=False)

    async def execute() -> Outcome:
        async with make("cron_events", {}, environment) as command:
            command.handle({"backoff_seconds": 0})
            outcome, _ = await _ended(command, payload)
            return outcome

    return asyncio.run(execute())


def end(engine: Engine, *, gone: Iterable[str] = (), domains: int = 20) -> int:
    """Let a run end in which some domains are not there any more; returns its number."""
    stage = make_stage(engine, keys(domains))
    lost = set(gone)
    rows = [
        result(key, status="nxdomain" if key[1] in lost else "resolves", answer=None)
        for key in keys(domains)
    ]
    save_results(engine, stage.run, stage.check, rows)
    compare(engine, stage.run)
    end_run(engine, stage.run)
    return stage.run


def fail(
    engine: Engine, count: int = 1, *, command: str = "cron_frame", error: str = "boom"
) -> None:
    """Let jobs of a command fail; their numbers are their payloads."""
    with transaction(engine) as connection:
        made = [
            {
                "id": uuid4(),
                "work_queue": f"{command} {error}",
                "number": number,
                "command": command,
                "payload": number,
                "state": "failed",
                "message": uuid4(),
                "ended_at": now() + timedelta(microseconds=number),
                "error": error,
            }
            for number in range(1, count + 1)
        ]
        connection.execute(insert(jobs), made)


def mails(engine: Engine) -> list[tuple[str, str, int]]:
    """Return address, state and tries of each mail in the outbox."""
    with reading(engine) as connection:
        found = connection.execute(outbox.select().order_by(outbox.c.address, outbox.c.id))
        return [(row.address, row.state, row.tries) for row in found]


def pass_time(engine: Engine) -> None:
    """Let the next try of all mails be due, and every claim have ended."""
    with transaction(engine) as connection:
        connection.execute(update(outbox).values(due_at=now() - timedelta(seconds=1)))
