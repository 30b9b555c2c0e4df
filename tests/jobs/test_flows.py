"""Jobs from flows: emitted, waited for, in chains and in batches."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from prefect.flow_engine import run_flow_sync
from prefect.states import AwaitingRetry
from sqlalchemy import delete

from database.engine import open_database, transaction
from database.tables import results
from flows.batch_jobs import batch_jobs
from flows.chain_jobs import chain_jobs
from flows.check_domains import check_domains
from flows.emit_job import emit_job
from tasks.jobs.orders import JobOrder
from tests.jobs.yard import Yard
from tests.services.processes import Server


@pytest.fixture(scope="module")
def worker(made_yard: Yard) -> Iterator[Server]:
    """Run one worker."""
    with made_yard.worker("worker_1") as worker:
        yield worker


def lab(key: str, **payload: Any) -> JobOrder:
    """Return an order of the lab."""
    return JobOrder(command="lab", payload={"key": key, **payload})


def ended(flow: Any, *arguments: Any, **named: Any) -> Any:
    """Run a flow; returns its final state."""
    return flow(*arguments, return_state=True, **named)


def test_emit(yard: Yard, worker: Server) -> None:
    """It returns at once, and tells which job it is."""
    state = ended(emit_job, "lab", {"key": "emitted"})
    told = state.result()
    job = yard.until(UUID(told["job"]), "completed")
    assert (told["group"], told["number"]) == ("default", job.number)
    assert state.message == f"On work queue default, #{job.number}: job {job.id}"
    # It is no task run of that flow run, with which it would end.
    assert yard.shows(job.id, "Completed").flow_run_id is None


def test_emit_and_wait(yard: Yard, worker: Server) -> None:
    """It ends as the job ends."""
    state = ended(emit_job, "lab", {"key": "waited", "say": "hi"}, wait=True)
    assert (state.name, state.message) == ("Completed", 'done: {"said": "hi"}')
    failed = ended(emit_job, "lab", {"key": "bad", "error": "no"}, wait=True)
    assert failed.is_failed()
    assert "RuntimeError: no" in failed.message


def retried(yard: Yard, flow: Any, state: Any, **parameters: Any) -> Any:
    """Retry a flow run that has ended so; returns its new state."""
    with yard.api() as client:
        client.set_flow_run_state(flow_run_of(state), AwaitingRetry(), force=True)
        run = client.read_flow_run(flow_run_of(state))
    return run_flow_sync(flow, flow_run=run, parameters=parameters, return_type="state")


def test_a_retried_flow_run_does_not_repeat_its_job(yard: Yard, worker: Server) -> None:
    """Neither one that it has waited for, nor one that it has only emitted, nor what followed."""
    for wait in (True, False):
        given = {"command": "lab", "payload": {"key": f"kept-{wait}"}, "wait": wait}
        again = retried(yard, emit_job, ended(emit_job, **given), **given)
        assert again.is_completed(), again.message
    jobs = {"jobs": [lab("kept-0")], "then": lab("kept-then")}
    again = retried(yard, batch_jobs, ended(batch_jobs, **jobs), **jobs)
    assert again.message == "1 jobs, 1 completed"
    yard.until(yard.emit(key="after-kept"), "completed")
    expected = ["kept-0", "kept-False", "kept-True", "kept-then"]
    assert sorted(yard.keys("start", "kept-")) == expected


@pytest.mark.parametrize("wait", [True, False])
def test_emit_what_is_not_there(yard: Yard, worker: Server, wait: bool) -> None:  # noqa: FBT001
    """It fails, and says what to mend."""
    state = ended(emit_job, "nobody", wait=wait)
    assert state.is_failed()
    assert "unknown command 'nobody'" in state.message


def test_emit_to_nowhere(yard: Yard, worker: Server) -> None:
    """A job that cannot be routed is an error."""
    state = ended(emit_job, "lab", {"key": "x"}, "nowhere")
    assert state.is_failed()
    assert "queue 'checks.nowhere' does not exist" in state.message


def test_a_chain(yard: Yard, worker: Server) -> None:
    """One after the other."""
    state = ended(chain_jobs, [lab(f"chain-{number}") for number in range(3)])
    assert (state.name, state.message) == ("Completed", "3 jobs, 3 completed")
    marks = [(mark.what, mark.key) for mark in yard.marks("", "chain-")]
    assert marks == [(what, f"chain-{n}") for n in range(3) for what in ("start", "end")]


def test_a_chain_that_breaks(yard: Yard, worker: Server) -> None:
    """What comes after a failure does not begin."""
    state = ended(chain_jobs, [lab("break-0"), lab("break-1", error="no"), lab("break-2")])
    assert state.is_failed()
    assert state.message.startswith("3 jobs, 1 completed, 1 failed, 1 not begun. lab ")
    assert "RuntimeError: no" in state.message
    assert yard.keys("start", "break-") == ["break-0", "break-1"]


def test_a_chain_goes_on(yard: Yard, worker: Server) -> None:
    """A retry of the flow run does not do again what has completed."""
    jobs = [lab("on-0"), lab("on-1", shaky=3), lab("on-2")]
    state = ended(chain_jobs, jobs)
    assert state.is_failed()
    again = retried(yard, chain_jobs, state, jobs=jobs, work_queue="default")
    assert again.is_completed(), again.message
    assert yard.keys("end", "on-") == ["on-0", "on-1", "on-1", "on-1", "on-1", "on-2"]


def test_a_batch(yard: Yard, worker: Server) -> None:
    """All at once, then what follows; progress and a table are in the UI."""
    jobs = [lab(f"batch-{number}") for number in range(10)]
    following = {"then": lab("then"), "catch": lab("catch"), "finally_": lab("finally")}
    state = ended(batch_jobs, jobs, **following)
    assert (state.name, state.message) == ("Completed", "10 jobs, 10 completed")
    assert sorted(yard.keys("end", "batch-")) == sorted(str(j.payload["key"]) for j in jobs)
    assert [key for key in yard.keys("end") if key in following or key == "finally"] == [
        "then",
        "finally",
    ]
    wanted = {"artifacts": {"flow_run_id": {"any_": [str(flow_run_of(state))]}}}
    with yard.api() as client:
        found = client.request("POST", "/artifacts/filter", json=wanted).json()
    own = {one["key"]: one for one in found}
    assert own["jobs-progress"]["data"] == 100.0
    assert "batch" in own


def flow_run_of(state: Any) -> UUID:
    """Return the id of the flow run that has ended so."""
    return UUID(str(state.state_details.flow_run_id))


def test_a_batch_that_fails(yard: Yard, worker: Server) -> None:
    """The catch is run, and is given what became of the batch; so is the finally."""
    jobs = [lab("fails-0"), lab("fails-1", error="no")]
    state = ended(batch_jobs, jobs, then=lab("not-then"), catch=lab("caught"))
    assert state.is_failed()
    assert "2 jobs, 1 completed, 1 failed" in state.message
    assert yard.keys("end", "caught") == ["caught"]
    assert not yard.keys("start", "not-then")


def test_a_batch_that_may_fail(yard: Yard, worker: Server) -> None:
    """It completes, and says what failed."""
    jobs = [lab("may-0", error="no"), lab("may-1")]
    state = ended(batch_jobs, jobs, allow_failures=True)
    assert state.is_completed()
    assert state.message.startswith("2 jobs, 1 completed, 1 failed. lab ")


def test_what_follows_is_told(yard: Yard, worker: Server) -> None:
    """Without a payload of its own, it is given the batch's counts: here it has no use for them."""
    state = ended(batch_jobs, [lab("told")], then=JobOrder(command="lab"))
    assert state.is_failed()
    assert state.message == "1 jobs, 1 completed; failed: then"


