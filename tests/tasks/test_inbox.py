"""The inbox: each file starts one run, whoever watches, and whenever a watcher dies."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tasks.inbox import TAKEN, WAITING, start_runs

#: Watches until nothing is left of so many files; its runs are lines of a file: claim and place.
WATCHER = """
import os, sys
from pathlib import Path
from tasks.inbox import start_runs, WAITING

inbox, started = Path(sys.argv[1]), Path(sys.argv[2])

def start(file, claim):
    with started.open("a") as log:
        log.write(f"{claim} {file}\\n")

print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    start_runs(inbox, 0, start)
"""
#: Says what it starts, and what stopped it.
TELLING = """
import sys
from pathlib import Path
from tasks.inbox import start_runs

try:
    start_runs(Path(sys.argv[1]), 0, lambda file, claim: print(file.name))
except ExceptionGroup as error:
    print(type(error).__name__)
"""
#: Dies at the n-th call of what moves a file, makes a claim, or starts a run.
DYING = """
import os, sys
from pathlib import Path
from tasks import inbox

where, started = sys.argv[1], Path(sys.argv[3])
rename, unlink = Path.rename, Path.unlink

def start(file, claim):
    if where == "before starting":
        os._exit(9)
    with started.open("a") as log:
        log.write(f"{claim} {file}\\n")
    if where == "after starting":
        os._exit(9)

def dying_rename(self, target):
    if where == "before moving":
        os._exit(9)
    rename(self, target)
    if where == "after moving":
        os._exit(9)

