"""A name server is asked no more at once, and no faster, than the settings allow."""

import asyncio
import time
from collections.abc import Callable

import dns.message
import pytest

from commands.environment import Environment
from demo.behaviours import ADDRESS, answers, slow
from demo.nameserver import NameServer
from demo.script import Script
from tests.commands.checking import run_batch
from tests.commands.programs import until

EVERYTHING = answers(A=ADDRESS)


class CountingServer(NameServer):
    """A name server that knows how many questions wait for its answer."""

    waiting = 0
    most = 0

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self._counted: set[str] = set()

    def handle(self, wire: bytes, protocol: str, send: Callable[[bytes], None]) -> None:
        """Count a question until it is answered; c-ares may ask it again, which is the same one."""

        def answered(answer: bytes) -> None:
            self.waiting -= 1
            send(answer)

        question = str(dns.message.from_wire(wire).question)
        if question in self._counted:
            super().handle(wire, protocol, send)
            return
        self._counted.add(question)
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        super().handle(wire, protocol, answered)


async def most_at_once(*, batches: int, bound: int) -> list[int]:
    """Run batches at the same time against two slow servers, and tell the most that waited."""
    script = Script({"*": slow(EVERYTHING, milliseconds=200)})
    async with CountingServer(script) as one, CountingServer(script) as two:
        environment = Environment(nameservers=(one.address, two.address), dns_in_flight=bound)
        async with asyncio.TaskGroup() as group:
            for batch in range(batches):
                names = [f"name{n}.batch{batch}.org" for n in range(12 * bound // batches)]
                group.create_task(run_batch(names, environment))
        return [one.most, two.most]


@pytest.mark.parametrize(("batches", "bound"), [(1, 1), (1, 7), (2, 7), (6, 7), (3, 20)])
def test_questions_under_way_are_bounded(batches: int, bound: int) -> None:
    """All batches of a process together have as many questions under way as one server may get."""
    assert asyncio.run(most_at_once(batches=batches, bound=bound)) == [bound, bound]


async def asked_until_stopped(environment: Environment, server: NameServer) -> tuple[int, float]:
    """Run two batches at once, stop them, and tell the questions and the seconds since."""
    began = time.monotonic()
    batches = [
        asyncio.create_task(run_batch([f"n{n}.b{b}.org" for n in range(2_000)], environment))
        for b in range(2)
    ]
    await until(lambda: server.queries.total() >= 20)
    assert not any(batch.done() for batch in batches)
    for batch in batches:
        batch.cancel()
    await asyncio.gather(*batches, return_exceptions=True)
    # What was sent before lies in the server's socket; each turn of the loop reads one packet.
    for _ in range(300):
        await asyncio.sleep(0)
    asked = server.queries.total()
    # What was stopped stays so.
    await asyncio.sleep(0.2)
    assert server.queries.total() == asked
    return asked, time.monotonic() - began


def test_questions_a_second_are_bounded() -> None:
    """Two batches together ask no faster than the limit, and a stopped batch asks no more."""

    async def work() -> tuple[int, float]:
        async with NameServer(Script({"*": EVERYTHING})) as server:
            environment = Environment(nameservers=(server.address,), dns_queries_per_second=50)
            return await asked_until_stopped(environment, server)

    asked, seconds = asyncio.run(work())
    # The opening question, the first of the series, and then one each fiftieth of a second.
    assert 2 < asked <= 2 + 50 * seconds


def test_a_limit_delays_no_name_for_ever() -> None:
    """Every name of a batch with a limit gets its answer."""

    async def work() -> dict[str, str]:
        async with NameServer(Script({"*": EVERYTHING})) as server:
            environment = Environment(nameservers=(server.address,), dns_queries_per_second=400)
            return (await run_batch(names, environment)).statuses

    names = [f"name{n}.org" for n in range(200)]
    assert asyncio.run(work()) == dict.fromkeys(names, "resolves")
