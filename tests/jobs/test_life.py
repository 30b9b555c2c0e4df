"""What people do with jobs: cancel, move, run again, let go on; by the flows of the UI."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from database.jobs import Order
from flows.cancel_jobs import cancel_jobs as cancel_jobs_flow
from flows.list_jobs import list_jobs as list_jobs_flow
from flows.move_jobs import move_jobs as move_jobs_flow
from flows.release_jobs import release_jobs as release_jobs_flow
from flows.rerun_jobs import rerun_jobs as rerun_jobs_flow
from tasks.jobs.emit import publish, publisher
from tasks.settings import Settings
from tests.jobs.yard import Yard
from tests.services.processes import Server

# Their types say what a flow returns, and not what it returns if it returns a state.
cancel_jobs, list_jobs, move_jobs, release_jobs, rerun_jobs = cast(
    "tuple[Any, ...]",
    (cancel_jobs_flow, list_jobs_flow, move_jobs_flow, release_jobs_flow, rerun_jobs_flow),
)


@pytest.fixture(scope="module")
def worker(made_yard: Yard) -> Iterator[Server]:
    """Run one worker, which does one thing at a time and holds nothing more."""
    made_yard.make_queue("urgent")
    one = {"PREFECT_RABBITMQ_CONCURRENCY": "1", "PREFECT_RABBITMQ_PREFETCH": "0"}
    with made_yard.worker("worker_1", **one) as worker:
        yield worker


@pytest.fixture
def busy(yard: Yard, worker: Server, request: pytest.FixtureRequest) -> Iterator[UUID]:
    """Keep the worker busy; opening the gate `busy` of the test ends that."""
    gate = f"busy-{request.node.name}"
    id_ = yard.emit(key=gate, gate=yard.gate(gate))
    yard.wait(lambda: yard.keys("start", gate))
    yield id_
    yard.open(gate)
    yard.until(id_, "completed")


def free(yard: Yard, busy: UUID) -> None:
    """Let the worker go on."""
    yard.open(str(yard.job(busy).payload["key"]))


def test_cancel_one_that_waits(yard: Yard, busy: UUID) -> None:
    """It never begins, and its task run is shown as cancelled at once."""
    job, after = yard.emit(key="unwanted"), yard.emit(key="after-unwanted")
    assert cancel_jobs([job]) == {str(job): "cancelled"}
    yard.shows(job, "Cancelled")
    free(yard, busy)
    yard.until(after, "completed")
    assert not yard.keys("start", "unwanted")
    assert cancel_jobs([job]) == {str(job): "cancelled"}


def test_cancel_one_that_runs(yard: Yard, worker: Server) -> None:
    """It is stopped; its row and its task run say so."""
    job = yard.emit(key="running", gate=yard.gate("never"))
    yard.shows(job, "Running")
    assert cancel_jobs([job]) == {str(job): "cancelling"}
    yard.wait(lambda: yard.keys("stopped", "running") == ["running"])
    yard.shows(job, "Cancelled")
    assert yard.job(job).state == "cancelled"


def test_cancel_what_is_over(yard: Yard, worker: Server) -> None:
    """It says so."""
    done = yard.emit(key="done")
    yard.until(done, "completed")
    assert cancel_jobs([done]) == {str(done): "completed"}


def test_move(yard: Yard, busy: UUID) -> None:
    """One that waits overtakes on a work queue that goes before; it is run once."""
    first, second = yard.emit(key="move-1"), yard.emit(key="move-2")
    with yard.api() as client:
        queue = client.read_work_queue_by_name("urgent", work_pool_name="checks")
        client.update_work_queue(queue.id, priority=1)
    assert move_jobs([second], "urgent") == {str(second): "moved"}
    moved = yard.job(second)
    assert (moved.work_queue, moved.number, moved.state) == ("urgent", 1, "queued")
    yard.shows(second, "Moved")
    yard.shows(moved.message, "Queued")
    free(yard, busy)
    for job in (first, second):
        yard.until(job, "completed")
    yard.until(yard.emit(key="after-move"), "completed")
    assert yard.keys("start", "move-") == ["move-2", "move-1"]
    assert move_jobs([second], "default") == {str(second): "completed"}


def test_move_to_nowhere(yard: Yard, busy: UUID) -> None:
    """It stays where it is."""
    job = yard.emit(key="stays")
    state = move_jobs([job], "nowhere", return_state=True)
    assert state.is_failed()
    assert "queue 'checks.nowhere' does not exist" in (state.message or "")
    assert (yard.job(job).work_queue, yard.job(job).message) == ("default", job)
    free(yard, busy)
    yard.until(job, "completed")


def test_run_again(yard: Yard, worker: Server) -> None:
    """A failed job, and a completed one that is named; each once, as a new job."""
    failed, done = yard.emit(key="again-1", error="x"), yard.emit(key="again-2")
    yard.until(failed, "failed")
    yard.until(done, "completed")
    told = rerun_jobs([failed, done])
    for old, new in told.items():
        assert yard.job(UUID(new)).rerun_of == UUID(old)
    yard.until(UUID(told[str(done)]), "completed")
    assert rerun_jobs([uuid4(), done], return_state=True).message == "1 unknown, 1 again"
    assert rerun_jobs([done]) == {str(done): f"again as {told[str(done)]}"}


def test_an_old_message_of_a_job_that_was_run_again(yard: Yard, worker: Server) -> None:
    """As when a dead letter is replayed: the job that repeats it is enough."""
    failed = yard.until(yard.emit(key="twice", error="x"), "failed")
    told = rerun_jobs([failed.id])
    yard.until(UUID(told[str(failed.id)]), "failed")
    with publisher(Settings()) as jobs:
        publish(jobs, failed.message, failed.order, failed.id, failed.number)
    yard.shows(failed.id, "Cancelled")
    assert len(yard.keys("start", "twice")) == 2


def test_cancel_what_no_worker_has_seen(yard: Yard, busy: UUID) -> None:
    """A message of another program has no row yet; it is not run when it comes."""
    stranger = uuid4()
    order = Order(command="lab", payload={"key": "stranger"}, work_queue="default")
    with publisher(Settings()) as jobs:
        publish(jobs, stranger, order, stranger, 0)
    assert cancel_jobs([stranger]) == {str(stranger): "unknown: cancelled if it comes"}
    yard.shows(stranger, "Cancelled")
    free(yard, busy)
    yard.until(yard.emit(key="after-stranger"), "completed")
    assert not yard.keys("start", "stranger")


def test_run_all_again_that_failed_between_two_times(yard: Yard, worker: Server) -> None:
    """Those and no others; the same again does nothing."""
    early = yard.until(yard.emit(key="early", error="x"), "failed")
    since = datetime.now(UTC)
    failed = [yard.emit(key=f"late-{number}", error="x") for number in range(3)]
    good = yard.emit(key="late-good")
    for job in failed:
        yard.until(job, "failed")
    yard.until(good, "completed")
    until = datetime.now(UTC)
    later = yard.until(yard.emit(key="later", error="x"), "failed")
    told = rerun_jobs(since=since, until=until)
    assert set(told) == set(map(str, failed))
    for new in told.values():
        yard.until(UUID(new), "failed")
    assert rerun_jobs(since=since, until=until) == {}
    assert (yard.job(early.id).rerun, yard.job(later.id).rerun) == (None, None)


@pytest.fixture
def deployed(yard: Yard, worker: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process emit jobs for code that the worker has not."""
    monkeypatch.setattr("tasks.jobs.emit.command_version", lambda _: "another")


