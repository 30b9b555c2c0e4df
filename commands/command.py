"""
What a command is: three steps, and the words it may answer with.

A command is plain Python. It knows neither Prefect nor RabbitMQ nor the database, so it can be
written, tested and run by itself, and it runs alike in a flow, in a worker and in a script.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from commands.environment import Environment
from commands.handling import Handling

#: An error's text is cut to this many characters, wherever it comes from.
MAX_ERROR_LENGTH = 500

Execution = TypeVar("Execution")
Output = TypeVar("Output")


class Options(BaseModel):
    """What a user may set for one use of a command; an unknown option is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A job that is to be put on a work queue because of what another one came to."""

    command: str
    #: Whatever JSON can say.
    payload: Any = None
    work_queue: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one execution came to."""

    #: One of the command's statuses.
    status: str
    #: What was learned, as JSON; none where nothing was.
    answer: Mapping[str, Any] | None = None
    #: Why there is no answer, in words for a person.
    error: str | None = None
    #: What decided it: a name server's address, a program.
    decided_by: str | None = None
    #: How long the deciding work took, without the wait for a turn; none: the whole execution.
    latency_ms: float | None = None
    #: Jobs that follow, each emitted once: with the end of a job that has not failed, or before
    #: the result of a check is stored.
    jobs: tuple[FollowUp, ...] = ()


class Command(ABC, Generic[Execution, Output]):
    """
    One thing that a worker knows how to do.

    An instance serves one batch: it is opened with ``async with`` in the event loop that runs it,
    and closed when the batch is done, so connections and caches live no longer than a batch.
    """

    #: The name that users write in ``checks``.
    name: ClassVar[str]
    #: Whether it takes a domain's name; one that does not is for jobs only.
    checks_domains: ClassVar[bool] = True
    #: Every status that `interpret` may give, in the order of reports.
    statuses: ClassVar[tuple[str, ...]]
    #: The statuses on which the checks that need this one go on.
    good: ClassVar[frozenset[str]]
    #: The statuses that say more about the way than about the domain. They get a second pass.
    unsure: ClassVar[frozenset[str]] = frozenset()
    #: Fields of the answer that change without meaning, e.g. a TTL: not told as a change.
    volatile: ClassVar[frozenset[str]] = frozenset()
    #: Executions of one batch under way at once.
    in_flight: ClassVar[int] = 100
    #: Domains of one batch; fewer where a domain takes so long that a batch would take hours.
    largest_batch: ClassVar[int] = 5_000
    #: How long one execution may take, and what is done about what it raises.
    handling: Handling = Handling()
    #: The status of an execution that took too long.
    expired_status: ClassVar[str] = "timeout"
    #: The status of an execution that raised.
    failed_status: ClassVar[str] = "error"
    #: What becomes of a job that waits while a deploy changes the command's code: it is run by the
    #: new code, ends as superseded, or is held until somebody lets it go on.
    on_new_code: ClassVar[Literal["run", "supersede", "hold"]] = "run"
    #: Version of the command's code; empty: a hash of its source (`commands.version`).
    version: ClassVar[str] = ""

    def __init__(self, options: Mapping[str, Any], environment: Environment) -> None:
        """Check the options; `pydantic.ValidationError` names the wrong one."""
        self.options = self.options_type().model_validate(dict(options))
        self.environment = environment

    def handle(self, parts: Mapping[str, Any]) -> None:
        """Replace parts of `handling`; `pydantic.ValidationError` names a wrong one."""
        self.handling = self.handling.overridden(parts)

    @classmethod
    def options_type(cls) -> type[Options]:
        """Return the model of the command's options; without one it has none."""
        return Options

    async def __aenter__(self) -> Self:
        """Open what the batch needs."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""

    @abstractmethod
    def prepare(self, payload: str) -> Execution:
        """
        Turn a payload into what is to be executed.

        Args:
            payload: For a check a domain's name. A command that is meant for jobs takes whatever
                JSON can say, and raises `ValueError` for what it has no use for.
        """

    @abstractmethod
    async def execute(self, execution: Execution) -> Output:
        """Do it. `handling` says what is done about what it raises."""

    @abstractmethod
    def interpret(self, output: Output) -> Outcome:
        """Say what the output means."""

    def mark(self, error: BaseException) -> Outcome:
        """Say what an exception means for the domain, which was not retried or stopped for it."""
        text = f"{type(error).__name__}: {error}"[:MAX_ERROR_LENGTH]
        return Outcome(status=self.failed_status, error=text)

    def counters(self) -> Mapping[str, int]:
        """Return the batch's own accounts, e.g. queries by name server; they are added up."""
        return {}
