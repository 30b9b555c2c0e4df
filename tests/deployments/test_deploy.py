"""`make deploy`: the pool, its queues and the deployments, on a server and in RabbitMQ."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from prefect_rabbitmq.topology import dead_letters_name, queue_name

from deployments.pool import TASK_MODULES, WORK_QUEUES
from tests.deployments.deploying import ROOT, prefect, undeploy
from tests.services.asking import ask_api
from tests.services.prefect import PrefectServer
from tests.services.processes import free_port
from tests.services.rabbitmq import Broker

Output = subprocess.CompletedProcess[str]


def deploy(server: PrefectServer | None = None, **variables: str) -> Output:
    """Run it, as `make deploy` does; without a server, with the variables given only."""
    plain = {name: value for name, value in os.environ.items() if "PREFECT_API" not in name}
    environment = dict(server.environment) if server else plain
    return subprocess.run(
        [sys.executable, "-m", "deployments.deploy"],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def one_error(done: Output) -> str:
    """Return the one line that it says about what is wrong."""
    (line,) = done.stderr.strip().splitlines()
    return line


@pytest.fixture
def server(flow_server: PrefectServer) -> Iterator[PrefectServer]:
    """Give a server without a pool, and make it one again."""
    try:
        yield replace(flow_server)
    finally:
        undeploy(flow_server)


def queues(server: PrefectServer) -> list[tuple[str, int]]:
    """Return the work queues and their priorities, the first to be served first."""
    url = f"{server.api_url}/work_pools/checks/queues/filter"
    found: list[dict[str, Any]] = ask_api("POST", url, {})
    return sorted(((queue["name"], queue["priority"]) for queue in found), key=lambda pair: pair[1])


def test_all_is_there_and_stays_as_it_was_set(
    server: PrefectServer, rabbitmq: Broker, amqp_url: str
) -> None:
    """Once it makes everything; again it changes nothing that was set since."""
    first = deploy(server, ROLLCALL_AMQP_URL=amqp_url)
    assert first.returncode == 0, first.stdout + first.stderr
    pool = ask_api("GET", f"{server.api_url}/work_pools/checks")
    assert pool["type"] == "rabbitmq"
    modules = pool["base_job_template"]["variables"]["properties"]["task_modules"]
    assert modules["default"] == TASK_MODULES
    assert queues(server) == list(zip(WORK_QUEUES, [1, 2, 3, 4], strict=True))
    expected = {queue_name("checks", name) for name in WORK_QUEUES}
    assert set(rabbitmq.queues(amqp_url)) == {*expected, dead_letters_name("checks")}
    assert rabbitmq.password not in first.stdout + first.stderr

    prefect(server, "work-queue", "create", "slow", "--pool", "checks")
    prefect(server, "work-queue", "set-concurrency-limit", "slow", "1", "--pool", "checks")
    # As a version of Rollcall without jobs has made it, and somebody has added to it.
    modules["default"] = ["tasks.check", "my_tasks"]
    changed = {"base_job_template": pool["base_job_template"]}
    ask_api("PATCH", f"{server.api_url}/work_pools/checks", changed)
    ids = deployment_ids(server)
    again = deploy(server, ROLLCALL_AMQP_URL=amqp_url)
    assert again.returncode == 0, again.stdout + again.stderr
    assert queues(server) == list(zip([*WORK_QUEUES, "slow"], [1, 2, 3, 4, 5], strict=True))
    pool = ask_api("GET", f"{server.api_url}/work_pools/checks")
    modules = pool["base_job_template"]["variables"]["properties"]["task_modules"]
    assert modules["default"] == ["tasks.check", "my_tasks", "tasks.jobs.run_command"]
    assert deployment_ids(server) == ids
    assert queue_name("checks", "slow") in rabbitmq.queues(amqp_url)


def deployment_ids(server: PrefectServer) -> dict[str, str]:
    """Return the ids of the deployments by name."""
    body = {"flows": {"name": {"any_": ["check-domains", "watch-inbox"]}}}
    found = ask_api("POST", f"{server.api_url}/deployments/filter", body)
    assert {one["work_pool_name"] for one in found} == {"checks"}
    assert {
        step["prefect.deployments.steps.set_working_directory"]["directory"]
        for one in found
        for step in one["pull_steps"]
    } == {str(ROOT)}
    return {one["name"]: one["id"] for one in found}


def test_without_rabbitmq(server: PrefectServer) -> None:
    """Without ROLLCALL_AMQP_URL the pool is there as well, and nothing is said of RabbitMQ."""
    done = deploy(server)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "RabbitMQ" not in done.stdout
    assert set(deployment_ids(server)) == {"on-demand", "nightly", "every-minute"}


def test_which_server() -> None:
    """Without PREFECT_API_URL nothing is deployed, nor any server started."""
    done = deploy(PREFECT_API_URL="")
    assert done.returncode == 2
    assert "PREFECT_API_URL" in one_error(done)


def test_a_server_that_is_away() -> None:
    """One line says so."""
    done = deploy(PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api")
    assert done.returncode == 1
    assert "PREFECT_API_URL" in one_error(done)


def test_an_address_that_is_none(server: PrefectServer) -> None:
    """The UI's address is not the API's."""
    done = deploy(PREFECT_API_URL=server.ui_url)
    assert done.returncode == 2
    assert "/api" in one_error(done)


def test_a_pool_of_another_type(server: PrefectServer) -> None:
    """A pool that is there already is not replaced; the line says how to get rid of it."""
    prefect(server, "work-pool", "create", "checks", "--type", "process")
    done = deploy(server)
    assert done.returncode == 2
    assert "'process'" in one_error(done)
    assert "prefect work-pool delete checks" in one_error(done)


@pytest.mark.parametrize(
    ("url", "code"), [("http://localhost", 2), ("amqp://someone:sesame@127.0.0.1:9/", 1)]
)
def test_a_rabbitmq_that_cannot_be_used(server: PrefectServer, url: str, code: int) -> None:
    """One line names the variable, and not the password."""
    done = deploy(server, ROLLCALL_AMQP_URL=url)
    assert done.returncode == code
    assert "ROLLCALL_AMQP_URL" in one_error(done)
    assert "sesame" not in done.stdout + done.stderr
