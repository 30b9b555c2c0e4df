"""
Who emits what: each group has two parts, the first from one emitter and the second from another.

One of the two knows nothing of Rollcall, the other one is Rollcall's own; whoever has the second
part waits until the first one is emitted. So the order of a group is known although many emit.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple
from uuid import UUID, uuid5

__all__ = ["Emitter", "Job", "Part", "Sizes", "emitters", "job_id"]

#: Job ids come from keys: who tries again uses the same one.
NAMESPACE = UUID("6f1c7f5e-6d7c-4c0e-9d5a-0c3f7f0f4b11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much there is."""

    jobs: int = 10_000
    #: Half of them from outside.
    emitters: int = 20
    groups: int = 50
    workers: int = 4
    #: Of RabbitMQ.
    restarts: int = 2
    #: Jobs a second that all emitters together do not exceed; they are to meet the restarts.
    pace: float = 40.0


class Job(NamedTuple):
    """One job."""

    group: str
    #: From 0, in the order of emission within the group.
    place: int

    @property
    def key(self) -> str:
        """How it is called, and what its marks say."""
        return f"{self.group}:{self.place}"


class Part(NamedTuple):
    """Jobs of a group that come from one emitter, in this order."""

    jobs: list[Job]
    #: Whether another emitter's part of the group comes before.
    waits: bool


@dataclass(frozen=True, slots=True)
class Emitter:
    """A program that emits."""

    name: str
    is_outside: bool
    #: Those that do not wait come first, or two emitters could wait for each other.
    parts: list[Part]


def job_id(key: str) -> UUID:
    """Return a job's id, which is that of its message."""
    return uuid5(NAMESPACE, key)


def emitters(sizes: Sizes, rng: random.Random) -> list[Emitter]:
    """Deal the parts of all groups out."""
    names = [f"group-{number:02}" for number in range(sizes.groups)]
    outside: list[Part] = []
    inside: list[Part] = []
    for number, name in enumerate(names):
        count = sizes.jobs // sizes.groups + (number < sizes.jobs % sizes.groups)
        jobs = [Job(name, place) for place in range(count)]
        # Of an odd number the first part has one more, by turns from outside and from inside.
        middle = (count + 1) // 2
        halves = [Part(jobs[:middle], waits=False), Part(jobs[middle:], waits=True)]
        outside.append(halves[number % 2])
        inside.append(halves[1 - number % 2])
    half = sizes.emitters // 2
    return list(
        chain(
            _dealt("outside", outside, half, rng),
            _dealt("inside", inside, sizes.emitters - half, rng),
        )
    )


def _dealt(kind: str, parts: Sequence[Part], count: int, rng: random.Random) -> list[Emitter]:
    shuffled = rng.sample(parts, len(parts))
    return [
        Emitter(
            f"{kind}-{number}",
            kind == "outside",
            sorted(shuffled[number::count], key=lambda part: part.waits),
        )
        for number in range(count)
    ]
