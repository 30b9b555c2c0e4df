import os
import random
import signal
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from tasks.load.deduplicate import Deduplicator
from tasks.load.errors import TemporaryDirectoryFull
from tasks.load.second_process import RemotePartitions, SecondProcessDied
from tests.tasks.load.test_partitions import expected


def children() -> list[psutil.Process]:
    """Return the running processes that this one started."""
    found = []
    for child in psutil.Process().children():
        # Another test's may have ended, and wait to be asked how.
        with suppress(psutil.NoSuchProcess):
            found += [child] if "second_process" in str(child.cmdline()) else []
    return found


@pytest.mark.parametrize("many_names", [0, 1, 4000, 1_000_000])
@pytest.mark.parametrize("lines_are", ["a range", "an iterator"])
def test_same_as_a_dictionary(many_names: int, lines_are: str, tmp_path: Path) -> None:
    """Whenever the second process takes over, each name comes once, with its first line."""
    rng = random.Random(many_names)
    names = [b"n%d.example.com" % rng.randrange(3000) for _ in range(8000)]
    with closing(Deduplicator(tmp_path, many_names=many_names)) as deduplicator:
        for start in range(0, len(names), 97):
            part = names[start : start + 97]
            numbers = range(start + 1, start + 1 + len(part))
            deduplicator.add(part, numbers if lines_are == "a range" else iter(numbers))
        rows = [row for rows in deduplicator.rows() for row in rows]
    assert rows == expected(names)
    assert not children()
    assert not list(tmp_path.iterdir())


def test_second_process_is_killed() -> None:
    """A second process that somebody kills is an error, not a list with holes or a wait."""
    with closing(RemotePartitions()) as partitions:
        partitions.add([b"a.com"], [1])
        [child] = children()
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(SecondProcessDied, match="-9"):
            list(partitions.rows())


def test_full_disk_of_the_second_process(tmp_path: Path) -> None:
    """What the second process cannot write is the same error as of the first."""
    names = [b"n%d.example.com" % number for number in range(600_000)]
    with closing(RemotePartitions(tmp_path / "missing")) as partitions:
        partitions.add(names, range(len(names)))
        with pytest.raises(TemporaryDirectoryFull, match="missing"):
            list(partitions.rows())


def test_given_up_half_way(tmp_path: Path) -> None:
    """A load that is given up leaves no process behind."""
    with closing(Deduplicator(tmp_path, many_names=0)) as deduplicator:
        deduplicator.add([b"n%d.com" % number for number in range(200_000)], range(200_000))
        next(deduplicator.rows())
        assert len(children()) == 1
    assert not children()
