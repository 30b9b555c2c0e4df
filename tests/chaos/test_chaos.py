"""`make chaos` in short: everything breaks once, in a single run."""

import random
from collections.abc import Iterator

import pytest

from tests.chaos.faults import FAULTS, Sizes, plan
from tests.chaos.run import endure
from tests.chaos.stage import Stage, running_stage
from tests.services.postgres import Postgres
from tests.services.rabbitmq import Broker

DOMAINS = 6_000
#: Look-ups a second: what breaks first has not mended itself when the next thing breaks.
PACE = 300
SIZES = Sizes(kills=2, closings=1, restarts=1, refusal=1, stall=2, database=1, api=10)
SEED = 3


@pytest.fixture(scope="module")
def stage(
    rabbitmq: Broker, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Give Rollcall with two workers."""
    directory = tmp_path_factory.mktemp("chaos")
    with running_stage(rabbitmq, postgres, directory, workers=2, pace=PACE) as made:
        yield made


@pytest.mark.timeout(900)
def test_nothing_is_lost(stage: Stage) -> None:
    """Whatever breaks, every domain gets one result, everything ends, and no message is left."""
    report = endure(stage, "all", SEED, DOMAINS, SIZES)
    assert report.wrong == [], report
    assert {what for _, _, what in report.blows} >= {"RabbitMQ came back empty", "network cut"}


@pytest.mark.parametrize("fault", [*FAULTS, "all"])
def test_a_seed_tells_what_breaks(fault: str) -> None:
    """The same seed makes the same plan, another one another plan, in the order of the run."""
    names = [f"worker_{number}" for number in range(1, 5)]

    def planned(seed: int) -> list[tuple[float, str]]:
        blows = plan(fault, random.Random(seed), Sizes(), names)
        return [(blow.share, blow.what) for blow in blows]

    assert planned(1) == planned(1) != planned(2)
    assert planned(1) == sorted(planned(1))
    assert all(0 < share < 1 for share, _ in planned(1))
