"""A PostgreSQL cluster of one's own: fast because nothing is ever forced onto the disk."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2

from tests.services.processes import (
    Server,
    ServerFailed,
    end_all,
    find_program,
    free_port,
    start,
    wait_until,
)

__all__ = ["Postgres", "running_postgres"]

START_SECONDS = 60.0
USER = "rollcall"
#: A power cut would damage the cluster. `kill -9` does not: what is written is with the kernel,
#: and commits still wait for that (synchronous_commit stays on).
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


class Postgres:
    """
    A cluster on a port of its own, which keeps it when it is stopped and started.

    Args:
        directory: What `initdb` made, readable by nobody but the account it runs as.
        programs: Where PostgreSQL's programs are.
    """

    def __init__(self, directory: Path, programs: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._programs = programs
        self._server: Server | None = None

    @property
    def pid(self) -> int | None:
        """The id of its main process, None while it is stopped."""
        return self._server.pid if self._server else None

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of a database; no password is asked for."""
        return f"postgresql+psycopg2://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """
        Start it and wait until it answers; nothing if it runs.

        Raises:
            ServerFailed: With the end of its log.
        """
        if self._server:
            return
        settings = SETTINGS | {"port": str(self.port)}
        options = [part for pair in settings.items() for part in ("-c", "=".join(pair))]
        command = [str(self._programs / "postgres"), "-D", str(self._directory / "data"), *options]
        self._server = start(_as_owner(command), directory=self._directory, name="postgres")
        wait_until(self._answers, server=self._server, seconds=START_SECONDS)

    def stop(self) -> None:
        """Shut it down in order: connections are cut, commits are kept. Again is nothing."""
        if self._server:
            # SIGINT is PostgreSQL's "fast"; its SIGTERM waits until every client has gone.
            self._server.stop(stop_signal=signal.SIGINT)
            self._server = None

    def kill(self) -> None:
        """Kill it with all its processes; `start` then recovers as after a crash."""
        if self._server:
            backends = psutil.Process(self._server.pid).children(recursive=True)
            self._server.kill()
            # Each backend has a session of its own. While one lives, no start is possible.
            end_all(backends)
            self._server = None

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database, give its SQLAlchemy URL, and drop it at the end."""
        name = f"test_{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.start()
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(host="127.0.0.1", port=self.port, user=USER, dbname="postgres")

    def _execute(self, statement: str) -> None:
        connection = self._connect()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """
    Make a cluster, run it, and remove it at the end.

    It is not below a directory of pytest's: those only their owner may enter, and when we are root
    the cluster belongs to somebody else, since PostgreSQL does not run as root.

    Raises:
        ServerFailed: It is not installed, or does not start.
    """
    programs = _programs()
    directory = Path(tempfile.mkdtemp(prefix="rollcall-postgres-"))
    try:
        _own(directory)
        _initialise(directory, programs)
        cluster = Postgres(directory, programs)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _programs() -> Path:
    """Find the newest PostgreSQL; on Debian each version has a directory of its own."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
    return Path(find_program("initdb", package="postgresql", also_in=newest_first)).resolve().parent


def _initialise(directory: Path, programs: Path) -> None:
    command = [str(programs / "initdb"), "--pgdata", str(directory / "data"), "--username", USER]
    command += ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    result = subprocess.run(
        _as_owner(command), cwd=directory, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise ServerFailed(f"{command!r}:\n{result.stdout}{result.stderr}")


def _owner() -> str | None:
    """Tell whose the cluster is; None for ourselves."""
    return "postgres" if os.geteuid() == 0 else None


def _own(directory: Path) -> None:
    owner = _owner()
    if owner:
        account = pwd.getpwnam(owner)
        os.chown(directory, account.pw_uid, account.pw_gid)


def _as_owner(command: list[str]) -> list[str]:
    owner = _owner()
    if owner is None:
        return command
    # It replaces itself by the program, so that the process id stays the same.
    setpriv = find_program("setpriv", package="util-linux")
    return [setpriv, f"--reuid={owner}", f"--regid={owner}", "--init-groups", *command]
