"""What breaks, and when: each fault is a plan of blows, made by a seeded random generator."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.chaos.control import FINAL
from tests.chaos.stage import Stage
from tests.chaos.workers import processes_with
from tests.services.processes import end_all

__all__ = ["FAULTS", "RETRIED", "Blow", "Scene", "Sizes", "plan"]

#: Seconds that a worker gets to report that the process of its flow run has died: more than the 60
#: that Prefect's client tries for. A report that came after a retry would end that.
REPORT_SECONDS = 90.0
RETRIED = "flow's process killed, run retried"
#: Blows fall while this share of the names has been looked up; none after the last batch.
FIRST, LAST = 0.05, 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How bad it gets."""

    #: Workers and tasks' processes that are killed.
    kills: int = 10
    #: How often all connections are closed.
    closings: int = 5
    #: How often a service restarts.
    restarts: int = 2
    #: Seconds for which the way to RabbitMQ is closed, and then holds everything back.
    refusal: float = 5.0
    stall: float = 10.0
    #: Seconds for which PostgreSQL is away, and the Prefect server.
    database: float = 3.0
    api: float = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A run that is under way."""

    stage: Stage
    #: The flow run's id.
    flow_run: str
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class Blow:
    """Something that breaks."""

    #: The share of the names after which it does.
    share: float
    what: str
    #: The service that it breaks.
    service: str
    strike: Callable[[Scene], object]


def workers(rng: random.Random, sizes: Sizes, names: list[str]) -> list[Blow]:
    """Kill workers and their tasks' processes."""
    return [_kill(rng, share, rng.choice(names)) for share in _shares(rng, sizes.kills)]


def _kill(rng: random.Random, share: float, name: str) -> Blow:
    if rng.random() < 0.5:
        return Blow(
            share, f"{name} killed", name, lambda scene: scene.stage.workers.kill_worker(name)
        )
    what = f"tasks of {name} killed"
    return Blow(share, what, name, lambda scene: scene.stage.workers.kill_tasks(name))


def connections(rng: random.Random, sizes: Sizes, names: list[str]) -> list[Blow]:
    """Close all connections through RabbitMQ's management API."""
    return [
        Blow(share, "connections closed", "broker", lambda s: s.stage.broker.close_connections())
        for share in _shares(rng, sizes.closings)
    ]


def network(rng: random.Random, sizes: Sizes, names: list[str]) -> list[Blow]:
    """Cut the way to RabbitMQ, close it for a while, and have it hold everything back."""

    def refuse(scene: Scene) -> None:
        scene.stage.network.refuse()
        time.sleep(scene.sizes.refusal)
        scene.stage.network.accept()

    def stall(scene: Scene) -> None:
        scene.stage.network.stall()
        time.sleep(scene.sizes.stall)
        scene.stage.network.resume()

    ways = (
        ("network cut", lambda scene: scene.stage.network.cut()),
        (f"network closed for {sizes.refusal:g} s", refuse),
        (f"network stalled for {sizes.stall:g} s", stall),
    )
    shares = _shares(rng, len(ways))
    return [
        Blow(share, what, "network", way) for share, (what, way) in zip(shares, ways, strict=True)
    ]


def broker(rng: random.Random, sizes: Sizes, names: list[str]) -> list[Blow]:
    """Crash RabbitMQ and start it again."""

    def crash(scene: Scene) -> None:
        scene.stage.broker.kill()
        scene.stage.broker.start()

    shares = _shares(rng, sizes.restarts)
    return [Blow(share, "RabbitMQ killed and started", "broker", crash) for share in shares]


def empty(rng: random.Random, sizes: Sizes, names: list[str]) -> list[Blow]:
    """Restart RabbitMQ without anything that it had."""
    return [
        Blow(share, "RabbitMQ came back empty", "broker", lambda s: s.stage.broker.restart_empty())
        for share in _shares(rng, sizes.restarts)
    ]


def postgres(rng: random.Random, sizes: Sizes, names: list[str]) -> list[Blow]:
    """Shut PostgreSQL down, or crash it, and start it again after a while."""

    def restart(scene: Scene, *, crash: bool) -> None:
        cluster = scene.stage.postgres
        (cluster.kill if crash else cluster.stop)()
        time.sleep(scene.sizes.database)
        cluster.start()

    away = f"away for {sizes.database:g} s"
    ways = [
        (f"PostgreSQL killed, {away}", partial(restart, crash=True)),
        (f"PostgreSQL stopped, {away}", partial(restart, crash=False)),
    ]
    rng.shuffle(ways)
    shares = _shares(rng, sizes.restarts)
    return [
        Blow(share, what, "postgres", way)
        for share, (what, way) in zip(shares, itertools.cycle(ways), strict=False)
    ]


def prefect(rng: random.Random, sizes: Sizes, names: list[str]) -> list[Blow]:
    """Stop the Prefect server for a while."""

    def away(scene: Scene) -> None:
        scene.stage.prefect.stop_server()
        time.sleep(scene.sizes.api)
        scene.stage.prefect.start_server()

    (share,) = _shares(rng, 1)
    # Early: it is to come back before all is done.
    return [Blow(share / 2, f"Prefect server away for {sizes.api:g} s", "prefect", away)]


def flow(rng: random.Random, sizes: Sizes, names: list[str]) -> list[Blow]:
    """Kill the process of the flow run, and retry that as the UI does."""
    (share,) = _shares(rng, 1)
    return [Blow(share, RETRIED, "prefect", _retry)]


def _retry(scene: Scene) -> None:
    control = scene.stage.prefect
    end_all(processes_with("PREFECT__FLOW_RUN_ID", scene.flow_run))
    deadline = time.monotonic() + REPORT_SECONDS
    while control.look(scene.flow_run) not in FINAL and time.monotonic() < deadline:
        time.sleep(0.2)
    if control.state(scene.flow_run)[0] not in FINAL:
        # Its worker is dead as well. Prefect calls it a zombie, for an automation or for us.
        control.set_state(scene.flow_run, "CRASHED", "Crashed", "Its process is gone")
    control.set_state(scene.flow_run, "SCHEDULED", "AwaitingRetry", "Retry from the UI")


FAULTS = {
    "workers": workers,
    "connections": connections,
    "network": network,
    "broker": broker,
    "empty": empty,
    "postgres": postgres,
    "prefect": prefect,
    "flow": flow,
}


def plan(fault: str, rng: random.Random, sizes: Sizes, names: list[str]) -> list[Blow]:
    """
    Return the blows of a fault, the first one first.

    Args:
        fault: One of `FAULTS`; `all` for all of them at once, `none` for none.
        rng: Decides.
        sizes: How bad it gets.
        names: The workers' names.
    """
    makers = list(FAULTS.values()) if fault == "all" else [FAULTS[fault]] if fault in FAULTS else []
    blows = [blow for maker in makers for blow in maker(rng, sizes, names)]
    return sorted(blows, key=lambda blow: blow.share)


def _shares(rng: random.Random, count: int) -> list[float]:
    """Return shares that are spread over the run: one in each of so many equal parts."""
    part = (LAST - FIRST) / count
    return [FIRST + part * (number + rng.random()) for number in range(count)]
