"""Processes in the background: found again, ended with all that they started, and nobody else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.processes import Part, Process, end, parts

#: Starts a grandchild in a session of its own, and waits; neither listens to SIGTERM when told so.
FAMILY = """\
import signal, subprocess, sys, time
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 2:
    subprocess.Popen([sys.executable, __file__, sys.argv[1], "grandchild"], start_new_session=True)
print("ready", flush=True)
time.sleep(600)
"""
PATIENCE = 60.0


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Part]:
    """Give a part that is not started, and end it."""
    monkeypatch.setattr("deployments.processes.LAST_SECONDS", 0.5)
    (tmp_path / "family.py").write_text(FAMILY)
    part = Part(tmp_path, "worker_1")
    yield part
    end([part], 0)


def start(part: Part, manner: str) -> list[Process]:
    """Start the family, and return it when both are there."""
    part.start([sys.executable, str(part.folder / "family.py"), manner], os.environ)
    deadline = time.monotonic() + PATIENCE
    while part.log.read_text().count("ready") < 2:
        assert time.monotonic() < deadline, part.log.read_text()
        time.sleep(0.02)
    return part.processes()


def test_a_part_is_found_again(part: Part) -> None:
    """Another process that looks into the folder finds what runs there, and its log."""
    family = start(part, "polite")
    (found,) = parts(part.folder)
    assert found == part
    assert found.leader in family
    assert len(family) == 2


@pytest.mark.parametrize("manner", ["polite", "deaf"])
def test_the_whole_family_ends(part: Part, manner: str) -> None:
    """What a part has started ends with it, in whatever session, and if it does not listen."""
    family = start(part, manner)
    end([part], 0.5)
    assert not any(process.is_running for process in family)
    assert parts(part.folder) == []
    assert part.log.read_text()


def test_orphans_belong_to_the_part(part: Part) -> None:
    """When the leader was killed, what it had started is still ended."""
    (leader,) = [process for process in start(part, "polite") if process == part.leader]
    leader.send(signal.SIGKILL)
    while part.leader is not None:
        time.sleep(0.01)
    (orphan,) = [process for process in part.processes() if process != leader]
    assert part.leader is None
    end([part], 0.5)
    assert not orphan.is_running


def test_a_process_id_may_be_anothers(part: Part) -> None:
    """A PID file of before a reboot is nobody's: who has that process id now is left alone."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        (part.folder / "worker_1.pid").write_text(f"{stranger.pid} 1\n")
        assert part.leader is None
        end(parts(part.folder), 0)
        Process(stranger.pid, 1).send(signal.SIGKILL)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("text", ["", "no number", "99999999 1"])
def test_a_file_that_says_nothing_is_no_process(part: Part, text: str) -> None:
    """A PID file that was cut short, or is of a process that has ended, is no hindrance."""
    (part.folder / "worker_1.pid").write_text(text)
    assert part.leader is None
    end(parts(part.folder), 0)
    assert parts(part.folder) == []
