"""How results come from the event loop, where commands run, to the thread that writes them."""

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import Any, Self

import pytest

from commands.command import Command, Outcome
from commands.environment import Environment
from commands.errors import NoNameServerAnswers
from tasks.chunks import CHUNK_SIZE, Chunks, cancel_batches

NAMES = tuple(f"n{number}.org" for number in range(2_500))
PATIENCE = 30.0


class Echo(Command[str, str]):
    """Says yes to every name; some take longer than others."""

    name = "echo"
    statuses = ("yes", "error")
    good = frozenset({"yes"})

    def __init__(self, *, opening: Exception | None = None, blocks: bool = False) -> None:
        super().__init__({}, Environment(nameservers=()))
        self._opening = opening
        self._blocks = blocks
        self.closed = threading.Event()
        self.executed = 0

    async def __aenter__(self) -> Self:
        if self._opening:
            raise self._opening
        return self

    async def __aexit__(self, *error: object) -> None:
        self.closed.set()

    def prepare(self, payload: str) -> str:
        """Return the name."""
        return payload

    async def execute(self, execution: str) -> str:
        """Take a moment, or for ever."""
        self.executed += 1
        await asyncio.sleep(0.01 if self.executed % 7 else 0)
        if self._blocks and self.executed > CHUNK_SIZE + self.in_flight:
            await asyncio.Event().wait()
        return execution

    def interpret(self, output: str) -> Outcome:
        """Say yes."""
        return Outcome(status="yes", answer={"name": output})

    def counters(self) -> dict[str, int]:
        """Say how often it was asked."""
        return {"asked": self.executed}


def test_every_result_comes_once_in_chunks() -> None:
    """However they end, all results come, each once, in chunks of a bounded size."""
    chunks = Chunks(Echo(), NAMES)
    found = list(chunks)
    payloads = [finished.payload for chunk in found for finished in chunk]
    assert sorted(payloads) == sorted(NAMES)
    assert all(
        finished.outcome.answer == {"name": finished.payload}
        for chunk in found
        for finished in chunk
    )
    assert all(len(chunk) <= CHUNK_SIZE for chunk in found)
    assert len(found) >= 3
    assert chunks.counters == {"asked": len(NAMES)}


def test_results_come_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk is handed on while the rest is still being worked on."""
    # Else it is handed on unfilled where the machine is slow.
    monkeypatch.setattr("tasks.chunks.CHUNK_SECONDS", 60.0)
    command = Echo(blocks=True)
    results = iter(Chunks(command, NAMES))
    first = next(results)
    assert len(first) == CHUNK_SIZE
    assert not any(name == NAMES[-1] for name in (finished.payload for finished in first))


def test_no_names_are_no_results() -> None:
    """A batch whose domains all have their results opens and closes its command, and ends."""
    command = Echo()
    assert sum(map(len, Chunks(command, ()))) == 0
    assert command.closed.is_set()


def test_what_keeps_a_command_from_running_reaches_the_caller() -> None:
    """An error on opening is raised to whoever asks for the results."""
    with pytest.raises(NoNameServerAnswers, match="none of them"):
        list(Chunks(Echo(opening=NoNameServerAnswers("none of them")), NAMES))


def test_the_batches_of_a_run_can_be_stopped() -> None:
    """What is under way for a run ends at once; another run's batches go on."""
    stopped, other = Echo(blocks=True), Echo()
    chunks, others = Chunks(stopped, NAMES, run=1), Chunks(other, NAMES, run=2)
    # Kept: an iterator that is dropped cancels as well.
    results = iter(chunks)
    next(results)
    cancel_batches(1)
    with pytest.raises(CancelledError):
        list(results)
    assert stopped.closed.wait(PATIENCE)
    assert stopped.executed < len(NAMES)
    assert sum(map(len, others)) == len(NAMES)


@pytest.mark.parametrize("how", ["closed", "raised"])
def test_leaving_early_ends_the_work(how: str) -> None:
    """Who stops reading, or fails with a chunk in hand, cancels what is under way."""
    command = Echo(blocks=True)
    results: Any = iter(Chunks(command, NAMES))
    next(results)
    assert not command.closed.is_set()
    if how == "closed":
        results.close()
    else:
        with pytest.raises(OSError, match="disk"):
            results.throw(OSError("disk"))
    assert command.closed.wait(PATIENCE)
    assert command.executed < len(NAMES)
