"""One run of `check-domains`, and what it is put through."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from tests.chaos.control import FINAL
from tests.chaos.faults import RETRIED, Blow, Scene, Sizes, plan
from tests.chaos.stage import Stage, write_list
from tests.chaos.verdict import what_is_wrong
from tests.chaos.workers import processes_with
from tests.services.processes import end_all

__all__ = ["Report", "endure"]

#: Seconds without any look-up, or another state, after which a run is given up.
STUCK_SECONDS = 300.0
#: Seconds after which a run is believed to be dead: Prefect's worker tells of a dead process twice,
#: the second time some seconds later, when the run may already be retried.
DEAD_SECONDS = 30.0
LOOK_SECONDS = 0.1


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of a run."""

    fault: str
    seed: int
    domains: int
    #: What was done to it: after so many seconds, for so many seconds, what.
    blows: list[tuple[float, float, str]] = field(default_factory=list)
    #: From the request for the run to its end, in seconds.
    seconds: float = 0.0
    #: Domains that were looked up more than once.
    twice: int = 0
    #: Type of the state -> how many task runs.
    task_runs: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def endure(stage: Stage, fault: str, seed: int, domains: int, sizes: Sizes) -> Report:
    """
    Check a list while things break, and look at what is left.

    Args:
        stage: Everything that runs; all of it is whole.
        fault: See `plan`.
        seed: Decides who is hit, and when.
        domains: How many names there are in the list.
        sizes: How bad it gets.
    """
    report = Report(fault=fault, seed=seed, domains=domains)
    blows = plan(fault, random.Random(f"{seed} {fault}"), sizes, stage.workers.names)
    checked = write_list(stage.directory, f"{fault}-{seed}", domains)
    stage.nameserver.forget()
    began = time.monotonic()
    out = checked.file.with_suffix(".csv")
    flow_run = stage.prefect.run({"file": str(checked.file), "out": str(out)})
    storm = Storm(Scene(stage, flow_run, sizes), blows, report)
    _see_through(storm, stage, flow_run, report)
    report.seconds = time.monotonic() - began
    report.wrong += storm.end()
    retried = any(what == RETRIED for _, _, what in report.blows)
    report.wrong += what_is_wrong(stage, flow_run, checked, retried=retried)
    report.twice = stage.nameserver.twice(checked.names)
    report.task_runs = stage.prefect.task_runs(flow_run)
    return report


def _see_through(storm: Storm, stage: Stage, flow_run: str, report: Report) -> None:
    """Let the blows fall, until the flow run has ended."""
    last: tuple[int, str] = (-1, "")
    since = time.monotonic()
    while True:
        asked = stage.nameserver.asked
        storm.go_on(asked / report.domains)
        # In this order: a blow may bring a run to its end that goes on afterwards.
        calm = storm.is_calm
        state = stage.prefect.look(flow_run)
        if not calm or (asked, state) != last:
            last, since = (asked, state), time.monotonic()
        lasted = time.monotonic() - since
        if state in FINAL and (state == "COMPLETED" or lasted > DEAD_SECONDS) and calm:
            return
        if lasted > STUCK_SECONDS:
            report.wrong.append(f"nothing happened for {STUCK_SECONDS:g} s")
            stage.prefect.set_state(flow_run, "CANCELLING", "Cancelling", "It is stuck")
            end_all(processes_with("PREFECT__FLOW_RUN_ID", flow_run))
            return
        time.sleep(LOOK_SECONDS)


class Storm:
    """The blows of a run, each in a thread of its own: some take long."""

    def __init__(self, scene: Scene, blows: Iterable[Blow], report: Report) -> None:
        self._scene = scene
        self._blows = list(blows)
        self._report = report
        self._began = time.monotonic()
        # Two blows to one service fall one after the other.
        self._locks = {blow.service: Lock() for blow in self._blows}
        self._threads = ThreadPoolExecutor(len(self._blows) + 1)
        self._fallen: list[Future[None]] = []

    @property
    def is_calm(self) -> bool:
        """Whether nothing is being broken just now."""
        return all(future.done() for future in self._fallen)

    def go_on(self, share: float) -> None:
        """Let those fall whose time has come, now that so much has been done."""
        while self._blows and self._blows[0].share <= share:
            self._fallen.append(self._threads.submit(self._strike, self._blows.pop(0)))

    def end(self) -> list[str]:
        """Wait for the last one; return what did not happen as planned."""
        self._threads.shutdown()
        errors = [future.exception() for future in self._fallen]
        return [
            *(f"a blow failed: {error!r}" for error in errors if error),
            *(f"too late: {blow.what}" for blow in self._blows),
        ]

    def _strike(self, blow: Blow) -> None:
        with self._locks[blow.service]:
            began = time.monotonic()
            blow.strike(self._scene)
            took = time.monotonic() - began
            self._report.blows.append((began - self._began, took, blow.what))