@pytest.mark.parametrize("flow", [chain_jobs, batch_jobs])
def test_no_jobs(yard: Yard, worker: Server, flow: Any) -> None:
    """It says so."""
    state = ended(flow, [])
    assert (state.is_failed(), state.message) == (True, "0 jobs: name one to 10,000")


def test_jobs_that_follow_a_check(yard: Yard, worker: Server) -> None:
    """A check may ask for a job about a domain; a batch that is done again asks for the same."""
    state = ended(check_domains, domains="a.org\nb.org", checks=["lab-check"])
    assert state.is_completed(), state.message
    yard.wait(lambda: sorted(yard.keys("end", "about-")) == ["about-a.org", "about-b.org"])
    engine = open_database(yard.database_url)
    with transaction(engine) as connection:
        connection.execute(delete(results))
    given = {"domains": "a.org\nb.org", "checks": ["lab-check"]}
    again = retried(yard, check_domains, state, **given)
    assert again.is_completed(), again.message
    yard.until(yard.emit(key="after-about"), "completed")
    assert len(yard.keys("start", "about-")) == 2


def test_without_a_broker(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chains and batches run in the flow's own process; only what waits needs RabbitMQ."""
    monkeypatch.delenv("ROLLCALL_AMQP_URL")
    assert ended(chain_jobs, [lab("here-0"), lab("here-1")]).is_completed()
    state = ended(emit_job, "lab", {"key": "x"})
    assert "set ROLLCALL_AMQP_URL" in state.message
