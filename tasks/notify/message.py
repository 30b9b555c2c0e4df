"""What a notification says: a notice of a run, and the text that a template makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, field_validator

from commands.masking import one_line
from tasks.notify import templates

#: Of the domains that changed, so many are named.
MAX_EXAMPLES = 20
#: Characters of a template, and of what it makes; chat services cut a text that is longer.
MAX_TEMPLATE, MAX_TEXT = 10_000, 50_000
#: Characters; a longer one is folded or cut by those who show it.
MAX_SUBJECT = 200
#: The first line of a user's template may be the subject.
SUBJECT = "Subject:"

State = Literal["completed", "failed", "changed"]


class Change(BaseModel):
    """One domain that is not as it was in the run before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domain: str
    check: str
    before: str
    after: str


class Notice(BaseModel):
    """How a run ended; the fields are what a template can name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str = Field(description="Name of the flow run.")
    run_id: str = Field(description="Its id; a notice that is sent again is known by it.")
    url: str = Field(default="", description="Its page in Prefect's UI.")
    state: State = Field(description="`changed`: completed, and something is not as it was before.")
    headline: str = Field(description="The run in a sentence.")
    counts: Mapping[str, Mapping[str, int]] = Field(
        default_factory=dict, description="Check -> status -> domains."
    )
    changes: Mapping[str, int] = Field(
        default_factory=dict,
        description="Check -> domains that are not as they were: status, answer, new or gone.",
    )
    examples: Sequence[Change] = Field(default=(), description="The first of them.")
    file: str = Field(default="", description="The result file: a path or a link.")

    @field_validator("examples")
    @classmethod
    def _first(cls, examples: Sequence[Change]) -> Sequence[Change]:
        return tuple(examples[:MAX_EXAMPLES])


@dataclass(frozen=True, slots=True)
class Message:
    """A notice in words."""

    subject: str
    text: str
    html: str


class TemplateBroken(Exception):
    """A template cannot be read, or not be filled in; says where and why in one line."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 for templates that users write: they see the notice, and nothing of ours."""

    # A slip of the pen in a template must not fill the memory; who means to can, since authors of
    # templates are authors of runs.
    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers, and with small ones only."""
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if not numbers or operator == "**":
            raise SecurityError(f"'{operator}' is for numbers, and not to be had for these")
        return super().call_binop(context, operator, left, right)


_TEXT = _Sandbox(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_HTML = _Sandbox(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True)

_DEFAULT_SUBJECT = _TEXT.from_string(templates.SUBJECT)
_DEFAULT_TEXT = _TEXT.from_string(templates.TEXT)
_DEFAULT_HTML = _HTML.from_string(templates.HTML)
_PLAIN_HTML = _HTML.from_string("<pre>{{ text }}</pre>\n")

#: What a template is tried with before a run begins: each field has something in it.
SAMPLE = Notice(
    run="quick-otter",
    run_id="00000000-0000-0000-0000-000000000000",
    url="http://127.0.0.1:4200/runs/flow-run/00000000-0000-0000-0000-000000000000",
    state="changed",
    headline="2 domains. host: 1 resolves, 1 nxdomain",
    counts={"host": {"resolves": 1, "nxdomain": 1}},
    changes={"host": 1},
    examples=[Change(domain="example.com", check="host", before="resolves", after="nxdomain")],
    file="results.csv",
)


def render(notice: Notice, template: str = "") -> Message:
    """
    Put a notice into words.

    Args:
        notice: What is told.
        template: A user's own text, in Jinja2 with the fields of `Notice`; where its first line
            begins with `Subject:`, that is the subject. Empty: the default.

    Raises:
        TemplateBroken: The user's template is of no use.
    """
    fields = dict(notice)
    subject = _DEFAULT_SUBJECT.render(fields)
    if not template:
        text, html = _DEFAULT_TEXT.render(fields), _DEFAULT_HTML.render(fields)
        return Message(one_line(subject, MAX_SUBJECT), text[:MAX_TEXT], html)
    text = _filled_in(template, fields)
    first, _, rest = text.partition("\n")
    if first.startswith(SUBJECT):
        subject, text = first.removeprefix(SUBJECT), rest
    return Message(one_line(subject, MAX_SUBJECT), text, _PLAIN_HTML.render(text=text))


def _filled_in(template: str, fields: Mapping[str, Any]) -> str:
    if len(template) > MAX_TEMPLATE:
        raise TemplateBroken(f"it has more than {MAX_TEMPLATE:,} characters")
    pieces, length = [], 0
    try:
        for piece in _TEXT.from_string(template).generate(fields):
            pieces.append(piece)
            length += len(piece)
            if length > MAX_TEXT:
                break
    except TemplateSyntaxError as error:
        raise TemplateBroken(
            f"line {error.lineno}: {one_line(error.message or '', MAX_SUBJECT)}"
        ) from error
    except Exception as error:
        # It is a program of somebody else's: whatever it raises is its own fault.
        raise TemplateBroken(one_line(f"{type(error).__name__}: {error}", MAX_SUBJECT)) from error
    return "".join(pieces)[:MAX_TEXT]
