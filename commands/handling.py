"""
What is done about an exception that a command raised for one domain: one place to read it.

Each command has a `Handling`; a node of a run's DAG may override any part of it. An exception is
known by the name of its class or of a base of it, the nearest one first, so that a node can name
it in JSON. What nobody names marks the domain.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

#: ``retry``: try the domain again, and mark it when the retries are used up. ``mark``: the domain
#: gets the command's status for it. ``stop``: the run fails, since no other domain would do better.
Reaction = Literal["retry", "mark", "stop"]


class Handling(BaseModel):
    """How long one execution may take, and what is done about what it raises."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Of one try; None where the command bounds its own work, because it may wait for its turn.
    timeout_seconds: float | None = Field(default=30.0, gt=0, le=3_600)
    #: Tries after the first one, for exceptions whose reaction is ``retry``.
    retries: int = Field(default=2, ge=0, le=10)
    #: Before the first new try, each later one waits twice as long; at random up to half more.
    backoff_seconds: float = Field(default=0.5, ge=0, le=300)
    #: Name of an exception's class -> what is done.
    reactions: Mapping[str, Reaction] = Field(default_factory=dict)

    def reaction_to(self, error: BaseException) -> Reaction:
        """Return what is done about an exception."""
        for kind in type(error).__mro__:
            if kind.__name__ in self.reactions:
                return self.reactions[kind.__name__]
        return "mark"

    def pause(self, tries: int) -> float:
        """Return the seconds to wait after so many tries."""
        return float(self.backoff_seconds * 2 ** (tries - 1) * random.uniform(1, 1.5))

    def overridden(self, parts: Mapping[str, Any]) -> Handling:
        """
        Return this with some parts replaced; `reactions` are added to those that there are.

        Raises:
            pydantic.ValidationError: A part has a value that it cannot have.
        """
        added = dict(parts)
        if isinstance(reactions := added.get("reactions"), Mapping):
            added["reactions"] = {**self.reactions, **reactions}
        return Handling.model_validate({**dict(self), **added})