Path.rename = dying_rename
inbox.start_runs(Path(sys.argv[2]), 0, start)
"""


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Give an empty inbox."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


class Started:
    """The runs that were started, by claim."""

    def __init__(self) -> None:
        self.runs: Counter[tuple[str, str]] = Counter()

    def __call__(self, file: Path, claim: str) -> None:
        """Start one."""
        assert file.is_file()
        self.runs[claim, file.name] += 1

    @property
    def files(self) -> list[str]:
        """The names of the files, one for each claim."""
        return sorted(name for _, name in self.runs)


@pytest.fixture
def started() -> Started:
    """Give an empty account."""
    return Started()


def lines(log: Path) -> list[tuple[str, Path]]:
    """Read what the watchers of other processes have started: claim and place."""
    pairs = [line.split(" ", 1) for line in log.read_text().splitlines()]
    return [(claim, Path(file)) for claim, file in pairs]


def left(inbox: Path) -> list[str]:
    """List the files that wait in the inbox, and the claims that have no run yet."""
    waiting = [f"{WAITING}/{entry.name}" for entry in (inbox / WAITING).iterdir()]
    return sorted(entry.name for entry in inbox.iterdir() if entry.is_file()) + waiting


def test_eight_watchers_start_each_file_once(inbox: Path, tmp_path: Path) -> None:
    """Over fifty files and eight processes at once there is one claim for each file."""
    names = [f"n{number}.txt" for number in range(50)]
    for name in names:
        (inbox / name).write_text(name)
    log = tmp_path / "started"
    command = [sys.executable, "-c", WATCHER, str(inbox), str(log)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    watchers = [subprocess.Popen(command, **pipes) for _ in range(8)]  # type: ignore[call-overload]
    assert [watcher.stdout.readline() for watcher in watchers] == [b"ready\n"] * 8
    for watcher in watchers:
        watcher.stdin.close()
    for watcher in watchers:
        watcher.stdout.close()
    assert [watcher.wait() for watcher in watchers] == [0] * 8
    found = set(lines(log))
    assert sorted(file.name for _, file in found) == sorted(names)
    assert len({claim for claim, _ in found}) == 50
    assert all(file.read_text() == file.name for _, file in found)
    assert left(inbox) == []


@pytest.mark.parametrize(
    ("where", "runs_before"),
    [("before moving", 0), ("after moving", 0), ("before starting", 0), ("after starting", 1)],
)
def test_what_a_killed_watcher_leaves_is_finished(
    inbox: Path, tmp_path: Path, started: Started, where: str, runs_before: int
) -> None:
    """Wherever a watcher dies, the next one ends what it began, and the file has one claim."""
    (inbox / "names.txt").write_text("python.org")
    log = tmp_path / "started"
    log.touch()
    command = [sys.executable, "-c", DYING, where, str(inbox), str(log)]
    assert subprocess.run(command, check=False).returncode == 9
    assert len(lines(log)) == runs_before
    assert start_runs(inbox, 0, started) == ["names.txt"]
    claims = {claim for claim, _ in started.runs} | {claim for claim, _ in lines(log)}
    assert len(claims) == 1
    assert started.files == ["names.txt"]
    assert start_runs(inbox, 0, started) == []


def test_unsettled_hidden_and_unfinished_files_stay(inbox: Path, started: Started) -> None:
    """What is still being written is left alone, and so are folders; the rest is taken."""
    names = [".hidden", "a.part", "b.tmp", "c.crdownload", "d.filepart", "e~", "taken.txt"]
    for name in names:
        (inbox / name).touch()
        os.utime(inbox / name, (time.time() - 60, time.time() - 60))
    (inbox / "young.txt").touch()
    (inbox / "folder").mkdir()
    (inbox / "folder" / "inside.txt").touch()
    assert start_runs(inbox, 30, started) == ["taken.txt"]
    assert left(inbox) == sorted([*names[:-1], "young.txt"])
    assert (inbox / "folder" / "inside.txt").is_file()
    assert start_runs(inbox, 0, started) == ["young.txt"]


def test_the_same_name_twice_is_two_runs(inbox: Path, started: Started) -> None:
    """A new file of an old name is a new run, and each run has a file of its own."""
    for content in ("python.org", "gnu.org"):
        (inbox / "names.txt").write_text(content)
        assert start_runs(inbox, 0, started) == ["names.txt"]
    assert started.files == ["names.txt", "names.txt"]
    kept = sorted(file.read_text() for file in (inbox / TAKEN).glob("*/names.txt"))
    assert kept == ["gnu.org", "python.org"]


def test_an_inbox_that_is_not_there_is_made(tmp_path: Path, started: Started) -> None:
    """The first look makes the folder; nothing is started."""
    assert start_runs(tmp_path / "a" / "inbox", 0, started) == []
    assert (tmp_path / "a" / "inbox").is_dir()


def test_a_file_that_cannot_be_moved_holds_up_no_other(inbox: Path) -> None:
    """A file that the kernel will not move is told, and stays; the others are started."""
    (inbox / "bad.txt").touch()
    (inbox / "good.txt").touch()
    # Nothing that is mounted can be renamed, not even by root.
    mounted = 'mount --bind "$1/bad.txt" "$1/bad.txt" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mounted, "sh", str(inbox)]
    done = subprocess.run(
        [*command, sys.executable, TELLING], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["good.txt", "ExceptionGroup"], done.stderr
    assert left(inbox) == ["bad.txt"]
    assert list((inbox / WAITING).iterdir()) == []


@pytest.fixture
def refusing() -> Started:
    """Give an account that cannot start the file `bad.txt`."""

    class Refusing(Started):
        def __call__(self, file: Path, claim: str) -> None:
            """Start all but one."""
            if file.name == "bad.txt":
                raise ValueError(file.name)
            super().__call__(file, claim)

    return Refusing()


def test_a_file_that_cannot_be_started_holds_up_no_other(
    inbox: Path, refusing: Started, started: Started
) -> None:
    """The others are started, the failure is told, and the next watcher tries it again."""
    (inbox / "bad.txt").touch()
    with pytest.raises(ExceptionGroup, match="1 of 1 files could not be started"):
        start_runs(inbox, 0, refusing)
    (inbox / "good.txt").touch()
    with pytest.raises(ExceptionGroup, match="1 of 2 files could not be started"):
        start_runs(inbox, 0, refusing)
    assert refusing.files == ["good.txt"]
    assert start_runs(inbox, 0, started) == ["bad.txt"]
    assert left(inbox) == []
