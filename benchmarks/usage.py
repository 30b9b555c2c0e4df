"""How much CPU time and memory the programs of a measurement take, by what they are."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

#: Seconds between two looks; each costs some 3 ms for a process.
LOOK_SECONDS = 2.0
#: What a command line contains -> whose it is. What a process starts is of its group, unless its
#: own command line says otherwise. The first that fits counts.
GROUPS = {
    "prefect_rabbitmq.task_process": "task processes",
    "prefect worker start": "workers",
    "prefect server start": "Prefect server",
    "benchmarks.check_file": "flow",
    "benchmarks.slow_nameserver": "name server",
    "knotd": "name server",
    "postgres": "PostgreSQL",
    "epmd": "RabbitMQ",
    "rabbitmq": "RabbitMQ",
}


@dataclass(slots=True)
class Usage:
    """What the groups have used, while they were watched."""

    #: Group -> seconds, user and system.
    cpu_seconds: Counter[str] = field(default_factory=Counter)
    #: Group -> the most that all its processes held at once, in MiB; what they share counts once.
    peak_mib: dict[str, float] = field(default_factory=dict)


@contextmanager
def watched() -> Iterator[Usage]:
    """Watch our children and theirs; what is given is complete at the end of the block."""
    usage, ended = Usage(), threading.Event()
    watch = _Watch()
    thread = threading.Thread(target=watch.run, args=(ended,))
    thread.start()
    try:
        yield usage
    finally:
        ended.set()
        thread.join()
        usage.cpu_seconds, usage.peak_mib = watch.cpu_seconds(), watch.peak_mib


def resident_mib(group: str) -> float:
    """Return what the processes of a group hold now, in MiB, with all that they share."""
    ours = (process for process, name in _descendants(psutil.Process(), "") if name == group)
    return sum(float(process.memory_info().rss) for process in ours) / 2**20


class _Watch:
    def __init__(self) -> None:
        #: Process -> CPU seconds before we watched, and at the last look.
        self._before: dict[psutil.Process, float] = {}
        self._last: dict[psutil.Process, tuple[str, float]] = {}
        self.peak_mib: dict[str, float] = {}
        self._look()
        self._before = {process: seconds for process, (_, seconds) in self._last.items()}

    def run(self, ended: threading.Event) -> None:
        while not ended.wait(LOOK_SECONDS):
            self._look()
        self._look()

    def cpu_seconds(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for process, (group, seconds) in self._last.items():
            total[group] += seconds - self._before.get(process, 0.0)  # type: ignore[assignment]
        return total

    def _look(self) -> None:
        held: Counter[str] = Counter()
        for process, group in _descendants(psutil.Process(), ""):
            try:
                times = process.cpu_times()
                self._last[process] = group, times.user + times.system
                held[group] += _pss_mib(process)  # type: ignore[assignment]
            except psutil.NoSuchProcess:
                continue
        for group, mib in held.items():
            self.peak_mib[group] = max(mib, self.peak_mib.get(group, 0.0))


def _descendants(parent: psutil.Process, inherited: str) -> Iterator[tuple[psutil.Process, str]]:
    try:
        children = parent.children()
    except psutil.NoSuchProcess:
        return
    for child in children:
        try:
            command = " ".join(child.cmdline())
        except psutil.NoSuchProcess:
            continue
        group = next((name for part, name in GROUPS.items() if part in command), inherited)
        if group:
            yield child, group
        yield from _descendants(child, group)


def _pss_mib(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 2**20
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
