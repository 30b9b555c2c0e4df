"""One try of a job's command, from the thread of its task."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, ClassVar, NoReturn

import pytest
from prefect_rabbitmq.execution import TaskCancelled
from prefect_rabbitmq.task_process import _raise_in

from commands import loop
from commands.command import Command, Outcome
from commands.environment import Environment
from tasks.jobs import attempt


class Slow(Command[Any, Any]):
    """Takes a while to end when it is cancelled."""

    name: ClassVar[str] = "slow"
    statuses = ("done", "error", "timeout")
    good = frozenset({"done"})
    begun, over = threading.Event(), threading.Event()

    def prepare(self, payload: Any) -> Any:
        """Take anything."""
        return payload

    async def execute(self, execution: Any) -> Any:  # noqa: ARG002 - a command's signature
        """Wait to be cancelled."""
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.5)
            self.over.set()

    def interpret(self, output: Any) -> Outcome:
        """Never come here: it is cancelled before."""
        raise AssertionError(output)


@pytest.fixture(autouse=True)
def _anew() -> None:
    Slow.begun.clear()
    Slow.over.clear()


def test_a_cancelled_try_is_over_when_its_thread_goes_on() -> None:
    """Its job is given to others then: they must not be at it at the same time."""
    was_over: list[bool] = []

    def run() -> None:
        try:
            attempt.try_once(Slow({}, Environment()), None)
        except TaskCancelled:
            was_over.append(Slow.over.is_set())

    thread = threading.Thread(target=run)
    thread.start()
    Slow.begun.wait()
    assert thread.ident is not None
    _raise_in(thread.ident, TaskCancelled)
    thread.join()
    assert was_over == [True]


def test_a_cancellation_while_the_try_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has begun in the event loop, of which its thread has not heard yet."""

    def cancelled(coroutine: Coroutine[Any, Any, Any]) -> NoReturn:
        monkeypatch.setattr(attempt, "submit", loop.submit)
        loop.submit(coroutine)
        Slow.begun.wait()
        raise TaskCancelled

    monkeypatch.setattr(attempt, "submit", cancelled)
    with pytest.raises(TaskCancelled):
        attempt.try_once(Slow({}, Environment()), None)
    assert Slow.over.is_set()


def test_a_cancellation_before_the_try_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never begins, and nobody waits for its end."""

    def cancelled(coroutine: Coroutine[Any, Any, Any]) -> NoReturn:
        monkeypatch.setattr(attempt, "submit", loop.submit)
        coroutine.close()
        raise TaskCancelled

    def run() -> None:
        with pytest.raises(TaskCancelled):
            attempt.try_once(Slow({}, Environment()), None)
        ended.set()

    ended = threading.Event()
    monkeypatch.setattr(attempt, "submit", cancelled)
    threading.Thread(target=run, daemon=True).start()
    assert ended.wait(30)
