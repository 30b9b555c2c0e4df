"""What is done about an exception: the domain is tried again, marked, or the run is stopped."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from commands.command import Outcome
from commands.errors import RunStopped
from commands.execution import Finished
from commands.handling import Handling, Reaction
from tests.commands.work import Work, run

FAST = Handling(backoff_seconds=0.001, retries=2)


class Failing(Work):
    """Raises for `bad`: the given exception, so many times; all others are done."""

    def __init__(self, error: Exception, times: int = 100) -> None:
        super().__init__()
        self.error, self.times = error, times
        self.handling = FAST

    async def act(self, _payload: str) -> None:
        """Fail, maybe."""
        if _payload == "bad" and self.seen["bad"] <= self.times:
            raise self.error


def ended(command: Failing) -> dict[str, tuple[str, int]]:
    """Run it over three payloads: payload -> status and tries."""
    finished: list[Finished] = asyncio.run(run(command, ["a", "bad", "b"]))
    return {one.payload: (one.outcome.status, one.tries) for one in finished}


@pytest.mark.parametrize(
    ("reactions", "times", "expected"),
    [
        ({}, 100, ("failed", 1)),
        ({"ConnectionResetError": "retry"}, 1, ("done", 2)),
        ({"ConnectionResetError": "retry"}, 2, ("done", 3)),
        ({"ConnectionResetError": "retry"}, 3, ("failed", 3)),
        # By a base; the nearest one decides.
        ({"OSError": "retry"}, 1, ("done", 2)),
        ({"OSError": "retry", "ConnectionError": "mark"}, 1, ("failed", 1)),
        ({"ConnectionError": "retry", "OSError": "stop"}, 1, ("done", 2)),
        ({"ValueError": "retry"}, 1, ("failed", 1)),
    ],
)
def test_reactions(
    reactions: Mapping[str, Reaction], times: int, expected: tuple[str, int]
) -> None:
    """What a class or its nearest named base says is done; the neighbours are not touched."""
    command = Failing(ConnectionResetError("reset"), times)
    command.handle({"reactions": reactions})
    assert ended(command) == {"a": ("done", 1), "bad": expected, "b": ("done", 1)}


def test_stop() -> None:
    """A command that gives up ends the batch with its reason, and begins nothing more."""
    command = Failing(PermissionError("the key is revoked"))
    command.in_flight = 1  # type: ignore[misc]
    command.handle({"reactions": {"PermissionError": "stop"}})
    with pytest.raises(RunStopped) as error:
        ended(command)
    assert str(error.value) == "work stopped at bad: PermissionError: the key is revoked"
    assert isinstance(error.value.__cause__, PermissionError)
    assert command.seen == {"a": 1, "bad": 1}


def test_a_time_limit_can_be_retried() -> None:
    """What took too long is tried again where that is named, and is late in the end."""

    class Slow(Failing):
        """Takes for ever."""

        async def act(self, _payload: str) -> None:
            """Wait."""
            if _payload == "bad":
                await asyncio.Event().wait()

    command = Slow(ValueError())
    command.handle({"timeout_seconds": 0.05, "reactions": {"Expired": "retry"}})
    assert ended(command)["bad"] == ("late", 3)


def test_a_command_may_say_what_an_exception_means() -> None:
    """`mark` gives the status; one that the command does not list is a defect that is seen."""

    class Marking(Failing):
        """Knows better."""

        def mark(self, error: BaseException) -> Outcome:
            """Say late."""
            return Outcome(status="late", error=str(error))

    assert ended(Marking(OSError("away")))["bad"] == ("late", 1)


@pytest.mark.parametrize(("tries", "least"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0)])
def test_pauses_grow_and_differ(tries: int, least: float) -> None:
    """Each pause is twice the one before, and up to half longer, so that not all come at once."""
    pauses = {Handling().pause(tries) for _ in range(100)}
    assert least <= min(pauses) < max(pauses) <= 1.5 * least
    assert len(pauses) > 50


def test_a_node_replaces_parts() -> None:
    """Named parts are replaced, reactions are added to; the rest stays."""
    before = Handling(retries=1, reactions={"OSError": "retry", "ValueError": "mark"})
    after = before.overridden({"timeout_seconds": 5, "reactions": {"OSError": "stop"}})
    assert after == Handling(
        retries=1, timeout_seconds=5, reactions={"OSError": "stop", "ValueError": "mark"}
    )


@pytest.mark.parametrize(
    "parts",
    [
        {"retries": -1},
        {"timeout_seconds": 0},
        {"backoff_seconds": -1},
        {"reactions": {"OSError": "laugh"}},
        {"reactions": 5},
        {"colour": 1},
    ],
)
def test_a_wrong_part_is_named(parts: dict[str, Any]) -> None:
    """A part that is unknown or out of bounds is an error that names it."""
    with pytest.raises(ValidationError, match=next(iter(parts))):
        Handling().overridden(parts)
