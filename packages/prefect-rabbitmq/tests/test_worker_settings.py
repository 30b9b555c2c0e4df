"""What is set for a worker: in its pool, in its environment, and while it runs."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_rabbitmq.credentials import RabbitMQCredentials
from prefect_rabbitmq.settings import Limits, WrongSetting, limits_of
from prefect_rabbitmq.worker import RabbitMQWorker
from pydantic import SecretStr

from tests.rabbitmq.workers import LAB, Plant, metric
from tests.services.marks import most_at_once
from tests.services.prefect import PrefectServer
from tests.services.processes import Server, free_port

PORT = free_port()


@pytest.fixture(scope="module")
def worker(plant: Plant) -> Iterator[Server]:
    """Run a worker that knows its pool and nothing else, and says all that it does."""
    with plant.worker(
        "configured",
        queues=(),
        PREFECT_RABBITMQ_URL="",
        PREFECT_RABBITMQ_TASK_MODULES="",
        PREFECT_LOGGING_LEVEL="DEBUG",
        PREFECT_LOGGING_ROOT_LEVEL="DEBUG",
        PREFECT_CLIENT_METRICS_ENABLED="true",
        PREFECT_CLIENT_METRICS_PORT=str(PORT),
    ) as worker:
        plant.wait(lambda: "No credentials" in output(worker))
        yield worker


@pytest.fixture(scope="module")
def configured(plant: Plant, worker: Server) -> Server:
    """Choose a credentials block and the task modules in the pool, while it runs."""
    run = run_flow(plant, "without-credentials")
    assert run.state_name == "Completed"
    with temporary_settings({PREFECT_API_URL: plant.prefect.api_url}):
        block = RabbitMQCredentials(url=SecretStr(plant.url)).save(plant.pool)
    choose(plant, credentials={"$ref": {"block_document_id": str(block)}}, task_modules=[LAB])
    plant.wait(lambda: plant.takers() == 1)
    return worker


def output(worker: Server) -> str:
    """Return all that it has written."""
    return worker.tail(characters=10_000_000)


def choose(plant: Plant, **variables: Any) -> None:
    """Edit the pool's variables, as its page in the UI does."""
    with plant.api() as client:
        template = client.read_work_pool(plant.pool).base_job_template
        for name, value in variables.items():
            template["variables"]["properties"][name]["default"] = value
        client.update_work_pool(plant.pool, WorkPoolUpdate(base_job_template=template))


def run_flow(plant: Plant, key: str) -> FlowRun:
    """Run a deployment of the pool to its end."""
    run = plant.ended(plant.deploy("here", key=key))
    assert plant.marks("flow", key)
    return run


def test_without_credentials(plant: Plant, configured: Server) -> None:
    """Flow runs are run, which is said once; with a block from the pool messages are as well."""
    assert output(configured).count("No credentials for RabbitMQ: set PREFECT_RABBITMQ_URL") == 1
    plant.publish("note", key="chosen")
    plant.wait(lambda: plant.marks("end", "chosen"))


def test_a_change_holds_after_a_heartbeat(plant: Plant, configured: Server) -> None:
    """Concurrency: fewer threads, then more, without a restart."""
    pid = configured.pid
    for turn, concurrency in enumerate((1, 3)):
        process = psutil.Process(pid).children()
        choose(plant, concurrency=concurrency)
        plant.wait(lambda before=process: psutil.Process(pid).children() not in ([], before))  # type: ignore[misc]
        for number in range(6):
            plant.publish("block", key=f"turn-{turn}-{number}", seconds=0.5)
        plant.until("end", f"turn-{turn}", 6)
        assert most_at_once(plant.of(f"turn-{turn}")) == concurrency


def test_a_wrong_value_is_one_line_in_the_log(plant: Plant, configured: Server) -> None:
    """What held before holds on; mended in the UI the new one holds."""
    choose(plant, concurrency="many")
    line = "concurrency of the work pool, or PREFECT_RABBITMQ_CONCURRENCY: "
    plant.wait(lambda: line in output(configured))
    plant.publish("note", key="in-spite")
    plant.wait(lambda: plant.marks("end", "in-spite"))
    choose(plant, concurrency=4)
    plant.publish("note", key="mended")
    plant.wait(lambda: plant.marks("end", "mended"))
    assert output(configured).count(line) == 1


