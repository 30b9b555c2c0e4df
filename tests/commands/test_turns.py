"""Turns come at the pace that was asked for, in the order of asking, and to nobody held off."""

import asyncio
import time

from commands import turns
from commands.turns import LOCAL_TURNS, LocalTurns
from tests.commands.programs import until


def test_turns_come_at_their_pace() -> None:
    """However many ask at once, no more go than the pace allows; each key has its own."""

    async def work() -> tuple[int, float]:
        ours, gone = LocalTurns(), 0

        async def go(key: str) -> None:
            nonlocal gone
            await ours.wait(key, 50)
            gone += key == "a"

        began = time.monotonic()
        waiting = [asyncio.create_task(go(key)) for key in "aab" * 200]
        await until(lambda: gone >= 20)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return gone, time.monotonic() - began

    gone, seconds = asyncio.run(work())
    assert 1 < gone <= 1 + 50 * seconds


def test_the_first_to_ask_is_the_first_to_go() -> None:
    """Nobody overtakes, also where somebody gives up waiting."""

    async def work() -> list[int]:
        ours, order = LocalTurns(), list[int]()

        async def go(number: int) -> None:
            await ours.wait("a", 200)
            order.append(number)

        tasks = [asyncio.create_task(go(number)) for number in range(20)]
        await asyncio.sleep(0)
        tasks[7].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    assert asyncio.run(work()) == [number for number in range(20) if number != 7]


def test_nobody_goes_while_held_off() -> None:
    """Who waits already waits longer, and a shorter pause does not end a longer one."""

    async def work() -> float:
        ours = LocalTurns()
        # The turn after this one is far enough away to hold it off in time.
        await ours.wait("a", 1)
        began = time.monotonic()
        waiting = asyncio.create_task(ours.wait("a", 1))
        await asyncio.sleep(0)
        await ours.hold_off("a", 1.5)
        await ours.hold_off("a", 0.1)
        await waiting
        return time.monotonic() - began

    assert asyncio.run(work()) >= 1.5


def test_what_was_held_off_goes_on() -> None:
    """A pause ends."""

    async def work() -> None:
        ours = LocalTurns()
        await ours.hold_off("a", 0.05)
        async with asyncio.timeout(30):
            await ours.wait("a", 100)

    asyncio.run(work())


def test_old_keys_are_forgotten() -> None:
    """Memory does not grow with the keys that were ever used."""

    async def work() -> int:
        ours = LocalTurns()
        for number in range(3 * turns.MOST_REMEMBERED):
            await ours.wait(f"key{number}", 1e9)
        return len(ours._next)

    assert asyncio.run(work()) <= turns.MOST_REMEMBERED + 1


def test_the_processes_turns_outlive_a_loop() -> None:
    """Another event loop of the same process keeps the same pace."""
    began = time.monotonic()
    for _ in range(4):
        asyncio.run(LOCAL_TURNS.wait("test_turns", 20))
    assert time.monotonic() - began >= 3 / 20
