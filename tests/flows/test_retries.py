"""What is away for a while, and runs that are run again: nothing is lost, nothing is done twice."""

import csv
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_engine import run_flow_sync
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import AwaitingRetry, Pending
from sqlalchemy import create_engine, text

from database.engine import open_database
from demo.nameserver import NameServer, running_nameserver
from demo.zone import ZONE
from flows.check_domains import check_domains
from tasks.check import check_batch
from tests.database.rows import make_stage
from tests.flows.fixtures import Check
from tests.services.postgres import Postgres
from tests.services.prefect import PrefectServer
from tests.services.processes import free_port

#: Names that resolve at the first question.
NAMES = [f"n{number}.pages.dev" for number in range(120)]
#: Two seconds for them all.
PACE = "60"


def domains(path: Path) -> list[str]:
    """Read the names in a CSV result file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [row["domain"] for row in csv.DictReader(stream)]


def asked(nameserver: NameServer) -> Counter[str]:
    """Count how often our names were looked up."""
    found: Counter[str] = Counter()
    for (name, _, _), times in nameserver.lookups.items():
        found[name] += times if name in NAMES else 0
    return found


@contextmanager
def in_the_middle(nameserver: NameServer, then: Callable[[], Any]) -> Iterator[None]:
    """Do something in another thread when a quarter of the names has been asked for."""
    over = threading.Event()

    def wait() -> None:
        while asked(nameserver).total() < len(NAMES) / 4:
            if over.is_set():
                return
            time.sleep(0.01)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_the_database_may_be_away(
    check: Check,
    nameserver: NameServer,
    postgres: Postgres,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A run during which PostgreSQL stops and starts again completes, with one row a domain."""
    monkeypatch.setenv("ROLLCALL_DATABASE_URL", postgres_url)
    monkeypatch.setenv("ROLLCALL_DNS_QUERIES_PER_SECOND", PACE)

    def restart() -> None:
        postgres.stop()
        time.sleep(3)
        postgres.start()

    with in_the_middle(nameserver, restart):
        state = check(domains="\n".join(NAMES), out=str(tmp_path / "results.csv"))
    assert state.message == f"{len(NAMES)} domains. host: {len(NAMES)} resolves"
    assert domains(tmp_path / "results.csv") == NAMES
    with create_engine(postgres_url).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM results")).scalar() == len(NAMES)


def run_again(flow_run: FlowRun) -> State[Any]:
    """Run a flow run under its own id, as a worker does after `Retry` in the UI."""
    return run_flow_sync(  # type: ignore[return-value]
        check_domains, flow_run=flow_run, parameters=flow_run.parameters, return_type="state"
    )


def test_a_retried_run_repeats_nothing(
    check: Check, nameserver: NameServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run that lost its result file's folder is retried under its id, and asks nobody again."""
    monkeypatch.setenv("ROLLCALL_DNS_QUERIES_PER_SECOND", PACE)
    out = tmp_path / "mounted" / "results.csv"
    parameters = {"domains": "\n".join(NAMES), "out": str(out)}
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(check_domains, parameters=parameters, state=Pending())
    with in_the_middle(nameserver, lambda: shutil.rmtree(out.parent)):
        first = run_again(flow_run)
    assert first.is_failed()
    assert "results.csv cannot be written" in (first.message or "")
    assert asked(nameserver) == Counter(NAMES)

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run.id, AwaitingRetry(), force=True)
        flow_run = client.read_flow_run(flow_run.id)
    second = run_again(flow_run)
    assert second.message == f"{len(NAMES)} domains. host: {len(NAMES)} resolves"
    assert asked(nameserver) == Counter(NAMES)
    assert domains(out) == NAMES


def test_a_retried_run_keeps_its_list(
    check: Check, nameserver: NameServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that changed after the run had loaded it is not read again by the run's retry."""
    monkeypatch.setenv("ROLLCALL_DNS_QUERIES_PER_SECOND", PACE)
    file, out = tmp_path / "names.txt", tmp_path / "mounted" / "results.csv"
    file.write_text("\n".join(NAMES))
    parameters = {"file": str(file), "out": str(out)}
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(check_domains, parameters=parameters, state=Pending())
    with in_the_middle(nameserver, lambda: shutil.rmtree(out.parent)):
        assert run_again(flow_run).is_failed()
    file.write_text("python.org\n")
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run.id, AwaitingRetry(), force=True)
        flow_run = client.read_flow_run(flow_run.id)
    assert run_again(flow_run).message == f"{len(NAMES)} domains. host: {len(NAMES)} resolves"
    assert domains(out) == NAMES


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give a batch of one domain, with its list and its run in a database of the test's own."""
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    engine = open_database(f"sqlite:///{tmp_path / 'rollcall.db'}")
    stage = make_stage(engine, [(1, "python.org")])
    return {
        "title": f"host {uuid4().hex}",
        "run": stage.run,
        "list_id": stage.list_id,
        "check": "host",
        "command": "host",
        "first": (1, "python.org"),
        "last": (1, "python.org"),
        "count": 1,
    }


def run_batch(server: PrefectServer, batch: dict[str, Any]) -> State[Any]:
    """Run a batch as a task run of a flow."""

    @flow
    def one_batch() -> dict[str, Any]:
        return {"state": check_batch(batch, return_state=True)}

    with temporary_settings({PREFECT_API_URL: server.api_url}):
        return one_batch()["state"]  # type: ignore[no-any-return]


def test_the_name_servers_may_be_away(
    flow_server: PrefectServer,
    batch: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A batch that finds no name server waits for one, and gives no domain a verdict meanwhile."""
    port = free_port()
    monkeypatch.setenv("ROLLCALL_NAMESERVERS", f"127.0.0.1:{port}")
    done = threading.Event()

    def serve() -> None:
        while "Retry 1/" not in caplog.text and not done.wait(0.05):
            pass
        with running_nameserver(ZONE, port=port):
            done.wait()

    server = threading.Thread(target=serve)
    server.start()
    try:
        state = run_batch(flow_server, batch)
    finally:
        done.set()
        server.join()
    assert state.result() == {"resolves": 1}
    assert "no name server answers" in caplog.text


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("command", "no-such", "unknown command"), ("colour", "red", "colour")],
)
def test_what_no_waiting_mends_fails_at_once(
    flow_server: PrefectServer,
    batch: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    field: str,
    value: str,
    words: str,
) -> None:
    """A batch that no worker could ever do is not tried again."""
    state = run_batch(flow_server, batch | {field: value})
    assert state.is_failed()
    assert words in (state.message or "")
    assert "Retry 1/" not in caplog.text
