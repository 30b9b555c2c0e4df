"""
Processes that go on when the terminal is closed, and are found again by the files they left.

    <folder>/<name>.pid     process id, and when it began in ticks since the machine did
    <folder>/<name>.log     what it writes

A process id alone would be somebody else's after a reboot. What a process starts is found by a
variable in its environment, wherever it went: flow runs lead sessions of their own, and those of a
worker that was killed have nobody who knows of them. Linux only: this reads `/proc`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: In the environment of all that belongs to a part: the folder and the name of that part.
MARK = "ROLLCALL_STACK_PART"
#: Seconds that are left to what has to be asked a second time, before it is killed.
LAST_SECONDS = 10.0
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine; its id may be another's by now."""

    pid: int
    #: In ticks since the machine began.
    began: int

    @property
    def is_running(self) -> bool:
        """Tell whether it is still that process; one that nobody has waited for is none."""
        return _look(self.pid) == self

    @property
    def command(self) -> list[str]:
        """Its command line; empty if it has ended."""
        words = _read(self.pid, "cmdline")
        return [os.fsdecode(word) for word in words] if self.is_running else []

    def send(self, number: signal.Signals) -> None:
        """Send a signal; to none but this process, which may have ended."""
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                # From here on the handle is one process's, whoever gets its id.
                if self.is_running:
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)


@dataclass(frozen=True, slots=True)
class Part:
    """Something that runs in the background under a name, with all that it has started."""

    folder: Path
    name: str

    @property
    def log(self) -> Path:
        """The file with what it writes."""
        return self.folder / f"{self.name}.log"

    @property
    def leader(self) -> Process | None:
        """The process that was started, if it runs."""
        try:
            pid, began = map(int, self._file.read_text().split())
        except (OSError, ValueError):
            return None
        found = Process(pid, began)
        return found if found.is_running else None

    def start(self, command: list[str], environment: Mapping[str, str]) -> None:
        """
        Start it, its log anew; it knows nothing of this terminal.

        Args:
            command: The path of a program, and its arguments.
            environment: All of it.
        """
        writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        # Not by `subprocess`, which waits for its children: these outlive us.
        pid = os.posix_spawn(
            command[0],
            command,
            {**environment, MARK: self._mark},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), writing, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        found = _look(pid)
        self._file.write_text(f"{pid} {found.began if found else 0}\n")

    def processes(self) -> list[Process]:
        """List all that belongs to it and runs."""
        mark = f"{MARK}={self._mark}".encode()
        pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]
        return [found for pid in pids if mark in _read(pid, "environ") and (found := _look(pid))]

    def forget(self) -> None:
        """Remove its PID file; its log stays."""
        self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def _mark(self) -> str:
        return str(self.folder / self.name)


def parts(folder: Path) -> list[Part]:
    """List the parts that were started in a folder and not ended, by name."""
    return [Part(folder, file.stem) for file in sorted(folder.glob("*.pid"))]


def end(ended: Iterable[Part], patience: float) -> None:
    """
    Ask some parts to end, and wait until nothing of them runs.

    Args:
        ended: The parts, all at once.
        patience: Seconds until what a part has started is asked as well; soon after it is killed.
    """
    ended = list(ended)

    def left() -> list[Process]:
        return [process for part in ended for process in part.processes()]

    ask([leader for part in ended if (leader := part.leader) is not None])
    if not _gone(left, patience):
        ask(left())
        while not _gone(left, LAST_SECONDS):
            for process in left():
                process.send(signal.SIGKILL)
    for part in ended:
        part.forget()


def ask(asked: list[Process], patience: float = 0) -> None:
    """
    Ask processes to end.

    Args:
        asked: The processes.
        patience: Seconds that they are waited for.
    """
    for process in asked:
        process.send(signal.SIGTERM)
    _gone(lambda: [process for process in asked if process.is_running], patience)


def _gone(left: Callable[[], list[Process]], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while left():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _look(pid: int) -> Process | None:
    """Find out what a process id stands for."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # Its name, in brackets, may hold anything. What follows: proc_pid_stat(5), from the third on.
    fields = text.rpartition(")")[2].split()
    state, began = fields[0], int(fields[19])
    return None if state in "ZX" else Process(pid, began)


def _read(pid: int, file: str) -> list[bytes]:
    try:
        return (PROC / str(pid) / file).read_bytes().split(b"\0")
    except OSError:  # somebody else's, or gone
        return []
