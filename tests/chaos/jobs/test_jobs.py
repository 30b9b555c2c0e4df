"""`python -m tests.chaos.jobs` in short: RabbitMQ is killed once."""

import random
from pathlib import Path

import pytest

from tests.chaos.jobs.parts import Sizes, emitters
from tests.chaos.jobs.run import endure
from tests.chaos.jobs.stage import running_stage
from tests.services.postgres import Postgres
from tests.services.prefect import PrefectServer
from tests.services.rabbitmq import Broker

SIZES = Sizes(jobs=200, emitters=4, groups=6, workers=2, restarts=1, pace=30)
SEED = 3


@pytest.mark.timeout(600)
def test_jobs_are_done_once_and_in_order(
    rabbitmq: Broker, postgres: Postgres, flow_server: PrefectServer, tmp_path: Path
) -> None:
    """Every job of every emitter is done once, in the order of its group; nothing is left."""
    plan = (SIZES, random.Random(SEED))
    with running_stage(rabbitmq, postgres, flow_server, tmp_path, plan) as stage:
        report = endure(stage, SEED)
    assert report.wrong == [], report
    assert [what for _, _, what, *_ in report.blows] == ["killed and started"]


@pytest.mark.parametrize("jobs", [200, 203])
def test_parts(jobs: int) -> None:
    """Each job has one emitter; half of them come from outside; nobody waits for himself."""
    sizes = Sizes(jobs=jobs, emitters=4, groups=6)
    dealt = emitters(sizes, random.Random(SEED))
    assert len(dealt) == 4
    keys = [job.key for one in dealt for part in one.parts for job in part.jobs]
    assert len(set(keys)) == len(keys) == jobs
    outside = sum(len(part.jobs) for one in dealt for part in one.parts if one.is_outside)
    assert abs(outside - jobs / 2) <= 3
    for one in dealt:
        waits = [part.waits for part in one.parts]
        assert waits == sorted(waits)
