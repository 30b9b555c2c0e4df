"""Who is told of what: the entries of a run's `notify`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import InputError
from tasks.notify.channels import parse_target
from tasks.notify.message import SAMPLE, Notice, State, TemplateBroken, render
from tasks.settings import Settings

#: More are a mistake.
MAX_ENTRIES = 50

Event = Literal["ended", "failed", "changed"]
#: A notice's state -> the events that it is.
_EVENTS: dict[State, frozenset[Event]] = {
    "completed": frozenset({"ended"}),
    "changed": frozenset({"ended", "changed"}),
    "failed": frozenset({"failed"}),
}


class Entry(BaseModel):
    """One target, and what it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: str = Field(
        repr=False,
        max_length=2_000,
        description="mailto:ann@example.org, block:<type>/<name>, or a URL of Apprise's. What is "
        "written here is stored with the run: secrets belong into a block.",
    )
    on: frozenset[Event] = Field(
        default=frozenset[Event]({"ended", "failed"}),
        min_length=1,
        description="`ended`: the run has completed; `changed`: it has, and something is not as "
        "it was in the run before; `failed`: it has not.",
    )
    template: str = Field(
        default="",
        description="A text of one's own, in Jinja2; its first line may be `Subject: …`.",
    )

    def wants(self, notice: Notice) -> bool:
        """Say whether the notice is one of those that this target is told."""
        return bool(self.on & _EVENTS[notice.state])


def parse_entries(
    raw: Iterable[str | Mapping[str, Any] | Entry], settings: Settings
) -> tuple[Entry, ...]:
    """
    Check the entries before a run begins: each target's form, and each template with a sample.

    Args:
        raw: Each a target alone, or a mapping with the fields of `Entry`.
        settings: E-mail needs its own.

    Raises:
        InputError: The first that cannot be used, by its number from 1.
    """
    listed = list(raw)
    if len(listed) > MAX_ENTRIES:
        raise InputError(f"notify: {len(listed)} entries are more than {MAX_ENTRIES}")
    return tuple(_entry(one, number, settings) for number, one in enumerate(listed, start=1))


def _entry(raw: str | Mapping[str, Any] | Entry, number: int, settings: Settings) -> Entry:
    try:
        entry = Entry.model_validate({"to": raw} if isinstance(raw, str) else raw)
        parse_target(entry.to, settings)
        render(SAMPLE, entry.template)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"notify, entry {number}, {where or 'as a whole'}: {first['msg']}"
        ) from None
    except TemplateBroken as error:
        raise InputError(f"notify, entry {number}, template: {error}") from error
    except InputError as error:
        raise InputError(f"notify, entry {number}: {error}") from error
    return entry
