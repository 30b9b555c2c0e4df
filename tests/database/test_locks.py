"""A lock is one's at a time, over all processes, and goes with its process or connection."""

import gc
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from database.engine import open_database
from database.errors import DatabaseUnreachable
from database.locks import LockIsTaken, take_lock
from tests.services.processes import free_port

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from database.locks import take_lock

held = take_lock(sys.argv[1], sys.argv[2])
print("held", flush=True)
sys.stdin.readline()
"""
KEYS = ["cron_frame 5", "", "ключ /../\x00 '; --", "x" * 5_000]


def holding(url: str, key: str) -> "subprocess.Popen[str]":
    """Start a process that has a lock."""
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD, url, key]
    process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("key", KEYS, ids=["usual", "empty", "odd", "long"])
def test_a_lock_is_for_one(url: str, key: str) -> None:
    """Until it is given back nobody else gets it, nor does another key's owner hinder anybody."""
    held = take_lock(url, key)
    other = take_lock(url, "another key")
    with pytest.raises(LockIsTaken):
        take_lock(url, key)
    assert held.is_held()
    held.release()
    assert not held.is_held()
    held.release()
    again = take_lock(url, key)
    assert other.is_held()
    again.release()
    other.release()


def test_a_killed_process_frees_its_lock(url: str) -> None:
    """Who has it is told while it lives; after SIGKILL the lock is free."""
    with holding(url, "cron_frame 5") as process:
        with pytest.raises(LockIsTaken) as taken:
            take_lock(url, "cron_frame 5")
        assert f":{process.pid}" in str(taken.value.owner.by)
        assert taken.value.owner.since is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
    while True:
        # PostgreSQL notices the end of a connection when it next looks at it.
        try:
            take_lock(url, "cron_frame 5").release()
        except LockIsTaken:
            continue
        return


def test_a_lost_connection_is_a_lost_lock(postgres_url: str) -> None:
    """It is known at the next look, and is no lock again when the server is back."""
    held = take_lock(postgres_url, "cron_frame 5")
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                " WHERE application_name LIKE 'rollcall %cron_frame 5'"
            )
        )
    engine.dispose()
    assert not held.is_held()
    again = take_lock(postgres_url, "cron_frame 5")
    assert not held.is_held()
    held.release()
    assert again.is_held()
    again.release()


def test_a_lock_that_is_forgotten_is_free(postgres_url: str) -> None:
    """As when its thread was cancelled just when it had got it: the connection is kept, not it."""
    take_lock(postgres_url, "key")
    gc.collect()
    held = take_lock(postgres_url, "key")
    with pytest.raises(LockIsTaken):
        take_lock(postgres_url, "key")
    held.release()


def test_connections_are_used_again(postgres_url: str) -> None:
    """To connect takes longer than all else."""
    for number in range(5):
        take_lock(postgres_url, f"key {number}").release()
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        names = text(
            "SELECT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'rollcall%'"
        )
        assert list(connection.scalars(names)) == ["rollcall locks"]
    engine.dispose()


def test_a_lock_needs_its_database() -> None:
    """Without it nobody can say whose the lock is."""
    with pytest.raises(DatabaseUnreachable):
        take_lock(f"postgresql+psycopg2://rollcall@127.0.0.1:{free_port()}/rollcall", "key")


def test_a_torn_note_of_the_owner_is_no_error(tmp_path: Path) -> None:
    """The lock file's text is for people only."""
    url = f"sqlite:///{tmp_path / 'rollcall.db'}"
    held = take_lock(url, "key")
    (path,) = tmp_path.glob("*.lock")
    path.write_text("[1, ")
    with pytest.raises(LockIsTaken) as taken:
        take_lock(url, "key")
    assert taken.value.owner.by is None
    held.release()
    open_database(url).dispose()


def test_locks_leave_no_files(tmp_path: Path) -> None:
    """On SQLite each lock is a file as long as it is held; there may be one for each job."""
    url = f"sqlite:///{tmp_path / 'rollcall.db'}"
    held = [take_lock(url, f"job {number}") for number in range(3)]
    assert len(list(tmp_path.glob("*.lock"))) == 3
    for one in held:
        one.release()
    assert not list(tmp_path.glob("*.lock"))


def test_many_want_a_lock_that_comes_and_goes(url: str) -> None:
    """Never two have it, also where one gives it back just when another one looks for it."""
    inside, most, turns = [0], [0], [0]

    def take() -> None:
        for _ in range(100):
            try:
                held = take_lock(url, "contended")
            except LockIsTaken:
                continue
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            turns[0] += 1
            inside[0] -= 1
            held.release()

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(take) for _ in range(8)]:
            done.result()
    assert most == [1]
    assert turns[0] > 0
