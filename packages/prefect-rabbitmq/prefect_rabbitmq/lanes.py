"""The work queues that a worker takes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pika import SelectConnection

from prefect_rabbitmq.lane import Lane, Source


class Lanes:
    """One lane for each work queue that is neither paused nor gone."""

    def __init__(self, make: Callable[[Source], Lane]) -> None:
        """Prepare; `make` makes a lane that is not open yet."""
        self._make = make
        self._lanes: dict[str, Lane] = {}

    def open(
        self, connection: SelectConnection, sources: Mapping[str, Source], prefetch: int
    ) -> None:
        """Take from the work queues that are not taken from yet."""
        for name, source in sources.items():
            if name not in self._lanes:
                self._lanes[name] = self._make(source)
                self._lanes[name].open(connection, prefetch)

    def close_outdated(self, sources: Mapping[str, Source], prefetch: int) -> list[Lane]:
        """Take no more from those that are paused, gone or changed; returns them."""
        outdated = []
        for name, lane in list(self._lanes.items()):
            source = sources.get(name)
            if source and source.limit == lane.source.limit and lane.prefetch == prefetch:
                lane.source = source
            else:
                outdated.append(self._lanes.pop(name))
                lane.close()
        return outdated

    def close(self) -> None:
        """Take no more from any."""
        for lane in self._lanes.values():
            lane.close()

    def __len__(self) -> int:
        """Return from how many it takes, or is about to."""
        return len(self._lanes)

    @property
    def are_quiet(self) -> bool:
        """Whether all are closed, and RabbitMQ knows that."""
        return all(lane.is_quiet for lane in list(self._lanes.values()))

    def count(self, told: Callable[[int], Any]) -> int:
        """Have each that is open tell how many messages wait in RabbitMQ; returns how many ask."""
        for lane in self._lanes.values():
            lane.count(told)
        return len(self._lanes)

    def forget(self) -> None:
        """Drop them all: their connection is gone."""
        self._lanes.clear()
