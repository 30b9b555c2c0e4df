"""Start a child process, wait until it is of use, stop it and what it has started."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

__all__ = [
    "Server",
    "ServerFailed",
    "end_all",
    "find_program",
    "free_port",
    "is_alive",
    "running",
    "start",
    "wait_until",
]

#: Where Debian keeps servers; not on the PATH of everybody.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Below what Linux gives to outgoing connections (ip_local_port_range: 32768 to 60999), so that
#: nobody gets the port between our looking and the server's opening it.
PORTS = range(10_000, 32_000)
#: How long a server may take to end by itself before it is killed.
STOP_SECONDS = 15.0


class ServerFailed(RuntimeError):
    """A server could not be started, or ended by itself."""


class Server:
    """
    A child process that serves.

    Args:
        process: It leads a process group of its own.
        log: Where its output goes.
        begin: Where in that file its output begins, in bytes: others may have written before.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path, *, begin: int = 0) -> None:
        self.process = process
        self.log = log
        self._begin = begin

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether it runs, without taking note of its end as `subprocess` would."""
        return self.process.returncode is None and is_alive(psutil.Process(self.pid))

    def stop(
        self, *, stop_signal: signal.Signals = signal.SIGTERM, seconds: float = STOP_SECONDS
    ) -> int:
        """
        Ask it to end, then end what is left of its process group. Again is nothing.

        Args:
            stop_signal: How it is asked.
            seconds: How long it may take to end by itself.

        Returns:
            Its exit code, as `subprocess` gives it: negative for a signal.
        """
        if self.is_running:
            os.kill(self.pid, stop_signal)
        deadline = time.monotonic() + seconds
        while self.is_running and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.kill()

    def kill(self) -> int:
        """
        End it and its process group at once, without asking.

        Returns:
            As for `stop`.
        """
        # Until somebody has waited for the leader, nobody else can get its id.
        if self.process.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
        return self.process.wait()

    def __str__(self) -> str:
        """Name it by its command."""
        return str(self.process.args)

    def tail(self, *, characters: int = 3000) -> str:
        """Return the end of its output."""
        return self.log.read_bytes()[self._begin :].decode(errors="replace")[-characters:]


def find_program(name: str, *, package: str, also_in: Sequence[Path] = ()) -> str:
    """
    Find a program.

    Args:
        name: Its file name.
        package: The Debian package that has it.
        also_in: More directories to look into.

    Raises:
        ServerFailed: It is not installed.
    """
    path = os.pathsep.join([*map(str, also_in), os.environ.get("PATH", ""), SYSTEM_PATH])
    found = shutil.which(name, path=path)
    if found is None:
        message = f"{name} is missing: run `make services`, or `apt-get install {package}`"
        raise ServerFailed(message)
    return found


def free_port() -> int:
    """
    Find a loopback port that is free for UDP and TCP.

    Raises:
        ServerFailed: There is none.
    """
    for port in random.sample(PORTS, k=100):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            contextlib.suppress(OSError),
        ):
            udp.bind(("127.0.0.1", port))
            tcp.bind(("127.0.0.1", port))
            return port
    raise ServerFailed("no free port on 127.0.0.1")


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    directory: Path,
    name: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """
    Run a server in the background; it is stopped at the end.

    Args:
        command: Program and arguments.
        directory: Its working directory; its output goes to a file there.
        name: Of that file, without `.log`.
        environment: The whole environment; by default ours.
    """
    server = start(command, directory=directory, name=name, environment=environment)
    try:
        yield server
    finally:
        server.stop()


def start(
    command: Sequence[str],
    *,
    directory: Path,
    name: str,
    environment: Mapping[str, str] | None = None,
) -> Server:
    """Do as `running`, but leave the stopping to the caller."""
    log = directory / f"{name}.log"
    with log.open("ab") as output:
        begin = output.tell()
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Server(process, log, begin=begin)


def end_all(processes: Sequence[psutil.Process]) -> None:
    """
    Kill processes which are not ours to wait for, and wait until they run no more.

    Raises:
        ServerFailed: One did not end.
    """
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + STOP_SECONDS
    while any(map(is_alive, processes)):
        if time.monotonic() > deadline:
            raise ServerFailed(f"cannot be killed: {processes}")
        time.sleep(0.02)


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still runs; one that nobody has waited for yet does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until(ready: Callable[[], bool], *, server: Server, seconds: float) -> None:
    """
    Wait until a server is of use.

    Args:
        ready: Asked again and again; an OSError counts as no.
        server: The one that is waited for.
        seconds: The longest wait.

    Raises:
        ServerFailed: It ended, or the time is over; with the end of its output.
    """
    deadline = time.monotonic() + seconds
    while server.is_running:
        with contextlib.suppress(OSError):
            if ready():
                return
        if time.monotonic() > deadline:
            raise ServerFailed(f"{server} did not answer within {seconds} s:\n{server.tail()}")
        time.sleep(0.1)
    code = server.kill()
    raise ServerFailed(f"{server} ended with code {code}:\n{server.tail()}")