def test_a_module_that_cannot_be_imported(plant: Plant, configured: Server) -> None:
    """It is told in a line; messages wait meanwhile, and are run when it is mended."""
    choose(plant, task_modules=["no_such_module"])
    plant.wait(
        lambda: (
            "task module 'no_such_module' cannot be imported: ModuleNotFoundError"
            in output(configured)
        )
    )
    assert "Traceback" not in output(configured)
    message_id = plant.publish("note", key="patient")
    choose(plant, task_modules=[LAB])
    plant.wait(lambda: plant.marks("end", "patient"))
    assert message_id not in plant.dead()


def test_metrics_are_served(plant: Plant, configured: Server) -> None:
    """By Prefect's client metrics server: what came to which end, and how long it took."""
    plant.publish("note", key="counted")
    dead = plant.publish("nobody")
    plant.wait(lambda: plant.marks("end", "counted") and dead in plant.dead())

    labels = f'work_pool="{plant.pool}",work_queue="default"'
    completed = f'prefect_rabbitmq_messages_total{{outcome="completed",{labels}}}'
    plant.wait(lambda: metric(PORT, completed) >= 1)
    plant.wait(lambda: metric(PORT, completed.replace("completed", "rejected")) >= 1)
    taken = metric(PORT, f"prefect_rabbitmq_message_seconds_count{{{labels}}}")
    assert taken == metric(PORT, completed)
    pool = f'{{work_pool="{plant.pool}"}}'
    plant.wait(lambda: metric(PORT, f"prefect_rabbitmq_messages_in_flight{pool}") == 0)
    assert metric(PORT, f"prefect_rabbitmq_messages_waiting{pool}") == 0
    # One that never happened has no line, or 0.
    before = metric(PORT, f"prefect_rabbitmq_reconnects_total{pool}")
    assert plant.broker.close_connections("prefect worker configured")
    plant.wait(lambda: metric(PORT, f"prefect_rabbitmq_reconnects_total{pool}") == before + 1)
    plant.wait(lambda: plant.takers() == 1)


def test_the_password_is_nowhere(plant: Plant, configured: Server) -> None:
    """Neither in a log, at DEBUG, nor in the API, nor in any command line."""
    run_flow(plant, "with-credentials")
    plant.publish("note", key="secretive")
    plant.publish("nobody")
    plant.wait(lambda: plant.marks("end", "secretive"))
    password = plant.broker.password
    assert password in plant.url
    assert "| DEBUG" in output(configured)
    assert password not in output(configured)
    with plant.api() as client:
        assert password not in client.read_work_pool(plant.pool).model_dump_json()
        logs = client.read_logs(limit=200)
        assert logs
        assert not [log for log in logs if password in log.message]
    worker = psutil.Process(configured.pid)
    processes = [worker, *worker.children(recursive=True)]
    assert len(processes) >= 2
    assert not [process for process in processes if password in " ".join(process.cmdline())]


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the pool; an empty variable is none."""
    template = RabbitMQWorker.get_default_base_job_template()
    properties = template["variables"]["properties"]
    assert limits_of(template) == Limits()
    properties["concurrency"]["default"] = 3
    properties["task_modules"]["default"] = ["a"]
    assert limits_of(template) == Limits(concurrency=3, task_modules=["a"])
    monkeypatch.setenv("PREFECT_RABBITMQ_CONCURRENCY", "5")
    monkeypatch.setenv("PREFECT_RABBITMQ_PREFETCH", "")
    monkeypatch.setenv("PREFECT_RABBITMQ_TASK_MODULES", "b, c.d,")
    assert limits_of(template) == Limits(concurrency=5, task_modules=["b", "c.d"])
    monkeypatch.setenv("PREFECT_RABBITMQ_DELIVERY_LIMIT", "0")
    with pytest.raises(WrongSetting, match="delivery_limit of the work pool, or PREFECT_RABBITMQ"):
        limits_of(template)


def test_the_base_job_template(plant: Plant, prefect_server: PrefectServer) -> None:
    """A pool made on the command line has all variables, each with a description for the UI."""
    name = f"{plant.pool}-typed"
    command = [sys.executable, "-m", "prefect", "work-pool", "create", name, "--type", "rabbitmq"]
    subprocess.run(command, check=True, env=plant.environment(), capture_output=True)
    with plant.api() as client:
        pool = client.read_work_pool(name)
    assert pool.type == "rabbitmq"
    variables = pool.base_job_template["variables"]["properties"]
    ours = {"credentials", *Limits.model_fields}
    assert ours == {
        "concurrency",
        "credentials",
        "delivery_limit",
        "memory_limit_mb",
        "message_limit",
        "prefetch",
        "task_modules",
        "time_limit_seconds",
    }
    assert not [name for name in ours if not variables[name].get("description")]
