"""A task run costs the worker no call of Prefect's API: its states go as events, on one socket."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.rabbitmq.pools import Pool, running_pool
from tests.rabbitmq.records import counts
from tests.rabbitmq.tasks import add, add_async, retried
from tests.services.counting import Counts, running_counter
from tests.services.prefect import PrefectServer

#: What a worker asks for by the clock, and how often a second at most: its heartbeat, its flow runs
#: and those of its messages; both of its processes send logs.
BY_THE_CLOCK = {
    "POST /api/work_pools/counted/get_scheduled_flow_runs": 2,
    "POST /api/work_pools/counted/workers/heartbeat": 2,
    "POST /api/work_pools/counted/queues/filter": 2,
    "GET /api/work_pools/counted": 2,
    "WS /api/work_pools/counted/workers/connect": 2,
    "POST /api/flow_runs/filter": 2,
    "POST /api/logs/": 15,
}
#: How many of each kind more there may be: what was due when the time began, or is at once.
DUE = 5
#: What is asked for once for a flow run.
ONCE = "GET /api/flow_runs/<id>"


@pytest.fixture(scope="module")
def counted(flow_server: PrefectServer) -> Iterator[Counts]:
    """Give the counts of a way to Prefect's server."""
    with running_counter(flow_server.port) as counts_:
        yield counts_


@pytest.fixture(scope="module")
def counted_pool(
    flow_server: PrefectServer,
    counted: Counts,
    rabbitmq_vhost: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pool]:
    """Give a pool whose worker goes that way, and nobody else."""
    environment = {"PREFECT_API_URL": f"http://127.0.0.1:{counted.port}/api"}
    directory = tmp_path_factory.mktemp("counted")
    with (
        running_pool(
            flow_server, rabbitmq_vhost, directory, name="counted", environment=environment
        ) as pool,
        temporary_settings({PREFECT_API_URL: flow_server.api_url}),
    ):
        yield pool


def asked(pool: Pool, counted: Counts, number: int) -> tuple[Counter[str], float]:
    """
    Run twice and one tenth as many task runs.

    Returns:
        What their worker asked for, and in how many seconds.
    """

    @flow(task_runner=pool.runner())
    def body() -> list[Any]:
        every = [add.map(range(number), 1), add_async.map(range(number), 1)]
        again = [retried.submit("key") for _ in range(number // 10)]
        return [each.result() for futures in (*every, again) for each in futures]

    began, before = time.monotonic(), Counter(counted.requests)
    state = body(return_state=True)
    made, seconds = counted.requests - before, time.monotonic() - began
    assert len(state.result()) == number * 2 + number // 10
    # They were really recorded, all of them.
    recorded = counts(state.state_details.flow_run_id)
    assert recorded.total() == number * 2 + number // 10
    return made, seconds


def test_no_api_call_for_a_task_run(counted_pool: Pool, counted: Counts) -> None:
    """Sync, async and retried task runs: however many, they ask for nothing."""
    # The first task run in each thread may open something.
    asked(counted_pool, counted, 20)
    for number in (20, 200):
        made, seconds = asked(counted_pool, counted, number)
        assert made.keys() - BY_THE_CLOCK.keys() <= {ONCE}
        assert made[ONCE] <= 1
        # 420 task runs take a few seconds: one call for each would be far more than this.
        often = {name for name, rate in BY_THE_CLOCK.items() if made[name] > rate * seconds + DUE}
        assert not often, (made, seconds)
