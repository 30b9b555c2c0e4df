"""A program that hangs, prints for ever or leaves others behind is ended with all its group."""

import asyncio
import gc
import os
from pathlib import Path

import psutil
import pytest

from commands.programs import process
from commands.programs.process import MachineFull
from tests.commands.programs import (
    MARK,
    batch,
    files_at_most,
    left,
    nothing_left,
    run,
    shell,
    until,
)
from tests.services.processes import end_all

NAMES = [f"name{n}.org" for n in range(8)]
#: Far longer than any test takes; where it must not be waited for.
HOURS = f"sleep {MARK}"
#: Scripts that do not end by themselves, in one way or another.
HANGING = {
    "it sleeps": f"exec {HOURS}",
    "it ignores being asked to end": f"trap '' TERM INT HUP; while :; do {HOURS}; done",
    "its child sleeps": f"{HOURS} & wait",
    "its grandchild sleeps": f"sh -c '{HOURS} & wait' & wait",
    "it has closed its output": f"exec >&- 2>&-; {HOURS}",
    "it has printed": f"echo something; {HOURS}",
}


@pytest.mark.parametrize("how", HANGING)
def test_the_time_limit_ends_all_of_it(how: str) -> None:
    """Whatever hangs is killed with its group, and its name has timed out."""
    handling = {"timeout_seconds": 0.3}
    finished = asyncio.run(batch(NAMES, shell(HANGING[how], default="yes"), handling))
    assert {one.outcome.status for one in finished.values()} == {"timeout"}
    assert nothing_left()


@pytest.mark.parametrize("how", HANGING)
def test_a_stopped_batch_ends_all_of_it(how: str, tmp_path: Path) -> None:
    """When a batch is cancelled, nothing of its programs runs any more when it has ended."""

    async def work() -> None:
        script = f"echo $0 >> {tmp_path}/begun; {HANGING[how]}"
        running = asyncio.create_task(batch(NAMES, shell(script)))
        await until(lambda: _has_lines(tmp_path / "begun", len(NAMES)))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert nothing_left()

    asyncio.run(work())


def _has_lines(path: Path, count: int) -> bool:
    return path.exists() and len(path.read_text().splitlines()) == count


def test_what_it_leaves_behind_is_ended() -> None:
    """A program that ends has ended: the child that it leaves is killed, and holds nothing up."""
    outcome = run(shell(f"{HOURS} & echo done; exit 3", exit_codes={"3": "yes"}))
    assert outcome.status == "yes"
    assert (outcome.answer or {})["output"] == "done\n"
    assert nothing_left()


def test_what_left_the_group_holds_nothing_up(tmp_path: Path) -> None:
    """A daemon with a session of its own may live on with the pipe; the name has its status."""
    there = tmp_path / "there"
    daemon = f"setsid sh -c 'touch {there}; exec {HOURS}'"
    # Only when it is there it has left the group.
    script = f"{daemon} & until test -e {there}; do sleep 0.01; done; echo done"
    try:
        outcome = run(shell(script, exit_codes={"0": "yes"}))
        assert outcome.status == "yes"
        assert (outcome.answer or {})["output"] == "done\n"
        assert left()
    finally:
        end_all(left())


def test_closing_the_output_is_not_the_end() -> None:
    """A program that has closed its output and works on is waited for."""
    outcome = run(shell("exec >&- 2>&-; sleep 0.2; exit 3", exit_codes={"3": "yes"}))
    assert outcome.status == "yes"


@pytest.mark.parametrize("limit", [1, 10, 65_536, 1 << 20])
@pytest.mark.parametrize("excess", [-1, 0, 1, 100_000])
def test_output_beyond_the_limit_is_cut(limit: int, excess: int) -> None:
    """Up to the limit all is kept and the program ends by itself; beyond it, it does not."""

    async def work() -> process.Ended:
        script = f"head -c {limit + excess} /dev/zero; exit 3"
        return await process.run(["/bin/sh", "-c", script, MARK], max_output_bytes=limit)

    ended = asyncio.run(work())
    assert len(ended.output) == min(limit, limit + excess)
    assert ended.truncated == (excess > 0)
    assert ended.exit_code == (None if excess > 0 else 3)


def test_endless_output_fills_nothing() -> None:
    """Programs that print without end are killed, what was read counts, and memory stays."""
    options = shell(
        f"echo begin; exec yes {MARK}", patterns=[{"pattern": "^begin", "status": "yes"}]
    )
    before = psutil.Process().memory_info().rss
    finished = asyncio.run(batch(NAMES, options))
    assert {one.outcome.status for one in finished.values()} == {"yes"}
    for one in finished.values():
        answer = one.outcome.answer or {}
        assert answer["truncated"] is True
        assert answer["exit_code"] is None
    assert psutil.Process().memory_info().rss - before < 50 << 20
    assert nothing_left()


def test_too_much_output_without_a_pattern_is_the_default() -> None:
    """The exit code of a program that was killed says nothing: the default holds, and why."""
    outcome = run({"argv": ["yes", "{name}"], "exit_codes": {"-9": "yes", "-13": "yes"}})
    assert outcome.status == "unknown"
    assert outcome.error == "it printed too much"


def test_it_gets_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program has an empty input, the root directory, and three variables; no open file."""
    monkeypatch.setenv("ROLLCALL_SECRET", "secret")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    output = (run({"argv": ["env", "-u", "{name}"]}).answer or {})["output"]
    assert output.splitlines() == [
        f"PATH={os.environ['PATH']}",
        f"HOME={os.environ['HOME']}",
        "LANG=C.UTF-8",
    ]
    script = "pwd; cat; ls /proc/self/fd | wc -l; ps -o pid=,pgid=,sid= -p $$ | tr -s ' ' '\\n'"
    lines = (run(shell(script)).answer or {})["output"].split()
    # `ls` has the three, and the directory that it lists.
    assert lines[:2] == ["/", "4"]
    assert len(set(lines[2:])) == 1


def test_a_full_machine_is_tried_again() -> None:
    """Wherever files run out while a program is started, nothing is left, and later it runs."""

    async def work() -> list[str]:
        said: list[str] = []
        free = os.dup(0)
        os.close(free)
        # Numbers beyond the first free one may be taken.
        while said[-1:] != ["0"] and len(said) < 1000:
            with files_at_most(free + len(said)):
                try:
                    ended = await process.run(["/bin/echo", MARK], max_output_bytes=100)
                    said.append(str(ended.exit_code))
                except MachineFull as error:
                    said.append(type(error).__name__)
            assert nothing_left()
        return said

    # What earlier tests have left would be closed meanwhile.
    gc.collect()
    before = psutil.Process().num_fds()
    said = asyncio.run(work())
    assert said == ["MachineFull"] * (len(said) - 1) + ["0"]
    # A pipe, the empty input and what watches the process.
    assert len(said) > 3
    gc.collect()
    assert psutil.Process().num_fds() <= before


def test_a_retry_finds_room() -> None:
    """A name for which there was no room gets its status from a later try."""

    async def work() -> tuple[str, int]:
        free = os.dup(0)
        os.close(free)
        with files_at_most(free):
            running = asyncio.create_task(batch(["a.org"], shell(":", exit_codes={"0": "yes"})))
            # Until its first try has failed, and it waits for the second.
            for _ in range(10):
                await asyncio.sleep(0)
        one = (await running)["a.org"]
        return one.outcome.status, one.tries

    assert asyncio.run(work()) == ("yes", 2)
