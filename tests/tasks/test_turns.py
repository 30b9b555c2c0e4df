"""Workers of several processes keep to one pace together, and outlive each other."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands.turns import NoTurn
from database.engine import open_database
from database.turns import take_turn
from tasks.settings import Settings
from tasks.turns import SharedTurns, shared_turns
from tests.services.postgres import Postgres

ROOT = Path(__file__).parents[2]
WORK = """
import asyncio, sys, time
from tasks.turns import shared_turns

async def go(turns, key, rate, until):
    while time.time() < until:
        await turns.wait(key, rate)
        print("gone", flush=True)

async def work():
    url, key, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])
    until = time.time() + float(sys.argv[4])
    turns = shared_turns(url)
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(go(turns, key, rate, until))

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(work())
"""


def workers(count: int, *arguments: str) -> "list[subprocess.Popen[str]]":
    """Start processes that are ready to go."""
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WORK, *arguments]
    started = [
        subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        for _ in range(count)
    ]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    return started


def go(processes: "list[subprocess.Popen[str]]") -> None:
    """Let them go."""
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()


@pytest.mark.usefixtures("engine")
def test_processes_together_keep_the_pace(url: str) -> None:
    """Four processes with many waiting each go no faster than one would, and all get turns."""
    rate = 40.0
    processes = workers(4, url, "a", str(rate), "1.5")
    began = time.time()
    go(processes)
    gone = [process.communicate(timeout=60)[0].count("gone") for process in processes]
    seconds = time.time() - began
    assert [process.returncode for process in processes] == [0] * 4
    assert sum(gone) <= 1 + rate * seconds
    assert min(gone) > 0


@pytest.mark.usefixtures("engine")
def test_a_killed_process_takes_no_turns_with_it(url: str) -> None:
    """However many waited in a killed process, one turn at most was theirs."""
    interval = 30.0
    (process,) = workers(1, url, "a", str(1 / interval), "60")
    go([process])
    assert process.stdout
    # One has gone; of the others only the first has asked for its turn.
    assert process.stdout.readline() == "gone\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert take_turn(open_database(url), "a", interval) <= 2 * interval


@pytest.mark.usefixtures("engine")
def test_held_off_is_held_off_for_all(url: str) -> None:
    """What one process is told holds for another."""

    async def work() -> None:
        await SharedTurns(url).hold_off("a", 100.0)

    asyncio.run(work())
    assert take_turn(open_database(url), "a", 1.0) > 50


def test_without_the_database_there_is_no_turn(postgres: Postgres, postgres_url: str) -> None:
    """While the database is away nobody goes, and afterwards it goes on."""
    turns = SharedTurns(postgres_url)
    asyncio.run(turns.wait("a", 1000.0))
    postgres.stop()
    try:
        with pytest.raises(NoTurn, match="cannot be used"):
            asyncio.run(turns.wait("a", 1000.0))
        with pytest.raises(NoTurn, match="cannot be used"):
            asyncio.run(turns.hold_off("a", 1.0))
    finally:
        postgres.start()
    asyncio.run(turns.wait("a", 1000.0))


def test_the_settings_lead_to_the_shared_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All batches of a process have the same turns, those of the configured database."""
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    first, second = (Settings().environment(second_pass=late) for late in (False, True))
    assert first.turns is second.turns is shared_turns(Settings().database)
    assert first.cache_folder == tmp_path / "cache"
