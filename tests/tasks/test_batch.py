"""How a check's domains are cut into batches, and what a batch says."""

import json
import uuid
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from database.batches import Range, Stage
from tasks.batch import (
    LARGEST_BATCH,
    LEAST_UNDER_WAY,
    MOST_BATCHES,
    MOST_UNDER_WAY,
    ONE_EACH,
    WINDOW_DOMAINS,
    Batch,
    batch_size,
    make_batch,
    window,
)
from tasks.plan import make_plan

SIZES = [0, 1, 249, 250, 251, 499, 500, 501, 62_500, 62_501, 999_999, 1_250_000, 1_250_001, 10**9]
(CHECK,) = make_plan([{"check": "host", "command": "host-program", "handling": {"retries": 1}}])
STAGE = Stage(run=7, list_id=3, check="host")
RANGES = (
    Range(first=(5, "python.org"), last=(5, "python.org"), count=1),
    Range(first=(6, "debian.org"), last=(9, "gnu.org"), count=1_234),
)


def a_batch(**different: Any) -> dict[str, Any]:
    """Make a batch as JSON."""
    return make_batch(CHECK, STAGE, RANGES[0]) | different


@pytest.mark.parametrize("domains", [1, 2, ONE_EACH])
def test_few_domains_have_a_batch_each(domains: int) -> None:
    """Up to 250 domains each has a batch of its own."""
    assert batch_size(domains) == 1


@pytest.mark.parametrize("domains", SIZES)
def test_batches_are_few_until_they_are_large(domains: int) -> None:
    """There are never more than 250 batches until one holds 5,000 domains, and none is larger."""
    size = batch_size(domains)
    assert 1 <= size <= LARGEST_BATCH
    assert -(-domains // size) <= max(MOST_BATCHES, ONE_EACH) or size == LARGEST_BATCH
    assert -(-domains // size) <= MOST_BATCHES or size in {1, LARGEST_BATCH}


def test_sizes_never_shrink() -> None:
    """More domains never make smaller batches."""
    assert all(batch_size(few) <= batch_size(many) for few, many in pairwise(SIZES))


@pytest.mark.parametrize("domains", SIZES)
def test_the_window_is_bounded(domains: int) -> None:
    """From 4 to 32 batches are under way; more than 4 of them have 5,000 domains at the most."""
    size = batch_size(domains)
    width = window(size)
    assert LEAST_UNDER_WAY <= width <= MOST_UNDER_WAY
    assert width * size <= WINDOW_DOMAINS or width == LEAST_UNDER_WAY


def test_titles_are_for_people() -> None:
    """A title names a single domain, or counts several, and says when it is a second look."""
    first = [make_batch(CHECK, STAGE, found)["title"] for found in RANGES]
    again = Stage(run=7, list_id=3, check="host", second_pass=True)
    second = [make_batch(CHECK, again, found)["title"] for found in RANGES]
    assert first == ["host python.org", "host 1,234 domains from debian.org…"]
    assert second == ["host python.org again", "host 1,234 domains from debian.org… again"]


@pytest.mark.parametrize("second_pass", [False, True])
def test_a_batch_travels_as_json(*, second_pass: bool) -> None:
    """What comes out of JSON is the batch that went in, with its stage and its range."""
    needs = (("host", ("resolves",)),)
    stage = Stage(run=7, list_id=3, check="again", second_pass=second_pass, needs=needs)
    _, check = make_plan(["host", {"check": "again", "command": "host-program", "needs": "host"}])
    for given in RANGES:
        batch = make_batch(check, stage, given)
        read = Batch.model_validate(json.loads(json.dumps(batch)))
        assert (read.stage, read.range, read.command) == (stage, given, "host-program")
        assert read.model_dump(mode="json") == batch


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("colour", "red"),
        ("run", None),
        ("run", str(uuid.UUID(int=0))),
        ("first", [1]),
        ("last", ["a", "b"]),
        ("count", "many"),
    ],
)
def test_an_unknown_or_wrong_field_is_refused(field: str, value: object) -> None:
    """A batch with a field that is not known, or of the wrong kind, is no batch; it is named."""
    with pytest.raises(ValidationError, match=field):
        Batch.model_validate(a_batch(**{field: value}))
