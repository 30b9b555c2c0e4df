"""Jobs whose worker could not say that they are over are told of, too."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import State, task
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Crashed
from sqlalchemy import Engine

from database.engine import open_database, transaction
from database.jobs import Order, add_job, read_job
from database.subscribers import add_subscriber
from database.tables import now
from tests.services.mailbox import Mailbox
from tests.services.prefect import PrefectServer
from tests.services.processes import free_port
from tests.tasks.mail.world import ANN, Emit, emit, end, mails

ORDER = Order(command="cron_frame", payload=5, work_queue="default")


@task
def job() -> None:
    """Stand for a job."""


def test_a_job_that_only_prefect_knows_to_be_over(
    flow_server: PrefectServer, tmp_path: Path, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row says running; it is mailed once it has been over for a while."""
    url, id_ = f"sqlite:///{tmp_path / 'rollcall.db'}", uuid4()
    engine, smtp = open_database(url), f"smtp://127.0.0.1:{box.port}"
    add_subscriber(engine, ANN, ["jobs"])
    with transaction(engine) as connection:
        early = now() - timedelta(hours=1)
        add_job(connection, id_, ORDER, state="running", created_at=early)
    with SyncPrefectClient(flow_server.api_url) as client:
        state: State[None] = Crashed(message="it is a dead letter")
        client.create_task_run(job, flow_run_id=None, dynamic_key="1", id=id_, state=state)
    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        # Its worker may be about to say so itself.
        assert emit(url, smtp).status == "nothing"
        monkeypatch.setattr("tasks.jobs.refresh.SETTLED", timedelta(0))
        # A busy server is asked with the patience that Prefect's clients have.
        monkeypatch.setattr("tasks.jobs.refresh.HASTE", {})
        assert emit(url, smtp).status == "sent"
    lost = read_job(engine, id_)
    assert lost is not None
    assert lost.state == "failed"
    (mail,) = box.mails
    body = mail.get_body(("plain",))
    assert body is not None
    assert "it is a dead letter" in body.get_content()


def test_mails_go_while_prefect_is_away(
    engine: Engine, events: Emit, ann: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the log says that nobody could be asked."""
    with transaction(engine) as connection:
        early = now() - timedelta(hours=1)
        add_job(connection, uuid4(), ORDER, state="running", created_at=early)
    end(engine)
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        assert events().status == "sent"
    assert mails(engine) == [(ann, "sent", 0)]
    assert "Prefect was not asked which jobs are lost: ConnectError" in caplog.text
