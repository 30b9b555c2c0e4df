"""Jobs that belong to no flow run: queued, cancelled; and what a task knows of its message."""

import uuid
from collections.abc import Iterator
from uuid import UUID

import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_rabbitmq.credentials import RabbitMQCredentials
from prefect_rabbitmq.current import current_message
from prefect_rabbitmq.flows import cancel_jobs
from prefect_rabbitmq.messages import task_run_id
from prefect_rabbitmq.messaging import publish_job
from pydantic import SecretStr

from tests.rabbitmq.workers import Plant
from tests.services.counting import Counts, running_counter
from tests.services.processes import Server

#: How a worker asks for the jobs that it holds.
LOOK = "POST /api/task_runs/filter"


@pytest.fixture(scope="module")
def counted(plant: Plant) -> Iterator[Counts]:
    """Give the counts of the worker's way to Prefect's server."""
    with running_counter(plant.prefect.port) as counts:
        yield counts


@pytest.fixture(scope="module")
def worker(plant: Plant, counted: Counts) -> Iterator[Server]:
    """Run one worker that does one thing at a time and holds some more ready."""
    url = f"http://127.0.0.1:{counted.port}/api"
    with plant.worker("alone", PREFECT_RABBITMQ_CONCURRENCY="1", PREFECT_API_URL=url) as worker:
        yield worker


def until_heard(plant: Plant, counted: Counts) -> None:
    """
    Wait until the worker knows what Prefect's server knows now.

    The second look from now on began after now, and was answered before the third one began.
    """
    before = counted.requests[LOOK]
    plant.wait(lambda: counted.requests[LOOK] >= before + 3)


@pytest.fixture(autouse=True)
def _server(plant: Plant) -> Iterator[None]:
    """Tell the plant's Prefect server of what this process does."""
    with temporary_settings({PREFECT_API_URL: plant.prefect.api_url}):
        yield


def emit(plant: Plant, task: str, **parameters: str) -> UUID:
    """Put a job on the work queue; returns its task run's id."""
    credentials = RabbitMQCredentials(url=SecretStr(plant.url))
    message_id = publish_job(plant.pool, "default", task, parameters, credentials=credentials)
    return task_run_id(message_id)


def test_a_job_is_shown_while_it_waits(plant: Plant, worker: Server) -> None:
    """The UI shows it from its publication on, and then how it went, as one task run."""
    busy = emit(plant, "hold", key="busy", gate=plant.gate("busy"))
    plant.until("start", "busy", 1)
    waiting = emit(plant, "note", key="waiting")
    plant.wait(lambda: plant.state(str(waiting)) == "Queued")
    plant.open("busy")
    plant.wait(lambda: {plant.state(str(job)) for job in (busy, waiting)} == {"Completed"})


def test_cancel_while_it_waits(plant: Plant, counted: Counts, worker: Server) -> None:
    """It never begins: neither one that its worker holds ready, nor one that nobody has yet."""
    emit(plant, "hold", key="before", gate=plant.gate("before"))
    plant.until("start", "before", 1)
    jobs = [emit(plant, "note", key=f"unwanted-{number}") for number in range(20)]
    plant.wait(lambda: plant.state(str(jobs[-1])) == "Queued")
    assert set(cancel_jobs(tuple(jobs), "not needed").values()) == {"cancelled"}
    until_heard(plant, counted)
    plant.open("before")
    after = emit(plant, "note", key="after")
    plant.wait(lambda: plant.state(str(after)) == "Completed")
    assert not plant.keys("start", "unwanted")
    run = plant.task_run(str(jobs[0]))
    assert run is not None
    assert run.state is not None
    assert (run.state.name, run.state.message) == ("Cancelled", "not needed")


@pytest.mark.parametrize("task", ["hold", "hold_async"])
def test_cancel_while_it_runs(plant: Plant, worker: Server, task: str) -> None:
    """It is stopped, ends as cancelled, and the next one runs; again changes nothing."""
    key = f"running-{task}"
    job = emit(plant, task, key=key, gate=plant.gate("never"))
    plant.wait(lambda: plant.state(str(job)) == "Running")
    assert cancel_jobs((job,)) == {str(job): "cancelling"}
    plant.until("stopped", key, 1)
    plant.wait(lambda: plant.state(str(job)) == "Cancelled")
    assert cancel_jobs((job,)) == {str(job): "ended"}
    after = emit(plant, "note", key=f"after-{task}")
    plant.wait(lambda: plant.state(str(after)) == "Completed")
    assert not plant.dead()


def test_cancel_what_the_server_has_not_heard_of(
    plant: Plant, counted: Counts, worker: Server
) -> None:
    """A message of a program that knows no Prefect can be cancelled by its id, too."""
    emit(plant, "hold", key="first", gate=plant.gate("first"))
    plant.until("start", "first", 1)
    message_id = plant.publish("note", key="stranger", message_id=str(uuid.uuid4()))
    assert cancel_jobs((UUID(message_id),)) == {message_id: "cancelled"}
    plant.wait(lambda: plant.state(message_id) == "Cancelled")
    until_heard(plant, counted)
    plant.open("first")
    after = emit(plant, "note", key="after-stranger")
    plant.wait(lambda: plant.state(str(after)) == "Completed")
    assert not plant.keys("start", "stranger")


def test_a_task_of_a_flow_is_cancelled_with_it(plant: Plant, worker: Server) -> None:
    """Its own cancellation would leave a flow that waits for it."""
    run = plant.deploy("hold_all_here", pool=plant.pool, keys=["flows"], gate=plant.gate("flows"))
    plant.until("start", "flows", 1)
    with plant.api() as client:
        its = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
        plant.wait(lambda: client.read_task_runs(flow_run_filter=its))
        [task] = client.read_task_runs(flow_run_filter=its)
    assert cancel_jobs((task.id,)) == {str(task.id): "of a flow run"}
    plant.open("flows")
    assert plant.ended(run).state_name == "Completed"


def test_a_task_knows_its_message(plant: Plant, worker: Server) -> None:
    """Whose it is, from which work queue, and how often it was delivered before."""
    message_id = plant.publish("whose", key="message")
    plant.wait(lambda: plant.marks(f"alone/default/{message_id}/0", "message"))
    assert current_message() is None


def test_async_tasks_know_theirs(plant: Plant, worker: Server) -> None:
    """Each its own, although they share a thread and its event loop."""
    ids = [plant.publish("whose_async", key=f"async-{number}") for number in range(3)]
    for number, message_id in enumerate(ids):
        plant.until(message_id, f"async-{number}", 1)
