"""A command runs over many payloads: each once, so many at a time, none at the cost of others."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from commands import execution
from commands.command import Outcome
from commands.execution import Finished
from commands.handling import Handling
from tests.commands.work import PAYLOADS, Work, run


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 500])
@pytest.mark.parametrize("in_flight", [1, 10, 1000])
def test_each_payload_is_run_once_and_so_many_at_a_time(count: int, in_flight: int) -> None:
    """Every payload ends once with its own outcome, and never more than `in_flight` run at once."""

    class Bounded(Work):
        """With another bound."""

    Bounded.in_flight = in_flight
    command = Bounded()
    finished = asyncio.run(run(command, PAYLOADS[:count]))
    assert command.seen == Counter(PAYLOADS[:count])
    assert {f.payload: f.outcome.answer for f in finished} == {
        payload: {"said": payload} for payload in PAYLOADS[:count]
    }
    assert len(finished) == count
    assert command.most == min(in_flight, count)
    assert command.under_way == 0


def test_payloads_are_taken_as_they_are_needed() -> None:
    """A source without an end is read no further than work is begun."""
    taken = 0

    async def work() -> None:
        nonlocal taken

        def source() -> Any:
            nonlocal taken
            while True:
                taken += 1
                yield str(taken)

        def enough(_: Finished) -> None:
            if taken >= 100:
                raise KeyboardInterrupt

        await execution.run(Work(), source(), enough)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(work())
    assert 100 <= taken <= 100 + Work.in_flight


def test_cancelling_stops_everything() -> None:
    """A cancelled run begins nothing more, ends what is under way, and reports none of it."""
    finished: list[Finished] = []

    class Endless(Work):
        """After twenty payloads none ends."""

        handling = Handling(timeout_seconds=None)

        def __init__(self) -> None:
            """Know when as many are under way as may be."""
            super().__init__()
            self.full = asyncio.Event()

        async def act(self, _payload: str) -> None:
            """Wait for ever, later on."""
            if self.seen.total() == 20 + self.in_flight:
                self.full.set()
            if self.seen.total() > 20:
                await asyncio.Event().wait()

    async def work() -> Endless:
        command = Endless()
        running = asyncio.create_task(execution.run(command, PAYLOADS, finished.append))
        await command.full.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return command

    command = asyncio.run(work())
    assert command.under_way == 0
    assert command.seen.total() == 20 + command.in_flight
    assert {one.outcome.status for one in finished} == {"done"}
    assert len(finished) == 20


def test_latency_is_the_commands_own_where_it_knows() -> None:
    """A latency that the command measured is kept; else it is that of the whole execution."""

    class Measured(Work):
        """Know the latency of one payload."""

        def interpret(self, output: str) -> Outcome:
            """Tell it."""
            known = {"payload7": 1234.5}
            return Outcome(status="done", latency_ms=known.get(output))

    began = time.perf_counter()
    latencies = {one.payload: one.latency_ms for one in asyncio.run(run(Measured()))}
    elapsed = (time.perf_counter() - began) * 1000
    assert latencies.pop("payload7") == 1234.5
    assert all(0 < latency < elapsed for latency in latencies.values())
