"""What goes wrong with one payload is that payload's own affair."""

import asyncio

import pytest

from commands.command import MAX_ERROR_LENGTH, Outcome
from commands.handling import Handling
from tests.commands.work import PAYLOADS, Work, run

ERRORS = [
    (ValueError("no such thing"), "ValueError: no such thing"),
    (OSError(111, "Connection refused"), "ConnectionRefusedError: [Errno 111] Connection refused"),
    (TimeoutError("the peer is slow"), "TimeoutError: the peer is slow"),
    (asyncio.CancelledError("by a library"), "CancelledError: by a library"),
    (ExceptionGroup("many", [ValueError("one")]), "ExceptionGroup: many (1 sub-exception)"),
    (RuntimeError("x" * 10_000), f"RuntimeError: {'x' * 10_000}"[:MAX_ERROR_LENGTH]),
]


@pytest.mark.parametrize("limit", [10.0, None])
@pytest.mark.parametrize("step", ["prepare", "act", "interpret"])
@pytest.mark.parametrize(("error", "text"), ERRORS, ids=[type(e).__name__ for e, _ in ERRORS])
def test_an_error_is_its_payloads_own(
    error: BaseException, text: str, step: str, limit: float | None
) -> None:
    """What a step raises becomes that payload's status and text; all others are done."""

    class Failing(Work):
        """One payload fails."""

        handling = Handling(timeout_seconds=limit)

        def prepare(self, payload: str) -> str:
            """Fail here, maybe."""
            self.maybe("prepare", payload)
            return payload

        async def act(self, _payload: str) -> None:
            """Fail here, maybe."""
            await asyncio.sleep(0)
            self.maybe("act", _payload)

        def interpret(self, output: str) -> Outcome:
            """Fail here, maybe."""
            self.maybe("interpret", output)
            return Outcome(status="done")

        def maybe(self, where: str, payload: str) -> None:
            """Fail if this is the step and the payload."""
            if where == step and payload == "payload7":
                raise error

    finished = asyncio.run(run(Failing()))
    outcomes = {one.payload: (one.outcome.status, one.outcome.error) for one in finished}
    assert outcomes.pop("payload7") == ("failed", text)
    assert outcomes == dict.fromkeys(set(PAYLOADS) - {"payload7"}, ("done", None))


def test_what_takes_too_long_is_late() -> None:
    """An execution beyond the time limit is stopped and gets the status for that."""

    class Slow(Work):
        """Every hundredth payload never ends, one of them not even when stopped in order."""

        handling = Handling(timeout_seconds=1.5)

        async def act(self, _payload: str) -> None:
            """Wait for ever."""
            if _payload.endswith("00"):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if _payload == "payload300":
                        message = "cannot be stopped"
                        raise OSError(message) from None
                    raise

    command = Slow()
    outcomes = {one.payload: one.outcome for one in asyncio.run(run(command))}
    late = {payload for payload, outcome in outcomes.items() if outcome.status == "late"}
    assert late == {f"payload{n}" for n in (100, 200, 300, 400)}
    assert all("1.5 s" in (outcomes[payload].error or "") for payload in late)
    assert len(outcomes) == len(PAYLOADS)
    assert command.under_way == 0
