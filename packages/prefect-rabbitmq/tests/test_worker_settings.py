"""What is set for a worker: in its pool, in its environment, and while it runs."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import psutil
import pytest
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

#: The module of a worker's process of tasks.
TASK_PROCESS = "prefect_rabbitmq.task_process"


@pytest.fixture(scope="module")
def port() -> int:
    """Choose where the worker serves its metrics, just before it starts."""
    return free_port()


@pytest.fixture(scope="module")
def worker(plant: Plant, port: int) -> Iterator[Server]:
    """Run a worker that knows its pool and nothing else, and says all that it does."""
    with plant.worker(
        "configured",
        queues=(),
        PREFECT_RABBITMQ_URL="",
        PREFECT_RABBITMQ_TASK_MODULES="",
        PREFECT_LOGGING_LEVEL="DEBUG",
        PREFECT_LOGGING_ROOT_LEVEL="DEBUG",
        PREFECT_CLIENT_METRICS_ENABLED="true",
        PREFECT_CLIENT_METRICS_PORT=str(port),
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
    plant.choose(credentials={"$ref": {"block_document_id": str(block)}}, task_modules=[LAB])
    plant.wait(lambda: plant.takers() == 1)
    return worker


def output(worker: Server) -> str:
    """Return all that it has written."""
    return worker.tail(characters=10_000_000)


def arguments(process: psutil.Process) -> list[str]:
    """Return a process's command line; none of one that has ended."""
    with suppress(psutil.NoSuchProcess):
        return list(process.cmdline())
    return []


def runs_at_once(worker: Server, number: int) -> bool:
    """Tell whether a worker has a process of tasks with so many threads."""
    children = map(arguments, psutil.Process(worker.pid).children())
    # After the module come the process's end of a pipe and this number.
    return any(
        TASK_PROCESS in child and child[child.index(TASK_PROCESS) + 2 :][:1] == [str(number)]
        for child in children
    )


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
    for turn, concurrency in enumerate((1, 3)):
        plant.choose(concurrency=concurrency)
        plant.wait(partial(runs_at_once, configured, concurrency))
        for number in range(6):
            plant.publish("block", key=f"turn-{turn}-{number}", seconds=0.5)
        plant.until("end", f"turn-{turn}", 6)
        assert most_at_once(plant.of(f"turn-{turn}")) == concurrency


def test_a_wrong_value_is_one_line_in_the_log(plant: Plant, configured: Server) -> None:
    """What held before holds on; mended in the UI the new one holds."""
    plant.choose(concurrency="many")
    line = "concurrency of the work pool, or PREFECT_RABBITMQ_CONCURRENCY: "
    plant.wait(lambda: line in output(configured))
    plant.publish("note", key="in-spite")
    plant.wait(lambda: plant.marks("end", "in-spite"))
    plant.choose(concurrency=4)
    plant.publish("note", key="mended")
    plant.wait(lambda: plant.marks("end", "mended"))
    assert output(configured).count(line) == 1


def test_a_module_that_cannot_be_imported(plant: Plant, configured: Server) -> None:
    """It is told in a line; messages wait meanwhile, and are run when it is mended."""
    before = len(output(configured))
    plant.choose(task_modules=["no_such_module"])
    plant.wait(
        lambda: (
            "task module 'no_such_module' cannot be imported: ModuleNotFoundError"
            in output(configured)
        )
    )
    assert "Traceback" not in output(configured)[before:]
    message_id = plant.publish("note", key="patient")
    plant.choose(task_modules=[LAB])
    plant.wait(lambda: plant.marks("end", "patient"))
    assert message_id not in plant.dead()


def test_metrics_are_served(plant: Plant, configured: Server, port: int) -> None:
    """By Prefect's client metrics server: what came to which end, and how long it took."""
    plant.publish("note", key="counted")
    dead = plant.publish("nobody")
    plant.wait(lambda: plant.marks("end", "counted") and dead in plant.dead())

    labels = f'work_pool="{plant.pool}",work_queue="default"'
    completed = f'prefect_rabbitmq_messages_total{{outcome="completed",{labels}}}'
    plant.wait(lambda: metric(port, completed) >= 1)
    plant.wait(lambda: metric(port, completed.replace("completed", "rejected")) >= 1)
    taken = f"prefect_rabbitmq_message_seconds_count{{{labels}}}"
    plant.wait(lambda: metric(port, taken) == metric(port, completed))
    pool = f'{{work_pool="{plant.pool}"}}'
    plant.wait(lambda: metric(port, f"prefect_rabbitmq_messages_in_flight{pool}") == 0)
    assert metric(port, f"prefect_rabbitmq_messages_waiting{pool}") == 0
    # One that never happened has no line, or 0.
    before = metric(port, f"prefect_rabbitmq_reconnects_total{pool}")
    assert plant.broker.close_connections("prefect worker configured")
    plant.wait(lambda: metric(port, f"prefect_rabbitmq_reconnects_total{pool}") >= before + 1)
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
    assert not [process for process in processes if password in " ".join(arguments(process))]


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
