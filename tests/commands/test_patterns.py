"""Patterns are searched for beside the process, so that one that never ends harms nobody."""

import asyncio
import os

import pytest

from commands import execution
from commands.environment import Environment
from commands.execution import Finished
from commands.programs.matcher import MAX_MATCHED
from commands.programs.patterns import MatcherLost, Patterns, PatternTooSlow
from commands.programs.process import MachineFull
from commands.registry import make
from tests.commands.programs import (
    batch,
    files_at_most,
    nothing_left,
    run,
    searching,
    shell,
    until,
)

#: It tries each of 2^40 ways to part the letters.
ENDLESS = "(a+)+$"
LETTERS = "a" * 40 + "b"


async def searched(patterns: list[str], *texts: str) -> list[tuple[int, str] | str | None]:
    """Search some texts with one process; an error is its name."""
    made = Patterns(patterns)
    found: list[tuple[int, str] | str | None] = []
    for text in texts:
        try:
            found.append(await made.search(text))
        except (PatternTooSlow, MatcherLost) as error:
            found.append(type(error).__name__)
    await made.close()
    assert nothing_left()
    return found


@pytest.mark.parametrize(
    ("patterns", "text", "found"),
    [
        ([], "text", None),
        (["x"], "text", (0, "x")),
        (["y", "t", "x"], "text", (1, "t")),
        (["y"], "text", None),
        (["^"], "", (0, "")),
        (["y"], "", None),
        (["a.b"], "a\nb", None),
        (["(?s)a.b"], "a\nb", (0, "a\nb")),
        (["ä|\N{GRINNING FACE}"], "\0\udcff\N{GRINNING FACE}\r\n", (0, "\N{GRINNING FACE}")),
        (["x+"], "x" * 1_000_000, (0, "x" * MAX_MATCHED)),
    ],
)
def test_the_first_pattern_that_matches_is_found(
    patterns: list[str], text: str, found: tuple[int, str] | None
) -> None:
    """The number of the first pattern that is anywhere in the text comes with what it matched."""
    assert asyncio.run(searched(patterns, text, text)) == [found, found]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a search less time than usual, so that the tests take less."""
    monkeypatch.setattr("commands.programs.patterns.SEARCH_SECONDS", 0.2)


@pytest.mark.usefixtures("impatient")
def test_an_endless_search_is_ended() -> None:
    """A text that is too much for a pattern is an error; the texts before and after it are not."""
    found = asyncio.run(searched(["c", ENDLESS], "c", LETTERS, "a", LETTERS + "c"))
    assert found == [(0, "c"), "PatternTooSlow", (1, "a"), (0, "c")]


@pytest.mark.usefixtures("impatient")
def test_an_endless_search_harms_only_its_name() -> None:
    """A name whose output is too much for a pattern is an error that says so, others are not."""
    rules = [{"pattern": ENDLESS, "status": "yes"}]
    script = f"case $0 in a.org) echo {LETTERS};; *) echo aaa;; esac"
    finished = asyncio.run(batch(["a.org", "b.org", "c.org"], shell(script, patterns=rules)))
    assert {name: one.outcome.status for name, one in finished.items()} == {
        "a.org": "error",
        "b.org": "yes",
        "c.org": "yes",
    }
    assert (finished["a.org"].outcome.error or "").startswith("PatternTooSlow: the patterns took")
    assert finished["a.org"].tries == 1


def test_others_run_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one batch searches for too long, another one begins and ends."""
    monkeypatch.setattr("commands.programs.patterns.SEARCH_SECONDS", 60.0)

    async def work() -> None:
        rules = [{"pattern": ENDLESS, "status": "yes"}]
        slow = asyncio.create_task(batch(["a.org"], shell(f"echo {LETTERS}", patterns=rules)))
        await until(lambda: bool(searching()))
        fast = await batch(["b.org"], shell("exit 0", exit_codes={"0": "yes"}))
        assert fast["b.org"].outcome.status == "yes"
        assert not slow.done()
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow

    asyncio.run(work())
    assert nothing_left()


def test_a_lost_process_is_replaced() -> None:
    """When the process is killed, the search says so, and the next one has a new process."""

    async def work() -> None:
        made = Patterns(["x"])
        assert await made.search("x")
        for child in searching():
            child.kill()
        with pytest.raises(MatcherLost, match="-9"):
            await made.search("x")
        assert await made.search("x") == (0, "x")
        await made.close()

    asyncio.run(work())


def test_a_lost_process_costs_no_name() -> None:
    """The name whose search finds the process gone is tried again."""

    async def work() -> list[tuple[str, int]]:
        finished: list[Finished] = []
        options = shell("echo x", patterns=[{"pattern": "x", "status": "yes"}])
        async with make("program", options, Environment()) as command:
            await execution.run(command, ["a.org"], finished.append)
            for child in searching():
                child.kill()
            await execution.run(command, ["b.org"], finished.append)
        return [(one.outcome.status, one.tries) for one in finished]

    assert asyncio.run(work()) == [("yes", 1), ("yes", 2)]


def test_a_cancelled_search_gives_no_other_its_answer() -> None:
    """A search that is given up leaves nothing that the next one could take for its own."""

    async def work() -> None:
        made = Patterns(["a", "b"])
        for _ in range(20):
            given_up = asyncio.create_task(made.search("a" * 100_000))
            for _ in range(3):
                await asyncio.sleep(0)
            given_up.cancel()
            assert await made.search("b") == (1, "b")
        await made.close()
        assert nothing_left()

    asyncio.run(work())


def test_the_time_limit_holds_for_the_search() -> None:
    """A search counts towards the time limit of the name, and is ended by it."""
    rules = [{"pattern": ENDLESS, "status": "yes"}]
    options = shell(f"echo {LETTERS}", patterns=rules)
    assert run(options, handling={"timeout_seconds": 0.3}).status == "timeout"
    assert nothing_left()


def test_without_room_for_the_process_a_search_is_tried_again() -> None:
    """Where files run out while the process is started, the search says so; later it is done."""

    async def work() -> None:
        made = Patterns(["x"])
        free = os.dup(0)
        os.close(free)
        with files_at_most(free), pytest.raises(MachineFull):
            await made.search("x")
        assert await made.search("x") == (0, "x")
        await made.close()

    asyncio.run(work())
    assert nothing_left()
