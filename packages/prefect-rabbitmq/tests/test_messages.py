"""What may be in a message, and what is refused before it is sent."""

from typing import Any

import pytest
from prefect_rabbitmq.messages import LARGEST, Malformed, Message
from prefect_rabbitmq.registry import UnknownTask, WrongTaskModule, load_tasks, task_named
from pydantic import BaseModel, SecretStr


class Login(BaseModel):
    """A model with a secret in it."""

    password: SecretStr


@pytest.mark.parametrize("value", [SecretStr("sesame"), [Login(password=SecretStr("sesame"))]])
def test_secrets_are_not_sent(value: Any) -> None:
    """Neither as they are nor as stars, which the task would take for the password."""
    with pytest.raises(Malformed, match="a secret is not sent: give the name of the block"):
        Message(task="note", parameters={"key": value}).encode()


def test_the_largest_message() -> None:
    """A body that RabbitMQ would refuse is refused here, with both numbers."""
    at_most = Message(task="t", parameters={"x": "x" * (LARGEST - 1000)}).encode()
    assert len(at_most) < LARGEST
    with pytest.raises(Malformed, match=r"15,000,\d{3} bytes, and a message has 15,000,000"):
        Message(task="t", parameters={"x": "x" * LARGEST}).encode()


def test_a_module_has_its_own_tasks_only(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it imports from elsewhere cannot be run; what comes from below it can."""
    folder = tmp_path_factory.mktemp("modules")
    files = {
        "foreign_tasks.py": "from prefect import task\n@task\ndef drop_tables(): ...\n",
        "our_tasks/below.py": "from prefect import task\n@task\ndef deep(): ...\n",
        "our_tasks/__init__.py": (
            "from prefect import task\n"
            "from foreign_tasks import drop_tables\n"
            "from our_tasks.below import deep\n"
            "@task\ndef ours(): ...\n"
        ),
        "doubled_tasks.py": (
            "from prefect import task\n"
            "@task\ndef ours(): ...\n"
            "other = task(name='ours')(lambda: 1)\n"
        ),
    }
    (folder / "our_tasks").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(folder)
    tasks = load_tasks(["our_tasks"])
    assert set(tasks) == {"ours", "deep"}
    with pytest.raises(UnknownTask, match=r"unknown task 'drop_tables'; .*: deep, ours"):
        task_named(tasks, "drop_tables")
    with pytest.raises(WrongTaskModule, match="two tasks are called 'ours'"):
        load_tasks(["doubled_tasks"])
