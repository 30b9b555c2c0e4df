"""Whatever is wrong with the database, one line says what, and never a password."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, RootTransaction, create_engine, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from database.engine import open_database, reading, transaction
from database.errors import DatabaseUnreachable
from database.lists import ListWriter
from database.tables import lists
from tests.services.postgres import Postgres, running_postgres
from tests.services.processes import free_port

PASSWORD = "s3cret-w0rd"
Use = Callable[[Engine], AbstractContextManager[Connection]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    """Give a cluster with accounts that may not do everything."""
    with running_postgres() as postgres:
        engine = create_engine(postgres.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE ROLE locked LOGIN PASSWORD '{PASSWORD}'"))
            connection.execute(text("CREATE ROLE guest LOGIN"))
            found = connection.execute(text("SHOW hba_file")).scalar_one()
            file = Path(found)
            file.write_text(f"host all locked 127.0.0.1/32 scram-sha-256\n{file.read_text()}")
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()
        yield postgres


@pytest.fixture
def own_url(cluster: Postgres) -> Iterator[str]:
    """Give an empty database in that cluster."""
    with cluster.database() as url:
        yield url


def refused(url: str) -> str:
    """Open a database that cannot be opened, and give the message."""
    with pytest.raises(DatabaseUnreachable) as caught:
        open_database(url)
    message = str(caught.value)
    assert "\n" not in message
    assert "ROLLCALL_DATABASE_URL" in message or "folder" in message
    assert PASSWORD not in message
    return message


def test_a_closed_port_is_named() -> None:
    """A server that is not there is named, with its port."""
    port = free_port()
    url = f"postgresql+psycopg2://rollcall:{PASSWORD}@127.0.0.1:{port}/rollcall"
    message = refused(url)
    assert f"127.0.0.1:{port}/rollcall" in message
    assert "refused" in message


@pytest.mark.parametrize("where", ["user", "query"])
def test_a_wrong_password_is_not_shown(cluster: Postgres, where: str) -> None:
    """A password that the server refuses is in no message, wherever in the URL it stands."""
    url = f"postgresql+psycopg2://locked:{PASSWORD}!@127.0.0.1:{cluster.port}/postgres"
    if where == "query":
        url = f"postgresql+psycopg2://locked@127.0.0.1:{cluster.port}/postgres?password={PASSWORD}!"
    assert "password authentication failed" in refused(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        PASSWORD,
        "rollcall.db",
        "/var/lib/rollcall.db",
        f"nosuch://user:{PASSWORD}@127.0.0.1/rollcall",
        f"mysql://user:{PASSWORD}@127.0.0.1/rollcall",
        f"postgresql+nosuch://user:{PASSWORD}@127.0.0.1/rollcall",
        f"postgresql+psycopg2://user:{PASSWORD}@127.0.0.1:port/rollcall",
        f"postgresql+psycopg2://user:{PASSWORD}@127.0.0.1:99999/rollcall",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
    ],
)
def test_what_is_no_database_is_refused(url: str) -> None:
    """A setting that names no database is refused in one line that names the setting."""
    refused(url)


def test_a_database_that_is_not_there_is_named(cluster: Postgres) -> None:
    """A database that the server does not have is named."""
    assert '"nobodys"' in refused(cluster.url("nobodys"))


def test_a_missing_permission_is_told(own_url: str) -> None:
    """An account that may not make tables learns that in one line."""
    assert "permission denied" in refused(own_url.replace("//rollcall@", "//guest@"))


def test_a_server_that_only_reads_is_told(own_url: str) -> None:
    """A server that takes no writes, as a standby does, is no defect of ours."""
    engine = open_database(own_url)
    with transaction(engine) as connection:
        name = engine.url.database
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    engine.dispose()
    with pytest.raises(DatabaseUnreachable, match="read-only"):
        ListWriter(engine, "list", "f" * 64)
    engine.dispose()


@pytest.mark.parametrize("statement", ["SELECT nothing FROM nowhere", "SELECT FROM WHERE"])
def test_a_wrong_statement_stays_what_it_is(own_url: str, statement: str) -> None:
    """A defect of ours is not taken for a database that is away, and so not tried again."""
    engine = open_database(own_url)
    with pytest.raises(ProgrammingError), reading(engine) as connection:
        connection.execute(text(statement))
    with pytest.raises(IntegrityError), transaction(engine) as connection:
        connection.execute(lists.insert().values(id=1, name=None, fingerprint="f"))
    engine.dispose()


def unusable(tmp_path: Path) -> dict[str, Path]:
    """Make paths of all kinds where no SQLite database can be."""
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("This is a text, and it is long enough to be taken for a header.\n" * 20)
    folder.mkdir()
    whole = tmp_path / "whole.db"
    open_database(f"sqlite:///{whole}").dispose()
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(whole.read_bytes()[:4096] + b"\xff" * 8192)
    return {
        "folder cannot be made": file / "below" / "rollcall.db",
        "parent is a file": file / "rollcall.db",
        "is a folder": folder,
        "is a text": file,
        "is damaged": damaged,
    }


@pytest.mark.parametrize(
    "kind",
    ["folder cannot be made", "parent is a file", "is a folder", "is a text", "is damaged"],
)
def test_a_path_that_cannot_be_used_is_named(tmp_path: Path, kind: str) -> None:
    """Where no database can be, or something else is, one line names the path."""
    path = unusable(tmp_path)[kind]
    message = refused(f"sqlite:///{path}")
    assert str(path) in message or str(path.parent) in message


def test_folders_are_made(tmp_path: Path) -> None:
    """The folders of a new database need not be there."""
    file = tmp_path / "a" / "b c" / "ü" / "rollcall.db"
    open_database(f"sqlite:///{file}").dispose()
    assert file.is_file()


def test_too_many_at_once_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets no connection in time is told so in one line, instead of by a library's error."""
    engine = open_database(f"sqlite:///{tmp_path / 'rollcall.db'}")
    pool: Any = engine.pool
    monkeypatch.setattr(pool, "_timeout", 0.1)
    monkeypatch.setattr(pool, "_max_overflow", 0)
    connections = [engine.connect() for _ in range(pool.size())]
    with pytest.raises(DatabaseUnreachable, match="too busy"), reading(engine):
        pass
    for connection in connections:
        connection.close()
    with reading(engine):
        pass


@pytest.mark.parametrize("use", [reading, transaction])
def test_an_interruption_stays_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    use: Callable[[Engine], AbstractContextManager[Connection]],
) -> None:
    """Ctrl-C in the middle of a commit is not told as a failed assertion of SQLAlchemy's."""
    engine = open_database(f"sqlite:///{tmp_path / 'some.db'}")

    def interrupted(_: RootTransaction) -> None:
        raise KeyboardInterrupt

    used = use(engine)
    used.__enter__().execute(text("SELECT 1"))
    monkeypatch.setattr(RootTransaction, "_deactivate_from_connection", interrupted)
    with pytest.raises(KeyboardInterrupt):
        used.__exit__(None, None, None)
    monkeypatch.undo()
    engine.dispose()
