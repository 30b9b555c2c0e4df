"""Jobs of several processes share locks; what is cancelled leaves none behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from commands.locks import Lock, LockTaken
from commands.loop import submit
from tasks.locks import SharedLocks, shared_locks
from tasks.settings import Settings
from tests.commands.cron_frame.receiver import Receiver, Request, answers, receiving, silent
from tests.commands.cron_frame.shop import Shop, export, job, offers, wait_for
from tests.services.processes import free_port

ROOT = Path(__file__).parents[2]
#: Exports the frames that it is told, all at once, and shows what came of each.
EXPORT = """
import asyncio, sys
from pathlib import Path
from commands.environment import Environment
from tasks.locks import shared_locks
from tests.commands.cron_frame.shop import job

database, feeds, work, *frames = sys.argv[1:]

async def all_of_them():
    environment = Environment(
        feeds=Path(feeds), work_folder=Path(work), locks=shared_locks(database)
    )
    for _ in range(3):
        jobs = (job(frame, environment) for frame in frames)
        print(*(outcome.status for outcome in await asyncio.gather(*jobs)), flush=True)

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(all_of_them())
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Give a shop with some goods."""
    (tmp_path / "shop").mkdir()
    found = Shop(tmp_path / "shop")
    found.sell({"name": f"Thing {n}"} for n in range(50))
    return found


def exporting(url: str, shop: Shop, *frames: int) -> "subprocess.Popen[str]":
    """Start a process that is ready to export."""
    pipe = subprocess.PIPE
    arguments = [url, str(shop.file), str(shop.folder / "work"), *map(str, frames)]
    process = subprocess.Popen(
        [sys.executable, "-c", EXPORT, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=pipe,
        stdout=pipe,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: "subprocess.Popen[str]") -> None:
    """Let it begin."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


class Slow(Receiver):
    """Takes its time, in which another delivery of the same frame would show."""

    async def serve(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Wait, and take it."""
        await asyncio.sleep(0.2)
        await super().serve(request, reader, writer)


def test_a_frame_is_exported_by_one_at_a_time(url: str, shop: Shop) -> None:
    """Of two processes with two frames: no two deliveries of one frame overlap, those of two do."""
    with receiving(Slow()) as receiver:
        for frame in (5, 9):
            shop.frame(frame, destination=f"{receiver.url}/{frame}")
        processes = [exporting(url, shop, 5, 9) for _ in range(2)]
        for process in processes:
            go(process)
        said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    statuses = sorted(status for one in said for status in one)
    assert set(statuses) <= {"busy", "delivered"}
    assert receiver.at_once == {"/5": 1, "/9": 1}
    assert receiver.together >= 2
    assert len(receiver.requests) == statuses.count("delivered")
    assert all(len(offers(bytes(one.body))) == 50 for one in receiver.requests)


def test_a_killed_exporter_frees_its_frame(url: str, shop: Shop) -> None:
    """While it holds the lock the frame is busy, and it says who is at it; then it is free."""
    with receiving(Receiver(silent, answers())) as receiver:
        shop.frame(5, destination=receiver.url)
        environment = shop.environment(locks=shared_locks(url))
        with exporting(url, shop, 5) as process:
            go(process)
            wait_for(lambda: receiver.requests and receiver.requests[0].whole)
            busy = export(5, environment)
            process.send_signal(signal.SIGKILL)
        later = [busy]
        while later[-1].status == "busy":
            later.append(export(5, environment))
    assert busy.status == "busy"
    assert busy.answer is not None
    assert f":{process.pid}" in busy.answer["by"]
    assert busy.answer["since"]
    assert later[-1].status == "delivered"
    assert (later[-1].answer or {})["reused"]


def lose(url: str) -> int:
    """Cut the connections that hold locks, and return how many there were."""
    engine = create_engine(url)
    with engine.begin() as connection:
        found = connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                " WHERE application_name LIKE 'rollcall %cron_frame 5'"
            )
        ).all()
    engine.dispose()
    return len(found)


class Losing(SharedLocks):
    """Loses each lock as soon as it is given."""

    @asynccontextmanager
    async def taken(self, key: str) -> AsyncIterator[Lock]:
        """Take it, and lose it."""
        async with super().taken(key) as lock:
            assert await asyncio.to_thread(lose, self._database) == 1
            yield lock


def test_without_its_lock_a_delivery_does_not_begin(postgres_url: str, shop: Shop) -> None:
    """The connection is lost while the feed is built: the job ends, and nothing was sent."""
    with receiving(Receiver()) as receiver:
        shop.frame(5, destination=receiver.url)
        environment = shop.environment(locks=Losing(postgres_url))
        outcome = export(5, environment, retries=1)
    assert outcome.status == "error"
    assert "lock is gone" in str(outcome.error)
    assert receiver.requests == []


def test_a_delivery_under_way_ends_with_its_lock(postgres_url: str, shop: Shop) -> None:
    """The connection is lost while the server reads: the delivery is cut off within seconds."""
    with receiving(Receiver(silent, answers())) as receiver:
        shop.frame(5, destination=receiver.url)
        environment = shop.environment(locks=shared_locks(postgres_url))
        exporting = submit(job(5, environment, retries=1))
        wait_for(lambda: receiver.requests and receiver.requests[0].whole)
        assert lose(postgres_url) == 1
        outcome = exporting.result(60)
    # The second try had a lock of its own, and found the export of the first.
    assert outcome.status == "delivered", outcome.error
    assert len(receiver.requests) == 2


def test_a_database_that_is_away_is_said_so(shop: Shop) -> None:
    """Without locks nothing is exported."""
    shop.frame(5, destination="http://127.0.0.1:1/")
    away = f"postgresql+psycopg2://ann:sesame@127.0.0.1:{free_port()}/rollcall"
    outcome = export(5, shop.environment(locks=SharedLocks(away)), retries=1)
    assert outcome.status == "error"
    assert "nobody can say who is at cron_frame 5" in str(outcome.error)
    assert "sesame" not in str(outcome.error)


def test_a_cancelled_question_leaves_no_lock(url: str) -> None:
    """Who is cancelled while it takes a lock does not have it afterwards."""

    async def go() -> None:
        locks = SharedLocks(url)
        for pause in (0, 0.001, 0.005, 0.02):
            taking = asyncio.create_task(hold_for_ever(locks))
            await asyncio.sleep(pause)
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            await freed(locks)

    asyncio.run(go())


async def hold_for_ever(locks: SharedLocks) -> None:
    """Take the lock, and keep it."""
    async with locks.taken("key"):
        await asyncio.Event().wait()


async def freed(locks: SharedLocks) -> None:
    """Return when the lock can be taken."""
    deadline = time.monotonic() + 30
    while True:
        try:
            async with locks.taken("key") as lock:
                await lock.check()
                return
        except LockTaken:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


def test_the_settings_give_the_locks(tmp_path: Path) -> None:
    """All jobs of a process that use one database share its locks."""
    settings = Settings(home=tmp_path, feeds=tmp_path / "feeds.toml")
    environment = settings.environment(second_pass=False)
    assert environment.locks is shared_locks(settings.database)
    assert environment.feeds == tmp_path / "feeds.toml"
    assert environment.work_folder == tmp_path / "work"
    assert environment.variables is os.environ