def test_a_deploy_that_does_not_matter(yard: Yard, deployed: None) -> None:
    """By default a job is run by the code that there is."""
    yard.until(yard.emit(key="old-code"), "completed")


def test_a_deploy_that_supersedes(yard: Yard, deployed: None) -> None:
    """The job is not run, and a status shows it."""
    job = yard.emit("lab-supersede", key="superseded")
    yard.until(job, "superseded")
    yard.shows(job, "Superseded")
    assert not yard.keys("start", "superseded")


def test_a_deploy_that_holds(yard: Yard, deployed: None) -> None:
    """The job waits, and a status shows it, until somebody lets it go on or cancels it."""
    job, other, third = (yard.emit("lab-hold", key=f"held-{number}") for number in range(3))
    for one in (job, other, third):
        yard.until(one, "held")
    run = yard.shows(job, "Held")
    assert run.state is not None
    assert "release-jobs" in (run.state.message or "")
    assert cancel_jobs([third]) == {str(third): "cancelled"}
    assert release_jobs([job]) == {str(job): "queued"}
    yard.until(job, "completed")
    yard.shows(job, "Released")
    assert not yard.keys("start", "held-1")
    assert release_jobs(command="lab") == {}
    assert release_jobs() == {str(other): "queued"}
    yard.until(other, "completed")
    assert release_jobs([job, third]) == {str(job): "completed", str(third): "cancelled"}
    assert yard.keys("start", "held-") == ["held-0", "held-1"]


def test_list(yard: Yard, worker: Server) -> None:
    """A table of what there is, and how many of each state."""
    since = datetime.now(UTC)
    jobs = [yard.emit(key="listed", error="x"), yard.emit(key="listed")]
    yard.until(jobs[0], "failed")
    yard.until(jobs[1], "completed")
    state = list_jobs(since=since, until=since + timedelta(hours=1), return_state=True)
    assert state.message == "1 completed, 1 failed"
    assert list_jobs(states=["failed"], since=since, return_state=True).message == "1 failed"
    assert list_jobs(work_queue="nowhere", return_state=True).message == "no jobs"


def test_a_job_whose_worker_cannot_tell(yard: Yard, worker: Server) -> None:
    """One that kills its process again and again is a dead letter; then its row says so, too."""
    job = yard.emit(key="killer", kill=100)
    yard.shows(job, "Crashed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tasks.jobs.refresh.SETTLED", timedelta(0))
        told = rerun_jobs(since=yard.job(job).created_at)
    assert str(job) in told
    assert yard.job(job).state == "failed"
    assert "dead letter" in (yard.job(job).error or "")
