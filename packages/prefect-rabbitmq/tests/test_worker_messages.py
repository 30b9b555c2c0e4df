"""Messages from outside: what they can do, and what becomes of those that cannot."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.schemas.filters import LogFilter, LogFilterTaskRunId
from prefect_rabbitmq.messages import task_run_id

from tests.rabbitmq.evil import Evil
from tests.rabbitmq.workers import LAB, Plant


@pytest.fixture(scope="module", autouse=True)
def worker(plant: Plant) -> Iterator[None]:
    """Run one worker for all."""
    with plant.worker("worker"):
        yield


def test_a_message_is_a_task_run_in_the_ui(plant: Plant) -> None:
    """It has the task's name, its end, and its logs."""
    message_id = plant.publish("note", key="seen")
    plant.wait(lambda: plant.state(message_id) == "Completed")
    run = plant.task_run(message_id)
    assert run is not None
    assert run.name == "note"
    assert run.flow_run_id is None
    logs = LogFilter(task_run_id=LogFilterTaskRunId(any_=[run.id]))
    with plant.api() as client:
        plant.wait(
            lambda: "This is seen" in [log.message for log in client.read_logs(log_filter=logs)]
        )


def test_twice_delivered_is_one_task_run(plant: Plant) -> None:
    """A message's id is its task run's id, be it a UUID or any other text."""
    for message_id in (str(uuid4()), "invoice 17"):
        for _ in range(2):
            plant.publish("note", message_id=message_id, key=message_id.replace(" ", "-"))
    plant.wait(lambda: plant.keys("end").count("invoice-17") == 2)
    plant.wait(lambda: plant.state("invoice 17") == "Completed")
    run = plant.task_run("invoice 17")
    assert run is not None
    assert run.id == task_run_id("invoice 17")


def test_parameters_are_what_the_annotations_say(plant: Plant) -> None:
    """JSON's text becomes a date where the task wants one; defaults hold."""
    plant.publish("add", number=4, day="2026-02-03")
    plant.wait(lambda: "4-2026-02-03-1" in plant.keys("start"))


def test_a_failed_task_is_done(plant: Plant) -> None:
    """What a task raises is its own affair, even what would end a program."""
    message_id = plant.publish("leave", key="leaving")
    plant.wait(lambda: plant.state(message_id) in {"Crashed", "Failed"})
    assert plant.keys("start").count("leaving") == 1
    assert message_id not in plant.dead()
    after_it(plant)


def message(task: object = "note", **more: object) -> bytes:
    """Return a body."""
    return json.dumps({"task": task, **more}).encode()


KEY = {"key": "forbidden"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "malformed", id="empty"),
        pytest.param(b'{"task": "note", "para', "malformed", id="cut off"),
        pytest.param(b"\xff\xfe\x00", "malformed", id="no text"),
        pytest.param(b'["note", {"key": "forbidden"}]', "malformed", id="a list"),
        pytest.param(pickle.dumps(Evil(Path("forbidden"))), "malformed", id="a pickle"),
        pytest.param(b"[" * 1_000_000, "malformed", id="very deep"),
        pytest.param(b"x" * 20_000_000, "malformed", id="20 MB"),
        pytest.param(message(7, parameters=KEY), "malformed: task", id="a number for a name"),
        pytest.param(message("", parameters=KEY), "malformed: task", id="no name"),
        pytest.param(message(parameters=[1]), "malformed: parameters", id="a list of parameters"),
        pytest.param(message(parameters=KEY, eval="1"), "malformed: eval", id="one key more"),
        pytest.param(message(parameters=KEY, task_run={"id": 1}), "malformed: task_run", id="run"),
        pytest.param(message("nobody", parameters=KEY), "unknown task 'nobody'", id="unknown"),
        pytest.param(message(), "missing a required argument: 'key'", id="a parameter missing"),
        pytest.param(
            message(parameters={**KEY, "colour": 1}),
            "unexpected keyword argument 'colour'",
            id="a parameter too many",
        ),
        pytest.param(
            message("add", parameters={"number": "four", "day": "2026-02-03"}),
            "do not fit add: number",
            id="another type",
        ),
        pytest.param(
            message("add", parameters={"number": 4, "day": "soon"}),
            "do not fit add: day",
            id="no date",
        ),
    ],
)
def test_what_cannot_be_run_is_a_dead_letter(plant: Plant, body: bytes, reason: str) -> None:
    """At once and as it was, with the reason; those before and behind it are run."""
    before = plant.publish("note", key=f"before-{uuid4()}")
    message_id = plant.send(body)
    after_it(plant)
    plant.wait(lambda: message_id in plant.dead())
    dead = plant.dead()[message_id]
    assert reason in dead.reason
    assert dead.body == body
    assert dead.headers["x-work-queue"] == "default"
    assert before not in plant.dead()
    assert not plant.marks(key="forbidden")
    assert not (plant.directory / "forbidden").exists()


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "eval",
        "print",
        "exit",
        "__import__",
        "subprocess.getoutput",
        "note.fn",
        f"{LAB}.note",
        f"{LAB}:note",
        "mark",
        "hold_all",
        "prefect_rabbitmq.messaging.publish",
        "publish",
        "../lab",
        "NOTE",
        "note ",
    ],
)
def test_only_registered_tasks_can_be_run(plant: Plant, name: str) -> None:
    """Neither functions, flows, nor tasks of a module that is not listed."""
    message_id = plant.publish(name, key="forbidden")
    plant.wait(lambda: message_id in plant.dead())
    assert f"unknown task {name!r}" in plant.dead()[message_id].reason
    assert not plant.marks(key="forbidden")


def after_it(plant: Plant) -> None:
    """Have one more message run."""
    key = f"after-{uuid4()}"
    plant.publish("note", key=key)
    plant.wait(lambda: key in plant.keys("end"))
