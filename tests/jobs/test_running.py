"""A job from its emission to its end, as its listener, Prefect's UI and its row show it."""

import json
from collections.abc import Iterator
from uuid import UUID, uuid4

import pika
import pytest
from prefect.client.schemas.filters import LogFilter, LogFilterTaskRunId
from prefect_rabbitmq.errors import Unroutable

from commands.errors import UnknownCommand
from tasks.broker import WORK_POOL
from tasks.errors import InputError
from tasks.settings import Settings
from tests.jobs.yard import Yard
from tests.services.processes import Server


@pytest.fixture(scope="module")
def worker(made_yard: Yard) -> Iterator[Server]:
    """Run one worker."""
    with made_yard.worker("worker_1") as worker:
        yield worker


def publish(yard: Yard, **parameters: object) -> UUID:
    """Publish a message as any program would; returns the id of its task run."""
    id_ = uuid4()
    body = json.dumps({"task": "run-command", "parameters": parameters}).encode()
    with pika.BlockingConnection(pika.URLParameters(yard.amqp_url)) as connection:
        properties = pika.BasicProperties(message_id=str(id_), delivery_mode=2)
        connection.channel().basic_publish(WORK_POOL, "default", body, properties)
    return id_


def test_a_job(yard: Yard, worker: Server) -> None:
    """It ends with its answer; its name, number, worker, log and result are in the UI."""
    id_ = yard.emit(key="first", say="hello")
    job = yard.until(id_, "completed")
    assert (job.number, job.attempts, job.worker, job.status) == (1, 1, "worker_1", "done")
    assert job.answer == {"said": "hello"}
    run = yard.shows(id_, "Completed")
    assert run.name == 'lab {"key": "first", "say": "hello"} #1'
    assert run.state is not None
    assert run.state.message == 'done: {"said": "hello"}'
    logs = LogFilter(task_run_id=LogFilterTaskRunId(any_=[id_]))
    with yard.api() as client:
        yard.wait(lambda: len(client.read_logs(log_filter=logs)) >= 2)
        said = [log.message for log in client.read_logs(log_filter=logs)]
    assert "default #1, try 1, on worker_1" in said


def test_a_message_from_outside(yard: Yard, worker: Server) -> None:
    """It becomes a job like any other, with the next number of its group."""
    before = yard.until(yard.emit(key="before"), "completed")
    id_ = publish(yard, command="lab", payload={"key": "outside"})
    run = yard.shows(id_, "Completed")
    assert yard.job(id_).number == before.number + 1
    assert run.name == f'lab {{"key": "outside"}} #{before.number + 1}'


def test_a_second_copy_of_a_message(yard: Yard, worker: Server) -> None:
    """It is not run again, and tells what the first one came to."""
    id_ = yard.emit(key="once", say="x")
    yard.until(id_, "completed")
    body = json.dumps({"task": "run-command", "parameters": {"command": "lab"}}).encode()
    with pika.BlockingConnection(pika.URLParameters(yard.amqp_url)) as connection:
        channel = connection.channel()
        properties = pika.BasicProperties(message_id=str(id_))
        channel.basic_publish(WORK_POOL, "default", body, properties)
    yard.until(yard.emit(key="after"), "completed")
    assert yard.keys("start", "once") == ["once"]
    assert yard.job(id_).attempts == 1


def test_what_is_retried(yard: Yard, worker: Server) -> None:
    """The command says which exceptions; the tries are those of the task run."""
    job = yard.until(yard.emit(key="shaky", shaky=2), "completed")
    assert job.attempts == 3
    run = yard.shows(job.id, "Completed")
    assert run.run_count == 3


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"key": "wrong", "error": "no such frame"}, "RuntimeError: no such frame"),
        ({"key": "hopeless", "shaky": 9}, "after 3 tries: Shaky: hopeless"),
        ({"no": "key"}, 'ValueError: write {"key": …}'),
    ],
)
def test_what_fails(yard: Yard, worker: Server, payload: dict[str, object], error: str) -> None:
    """The row and the UI say why."""
    [id_] = yard.emit_all([payload])
    job = yard.until(id_, "failed")
    assert job.error == error
    run = yard.shows(job.id, "Failed")
    assert run.state is not None
    assert error in (run.state.message or "")


def test_a_command_that_is_not_there(yard: Yard, worker: Server) -> None:
    """Ours is refused at once; one from outside fails, and says which there are."""
    with pytest.raises(UnknownCommand, match="unknown command 'nobody'; there are: "):
        yard.emit("nobody", key="x")
    id_ = publish(yard, command="nobody")
    yard.shows(id_, "Failed")
    assert "unknown command 'nobody'" in (yard.job(id_).error or "")


def test_a_work_queue_that_is_not_there(yard: Yard, worker: Server) -> None:
    """It is an error, and no job."""
    with pytest.raises(Unroutable, match=r"queue 'checks\.nowhere' does not exist"):
        yard.emit(work_queue="nowhere", key="x")
    assert not yard.jobs("nowhere")


def test_without_a_broker(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to set."""
    monkeypatch.delenv("ROLLCALL_AMQP_URL")
    assert Settings().amqp_url is None
    with pytest.raises(InputError, match="set ROLLCALL_AMQP_URL"):
        yard.emit(key="x")


def test_jobs_that_follow(yard: Yard, worker: Server) -> None:
    """A command may ask for others; they are emitted once it has ended well."""
    follow = {"command": "lab", "payload": {"key": "follower"}, "work_queue": "default"}
    yard.until(yard.emit(key="leader", jobs=[follow]), "completed")
    yard.wait(lambda: yard.keys("end", "follower") == ["follower"])


def test_jobs_that_cannot_follow(yard: Yard, worker: Server) -> None:
    """The job has failed, and says why; its row does not go on running."""
    follow = {"command": "lab", "payload": {"key": "lost"}, "work_queue": "nowhere"}
    job = yard.until(yard.emit(key="lonely", jobs=[follow]), "failed")
    assert "queue 'checks.nowhere' does not exist" in (job.error or "")
    other = yard.until(yard.emit(key="odd", jobs=[{"command": "nobody"}]), "failed")
    assert "unknown command 'nobody'" in (other.error or "")


def test_an_error_that_the_database_has_no_text_for(yard: Yard, worker: Server) -> None:
    """It is stored as far as it can be."""
    job = yard.until(yard.emit(key="nul", error="a\0b"), "failed")
    assert job.error == "RuntimeError: a\ufffdb"


def test_a_job_whose_process_is_killed(yard: Yard, worker: Server) -> None:
    """It is run again, as the same job."""
    job = yard.until(yard.emit(key="killed", kill=1), "completed")
    assert job.attempts == 2
    yard.shows(job.id, "Completed")
