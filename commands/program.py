"""
`program`: any external program, by options alone.

The program is run once for each name, without a shell. What it printed is searched for patterns;
where none matches its exit code decides, and where that is not listed `default` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from commands.command import MAX_ERROR_LENGTH, Command, Options, Outcome
from commands.environment import Environment
from commands.handling import Handling
from commands.programs import process
from commands.programs.patterns import Patterns, checked
from commands.programs.process import Ended

#: What is put in the place of the name in an element of `argv`.
PLACE: Final = "{name}"
#: Characters of the output in an answer: a screenful; a run has a million answers.
MAX_OUTPUT: Final = 2000

#: Letters and digits of every script, underscores, and within it dots and dashes.
_NAME = re.compile(r"\w[\w.-]*")

Status = Literal["yes", "no", "unknown", "timeout", "error"]
#: As a shell has them, or negative for the signal that ended the program.
ExitCode = Annotated[
    str, StringConstraints(pattern=r"^(-[1-9]\d?|\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$")
]


def _runnable(argv: tuple[str, ...]) -> tuple[str, ...]:
    program, *rest = argv
    if not program or ("/" in program and not program.startswith("/")):
        raise ValueError("the first element must be a program's name, or its absolute path")
    if PLACE in program or sum(PLACE in element for element in rest) != 1:
        raise ValueError(f"exactly one element after the first must contain {PLACE}")
    if any("\0" in element for element in argv):
        raise ValueError("no element can contain NUL")
    return argv


class Rule(BaseModel):
    """One pattern, and what it means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: Annotated[str, AfterValidator(checked)] = Field(
        min_length=1,
        max_length=1000,
        description=(
            "A regular expression of Python's, searched for anywhere in the output; begin it with "
            "`(?i)` to leave case aside, with `(?m)` to have `^` and `$` mean lines."
        ),
    )
    status: Status = Field(description="The status of a name in whose output it is found.")


class ProgramOptions(Options):
    """Which program is run, and what its output means."""

    argv: Annotated[tuple[str, ...], AfterValidator(_runnable)] = Field(
        min_length=2,
        max_length=100,
        description=(
            "The program and its arguments; exactly one argument must contain `{name}`, which is "
            "replaced by the domain."
        ),
    )
    patterns: tuple[Rule, ...] = Field(
        default=(),
        max_length=50,
        description="Searched for in this order in what was printed; the first one found decides.",
    )
    exit_codes: Mapping[ExitCode, Status] = Field(
        default_factory=dict,
        description=(
            'What exit codes mean where no pattern is found, e.g. `{"0": "yes"}`; `-9` is the '
            "end by signal 9."
        ),
    )
    default: Status = Field(
        default="unknown", description="The status where neither pattern nor exit code says any."
    )
    max_output_bytes: int = Field(
        default=64 * 1024,
        ge=1,
        le=1024 * 1024,
        description="The program is killed when it prints more; what it printed so far counts.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What the program came to for one name."""

    ended: Ended
    text: str
    #: The number of the first pattern that was found, and what it matched.
    found: tuple[int, str] | None


class Program(Command[tuple[str, ...], Printed]):
    """Run a program for each name."""

    name = "program"
    statuses = ("yes", "no", "unknown", "timeout", "error")
    good = frozenset({"yes"})
    volatile = frozenset({"output"})
    unsure = frozenset({"unknown", "timeout", "error"})
    in_flight = 32
    handling = Handling(reactions={**process.REACTIONS, "MatcherLost": "retry"})
    options: ProgramOptions

    def __init__(self, options: Mapping[str, Any], environment: Environment) -> None:
        """Check the options."""
        super().__init__(options, environment)
        self._program = self.options.argv[0]
        self._patterns = Patterns([rule.pattern for rule in self.options.patterns])

    @classmethod
    def options_type(cls) -> type[ProgramOptions]:
        """Return its options."""
        return ProgramOptions

    async def __aenter__(self) -> Self:
        """Find the program."""
        self._program = process.find(self.options.argv[0])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process that searches for the patterns."""
        await self._patterns.close()

    def prepare(self, payload: str) -> tuple[str, ...]:
        """
        Return the program and its arguments: a list, so that no shell ever reads the name.

        Raises:
            ValueError: It is no name. What begins with a dash would be an option, with some
                programs also what begins with `@` or `+`; and whoever lets a shell run nevertheless
                shall not have others' names run in it.
        """
        if not _NAME.fullmatch(payload):
            raise ValueError(f"{payload!r} is no name, and might be an option or worse")
        rest = (element.replace(PLACE, payload) for element in self.options.argv[1:])
        return (self._program, *rest)

    async def execute(self, execution: tuple[str, ...]) -> Printed:
        """Run it, and search what it printed."""
        ended = await process.run(execution, max_output_bytes=self.options.max_output_bytes)
        text = ended.output.decode(errors="replace").replace("\r\n", "\n")
        return Printed(ended=ended, text=text, found=await self._patterns.search(text))

    def interpret(self, output: Printed) -> Outcome:
        """Say what the output and the exit code mean."""
        ended = output.ended
        status = self.options.exit_codes.get(str(ended.exit_code), self.options.default)
        if output.found:
            status = self.options.patterns[output.found[0]].status
        answer = {
            "exit_code": ended.exit_code,
            "output": output.text[:MAX_OUTPUT],
            "truncated": ended.truncated,
            "matched": output.found[1] if output.found else None,
        }
        error = _reason(output) if status in self.unsure else None
        return Outcome(status=status, answer=answer, error=error, decided_by=self.options.argv[0])


def _reason(output: Printed) -> str:
    """Say in one line how it ended, and what it said last."""
    if output.ended.truncated:
        return "it printed too much"
    lines = output.text.strip().splitlines() or ["nothing"]
    return f"exit code {output.ended.exit_code}, printed: {lines[-1]}"[:MAX_ERROR_LENGTH]
