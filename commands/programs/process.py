"""
One external program run to its end, and never left behind.

Whatever happens (its own end, too much output, a time limit, a cancelled batch), the whole process
group is killed; only processes that began a session of their own are beyond that. Linux only: the
end of a process is seen by its pidfd, without a thread and before its id can be anybody else's.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final, cast

from commands.errors import ProgramMissing
from commands.handling import Reaction

#: Seconds for which output is read after the program and its group have ended: it is in the pipe
#: already, and only a process that has left the group can keep the pipe open.
DRAIN_SECONDS: Final = 1.0
#: As much as a pipe holds.
CHUNK_BYTES: Final = 64 * 1024
#: What the machine lacks at the moment.
_WANTS = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


class CannotStart(Exception):
    """A program is there and cannot be run, whatever it is told."""


class MachineFull(Exception):
    """The machine has no room for another process just now."""


#: For the handling of commands that run programs.
REACTIONS: Final[dict[str, Reaction]] = {"MachineFull": "retry", "CannotStart": "stop"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a program came to."""

    #: Negative for a signal; None where it printed too much, for which it was killed.
    exit_code: int | None
    #: Standard output and standard error, in the order of writing.
    output: bytes
    #: Whether there was more output than was read.
    truncated: bool


def find(program: str, *, package: str | None = None) -> str:
    """
    Return where a program is.

    Args:
        program: Its name, looked for in PATH, or its absolute path.
        package: The Debian package that brings it, where that is known.

    Raises:
        ProgramMissing: It is not installed.
    """
    found = shutil.which(program)
    if found is None:
        hint = f"; on Debian: apt-get install {package}" if package else ""
        raise ProgramMissing(f"the program '{program}' is not installed{hint}")
    return found


async def run(arguments: Sequence[str], *, max_output_bytes: int) -> Ended:
    """
    Run a program without a shell, in the root directory, with an empty input.

    Of our environment, which has passwords in it, the program gets PATH and HOME.

    Args:
        arguments: The program's path, and what it is told.
        max_output_bytes: It is killed when it prints more.

    Raises:
        CannotStart: It is no program, or may not be run.
        MachineFull: Another try may help.
    """
    process, descriptor = _started(arguments)
    exited = _exit_of(process, descriptor)
    output = _Output(process, max_output_bytes)
    try:
        await asyncio.wait({exited, output.closed}, return_when=asyncio.FIRST_COMPLETED)
        if not output.truncated:
            # It may have closed its output and work on; it may have ended, its words in the pipe.
            await asyncio.wait({exited})
            await asyncio.wait({output.closed}, timeout=DRAIN_SECONDS)
    finally:
        output.close()
        if not exited.done():
            _kill_group(process)
        await asyncio.wait({exited})
    code = None if output.truncated else process.returncode
    return Ended(exit_code=code, output=bytes(output.kept), truncated=output.truncated)


def _started(arguments: Sequence[str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start it as the leader of a session of its own; returns it and its pidfd."""
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd="/",
            env=_environment(),
            start_new_session=True,
        )
    except OSError as error:
        raise start_error(error, arguments[0]) from error
    try:
        return process, os.pidfd_open(process.pid)
    except OSError as error:
        _kill_group(process)
        process.communicate()
        raise start_error(error, arguments[0]) from error


def start_error(error: OSError, program: str) -> CannotStart | MachineFull:
    """Return what a failure to start a program means: whether another try may help."""
    if error.errno in _WANTS:
        return MachineFull(f"no room to run {program}: {error.strerror}")
    return CannotStart(f"{program} cannot be run: {error.strerror}")


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
    }


def _exit_of(process: subprocess.Popen[bytes], descriptor: int) -> asyncio.Future[None]:
    """Return what is done when the program has ended, its group with it, and is waited for."""
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[None] = loop.create_future()

    def ended() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        # Until it is waited for, its id, which is the group's, cannot be given to another process.
        _kill_group(process)
        process.wait()
        exited.set_result(None)

    loop.add_reader(descriptor, ended)
    return exited


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


class _Output:
    """What a program prints, up to a bound."""

    def __init__(self, process: subprocess.Popen[bytes], max_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._pipe = cast(IO[bytes], process.stdout)
        self._max_bytes = max_bytes
        self.kept = bytearray()
        self.truncated = False
        #: Done when nothing more is read.
        self.closed: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(self._pipe.fileno(), False)
        self._loop.add_reader(self._pipe.fileno(), self._read)

    def close(self) -> None:
        """Read no more; again is nothing."""
        if not self.closed.done():
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()
            self.closed.set_result(None)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._pipe.fileno(), CHUNK_BYTES)
            room = self._max_bytes - len(self.kept)
            self.kept += data[:room]
            self.truncated = len(data) > room
            if not data or self.truncated:
                self.close()
