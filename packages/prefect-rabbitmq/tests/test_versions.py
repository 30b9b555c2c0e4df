"""A deploy changes a task's code while its messages are on their way."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from prefect import flow
from prefect.futures import PrefectFuture
from prefect_rabbitmq.versions import code_version, on_new_code, policy_of

from tests.rabbitmq import modules
from tests.rabbitmq.pools import Pool
from tests.rabbitmq.records import state_names
from tests.rabbitmq.tasks import add


@pytest.fixture
def old(pool: Pool) -> ModuleType:
    """Give the tasks as the flow knows them; the worker has the next version of their code."""
    return modules.load(pool.directory.parent / modules.OLD, modules.VERSIONED)


def submitted(pool: Pool, *tasks: Any) -> list[PrefectFuture[Any]]:
    """Run tasks in a flow, and return their futures when they have ended."""

    @flow(task_runner=pool.runner())
    def body() -> None:
        kept.extend(task.submit() for task in tasks)
        for future in kept:
            future.wait()

    kept: list[PrefectFuture[Any]] = []
    body()
    return kept


def test_new_code_is_run(pool: Pool, old: ModuleType) -> None:
    """By default a message is run by the code that the worker has, without more ado."""
    (future,) = submitted(pool, old.kept)
    assert old.kept.fn() == modules.OLD
    assert future.result() == modules.NEW
    assert state_names(future.task_run_id, 3) == ["Pending", "Running", "Completed"]


def test_superseded(pool: Pool, old: ModuleType) -> None:
    """A task that asks for it is not run for old code; its task run is published again."""
    new = modules.load(pool.directory, modules.VERSIONED)
    future, same, numbered = submitted(pool, old.anew, new.anew, old.numbered)
    assert [each.result() for each in (future, same, numbered)] == [modules.NEW] * 3
    through = ["Pending", "Superseded", "Pending", "Running", "Completed"]
    assert state_names(future.task_run_id, 5) == through
    # The same code, and a version that its author has not changed, are no new code.
    for each in (same, numbered):
        assert state_names(each.task_run_id, 3) == ["Pending", "Running", "Completed"]


def test_code_versions(pool: Pool, tmp_path: Path) -> None:
    """The version is the task's own, or else changes with its source."""
    new, old, again = (
        modules.load(directory, modules.VERSIONED)
        for directory in (pool.directory, pool.directory.parent / modules.OLD, pool.directory)
    )
    assert code_version(new.kept) == code_version(again.kept) != code_version(old.kept)
    assert code_version(new.numbered) == "7"
    made = add.with_options(name="made")
    made.fn = eval("lambda a: a + 1")
    other = add.with_options(name="other")
    other.fn = eval("lambda a: a + 2")
    assert code_version(made) != code_version(other)
    assert (policy_of(add), policy_of(new.anew)) == ("run", "supersede")
    assert policy_of(on_new_code("run")(made)) == "run"
