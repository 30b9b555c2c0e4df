"""A node of a run's DAG as users write it, and how its text is read from a command line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, field_validator

from tasks.errors import InputError

#: A name of a check is a column of the results, and part of artifacts' keys.
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
#: Statuses for all needed checks, or for each of them by its name.
When = tuple[str, ...] | Mapping[str, tuple[str, ...]]


class Node(BaseModel):
    """One check of a run: a command, the checks that it needs, and on which outcomes it runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="Check")

    check: str = Field(
        pattern=f"^{NAME}$", description="The name of this check in results and reports."
    )
    command: str = Field(default="", description="What it does; empty: the command of its name.")
    needs: tuple[str, ...] = Field(
        default=(), description="Names of the checks that a domain must have passed before."
    )
    when: When = Field(
        default=(),
        description="Statuses of the needed checks on which a domain goes on: one, several, or "
        "{check: statuses}; empty: their good ones.",
    )
    options: Mapping[str, Any] = Field(
        default_factory=dict, description="The command's options, by name."
    )
    handling: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Other timeout_seconds, retries, backoff_seconds or reactions "
        "({exception: retry, mark or stop}) than the command's.",
    )

    @field_validator("needs", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("when", mode="before")
    @classmethod
    def _statuses(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return {check: cls._several(statuses) for check, statuses in value.items()}
        return cls._several(value)

    @property
    def command_name(self) -> str:
        """The command that it is."""
        return self.command or self.check


def _form() -> dict[str, Any]:
    """Return the JSON schema of a check, without the bounds that `read_nodes` tells better."""
    node = Node.model_json_schema()
    fields = {name: dict(field) for name, field in node["properties"].items()}
    fields["check"].pop("pattern")
    several = {"type": "array", "items": {"type": "string"}, "title": "Several"}
    choice = [several, {"type": "string", "title": "One"}]
    for name, kinds in {"needs": choice, "when": [*choice, {"type": "object"}]}.items():
        about = {key: fields[name][key] for key in ("title", "description")}
        fields[name] = {**about, "anyOf": kinds}
    node |= {"properties": fields}
    node.pop("additionalProperties")
    return {"anyOf": [{"title": "Command", "type": "string"}, node]}


#: What a parameter of a flow is annotated with: the run form shows a node's fields, and what is
#: wrong with one is told by `read_nodes`, in one line.
CheckParameter = Annotated[Any, WithJsonSchema(_form())]


def read_nodes(checks: Sequence[Any]) -> tuple[Node, ...]:
    """
    Read the checks of a run.

    Args:
        checks: Each the name of a command, or the fields of a `Node`.

    Raises:
        InputError: One of them is neither; the message says which, and what is wrong with it.
    """
    return tuple(_node(number, check) for number, check in enumerate(checks, 1))


def _node(number: int, check: Any) -> Node:
    if isinstance(check, Node):
        return check
    fields = {"check": check} if isinstance(check, str) else check
    name = fields.get("check") if isinstance(fields, Mapping) else None
    where = f"checks, number {number}" + (f" ({name})" if name else "")
    if not isinstance(fields, Mapping):
        raise InputError(f"{where}: write a command's name, or a node with `check`, not {check!r}")
    try:
        return Node.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"][:1]) or "node"
        raise InputError(f"{where}: {field}: {_words(field, first['msg'])}") from error


def _words(field: str, message: str) -> str:
    if message.startswith("Extra inputs"):
        return f"there is no such field; there are: {', '.join(Node.model_fields)}"
    if field == "check" and message.startswith("String should match"):
        return "a name is of letters, digits, `-`, `_` and `.`, and at most 64 long"
    return message


def parse_checks(text: str) -> list[Any]:
    """
    Read checks from a command line.

    Args:
        text: Names with commas between them; or a list of nodes as JSON or YAML; or `@` and the
            path of a file that holds one.

    Raises:
        InputError: The file cannot be read, or the text is no list.
    """
    if text.startswith("@"):
        try:
            text = Path(text[1:]).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"CHECKS={text}: the file cannot be read: {error}") from error
    elif not text.lstrip().startswith("["):
        return [name.strip() for name in text.split(",") if name.strip()]
    try:
        checks = json.loads(text) if text.lstrip().startswith("[{") else yaml.safe_load(text)
    except ValueError as error:
        raise InputError(f"CHECKS: this is no JSON: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"CHECKS: this is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(checks, list):
        raise InputError("CHECKS: write a list, e.g. [host, {check: http, needs: [host]}]")
    return checks
