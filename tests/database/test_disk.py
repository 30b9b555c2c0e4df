"""A disk that is full or may not be written to is told in one line, and costs no committed row."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: In a mount namespace of its own, so that nobody else sees the small disk.
PREPARE = """
import subprocess, sys
from pathlib import Path

from database.engine import open_database
from database.errors import DatabaseError
from database.lists import ListWriter
from database.tables import domains
from sqlalchemy import func, select

disk = Path(sys.argv[1])
url = f"sqlite:///{disk}/rollcall.db"

def mount(*options):
    subprocess.run(["mount", *options, str(disk)], check=True)

def fill():
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass

def attempt(work):
    try:
        work()
    except DatabaseError as error:
        print(type(error).__name__, error)
    else:
        print("done")

def rows(batch):
    return [(n, f"name{n}.batch{batch}.org", n) for n in range(2_000)]

def count(engine):
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(domains)).scalar_one()

mount("-t", "tmpfs", "-o", "size=4m", "none")
"""
#: What is done, and how the lines begin that it prints.
SCENARIOS = {
    "full from the start": ("fill()\nattempt(lambda: open_database(url))", ["DatabaseFull"]),
    "full on the way": (
        """
engine = open_database(url)
writer = ListWriter(engine, "list", "f" * 64)
written = 0
def write():
    global written
    for written in range(1_000):
        writer.add_domains(rows(written))
attempt(write)
print(count(engine) == written * 2_000 > 0)
""",
        ["DatabaseFull", "True"],
    ),
    "full, then with room again": (
        """
engine = open_database(url)
writer = ListWriter(engine, "list", "f" * 64)
fill()
attempt(lambda: writer.add_domains(rows(1)))
(disk / "filler").unlink()
attempt(lambda: writer.add_domains(rows(1)))
print(count(engine))
""",
        ["DatabaseFull", "done", "2000"],
    ),
    "read-only with a database": (
        """
open_database(url).dispose()
mount("-o", "remount,ro")
open_database.__globals__["_opened"].cache_clear()
attempt(lambda: ListWriter(open_database(url), "list", "f" * 64))
""",
        ["DatabaseUnreachable"],
    ),
    "read-only and empty": (
        'mount("-o", "remount,ro")\nattempt(lambda: open_database(url))',
        ["DatabaseUnreachable"],
    ),
    "read-only without the folder": (
        """
mount("-o", "remount,ro")
attempt(lambda: open_database(f"sqlite:///{disk}/below/rollcall.db"))
""",
        ["DatabaseUnreachable"],
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_disk_without_room_is_told(name: str, tmp_path: Path) -> None:
    """The error says in one line what the disk lacks, and nothing is written by half."""
    code, expected = SCENARIOS[name]
    disk = tmp_path / "disk"
    disk.mkdir()
    namespace = "--mount" if os.geteuid() == 0 else "--mount --map-root-user"
    result = subprocess.run(
        ["unshare", *namespace.split(), sys.executable, "-c", PREPARE + code, str(disk)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == expected
    for line in lines:
        assert line.startswith("Database") is (str(disk) in line)
