"""One run: jobs are emitted and done while RabbitMQ is restarted, and what has become of them."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.jobs.emitting import EMITTED
from tests.chaos.jobs.stage import Stage, emitting
from tests.chaos.jobs.verdict import Findings, found, what_is_wrong
from tests.services.processes import Server

__all__ = ["Report", "endure"]

#: Seconds without another job emitted or done after which a run is given up.
STUCK_SECONDS = 120.0
LOOK_SECONDS = 0.2
#: RabbitMQ is restarted while this share of the jobs has been emitted.
FIRST, LAST = 0.2, 0.8


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of a run."""

    seed: int
    #: What was done: after so many seconds, for so many seconds, what, with so many jobs emitted
    #: and so many done.
    blows: list[tuple[float, float, str, int, int]] = field(default_factory=list)
    #: From the start of the emitters to the end of the last job.
    seconds: float = 0.0
    findings: Findings = field(default_factory=Findings)
    wrong: list[str] = field(default_factory=list)


def endure(stage: Stage, seed: int) -> Report:
    """
    Emit all jobs, restart RabbitMQ meanwhile, and look at what is left.

    Args:
        stage: Everything that runs; nothing is emitted yet.
        seed: Decides when.
    """
    report = Report(seed=seed)
    began = time.monotonic()
    with emitting(stage) as emitters:
        _see_through(stage, emitters, began, report)
        for emitter in emitters:
            if emitter.process.poll() != 0:
                report.wrong.append(f"an emitter failed: {emitter.tail()}")
    report.seconds = time.monotonic() - began
    if not report.wrong:
        report.wrong += what_is_wrong(stage)
    report.findings = found(stage)
    return report


def _see_through(stage: Stage, emitters: Sequence[Server], began: float, report: Report) -> None:
    """Strike when it is time, until all is emitted and done."""
    blows = _plan(random.Random(f"{report.seed} restarts"), stage.sizes.restarts)
    last, since = (0, 0), time.monotonic()
    while any(emitter.process.poll() is None for emitter in emitters) or not _is_done(stage):
        now = _progress(stage)
        if blows and now[0] >= blows[0][0] * stage.sizes.jobs and now[1]:
            _, what = blows.pop(0)
            at = time.monotonic()
            _strike(stage, what)
            report.blows.append((at - began, time.monotonic() - at, what, *now))
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() - since > STUCK_SECONDS:
            report.wrong.append(f"stuck with {now[0]:,} jobs emitted and {now[1]:,} done")
            return
        time.sleep(LOOK_SECONDS)
    report.wrong += [f"too late: RabbitMQ {what}" for _, what in blows]


def _plan(rng: random.Random, count: int) -> list[tuple[float, str]]:
    """Return when RabbitMQ is restarted, and how: killed, and stopped in order, by turns."""
    width = (LAST - FIRST) / max(count, 1)
    shares = [FIRST + width * (number + rng.random()) for number in range(count)]
    ways = ("killed and started", "stopped and started")
    return [(share, ways[number % 2]) for number, share in enumerate(shares)]


def _strike(stage: Stage, what: str) -> None:
    if what.startswith("killed"):
        stage.broker.kill()
    else:
        stage.broker.stop()
    stage.broker.start()


def _progress(stage: Stage) -> tuple[int, int]:
    """Return how many jobs are emitted, and how often one has ended."""
    directory = stage.yard.directory
    noted = directory / EMITTED
    marks = directory / "marks"
    emitted = noted.read_bytes().count(b"\n") if noted.exists() else 0
    return emitted, marks.read_bytes().count(b"end ") if marks.exists() else 0


def _is_done(stage: Stage) -> bool:
    return _progress(stage)[1] >= stage.sizes.jobs
