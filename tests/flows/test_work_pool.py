"""`check-domains` with a broker: its batches are run by the workers of the work pool."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect_rabbitmq import topology

from demo.nameserver import NameServer
from tasks.broker import WORK_POOL
from tests.flows.fixtures import Check
from tests.flows.inspection import task_run_names
from tests.rabbitmq.pools import Pool, running_pool
from tests.services.prefect import PrefectServer
from tests.services.rabbitmq import Broker

NAMES = "\n".join(f"n{number}.pages.dev" for number in range(40))


@pytest.fixture
def workers(
    check: Check,
    flow_server: PrefectServer,
    rabbitmq: Broker,
    amqp_url: str,
    home: Path,
    nameserver: NameServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Pool]:
    """Give the pool with a worker that has our home and name server; our flows use it."""
    monkeypatch.setenv("ROLLCALL_AMQP_URL", amqp_url)
    ours = {"ROLLCALL_HOME": str(home), "ROLLCALL_NAMESERVERS": nameserver.address}
    with running_pool(
        flow_server, amqp_url, tmp_path, name=WORK_POOL, modules=["tasks.check"], environment=ours
    ) as pool:
        yield pool
    with get_client(sync_client=True) as client:
        client.delete_work_pool(WORK_POOL)


def test_batches_are_run_by_workers(workers: Pool, check: Check, tmp_path: Path) -> None:
    """Every domain has its result, and its task run, which the worker has carried out."""
    state = check(domains=NAMES, out=str(tmp_path / "results.csv"))
    assert state.is_completed(), state.message
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 41
    names = task_run_names(workers.server, state.state_details.flow_run_id)
    assert {f"host {name}" for name in NAMES.split()} < set(names)
    assert "host n39.pages.dev" in workers.worker.tail(characters=100_000)


def test_a_work_queue_of_its_own(workers: Pool, check: Check, rabbitmq: Broker) -> None:
    """The batches of a run wait in the work queue that it names, until a worker takes from it."""
    with get_client(sync_client=True) as client:
        client.create_work_queue("high", priority=1, work_pool_name=WORK_POOL)
    state = check(domains="n1.pages.dev", work_queue="high")
    assert state.is_completed(), state.message
    assert topology.queue_name(WORK_POOL, "high") in rabbitmq.queues(workers.url)


@pytest.mark.parametrize("url", ["http://x:y@localhost/", "amqp://x:secret@host:port/"])
def test_a_wrong_url_is_refused(check: Check, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the setting, and shows no password."""
    monkeypatch.setenv("ROLLCALL_AMQP_URL", url)
    state = check(domains="n1.pages.dev")
    assert state.name == "Refused"
    assert (state.message or "").startswith("ROLLCALL_AMQP_URL: ")
    assert "secret" not in (state.message or "")
