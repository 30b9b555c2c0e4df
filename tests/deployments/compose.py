"""`docker-compose.yml` as Compose reads it: variables filled in, services in order."""

import graphlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["FILE", "VARIABLE", "Service", "file", "in_order", "services"]

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
#: `${NAME}`, `${NAME:-default}` and `${NAME:?}`: all forms that the file uses.
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<manner>[-?])(?P<text>[^}]*))?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What of a service matters to its processes."""

    name: str
    #: Empty: what its image does.
    command: list[str]
    environment: dict[str, str]
    #: Service to the condition under which this one starts.
    depends_on: dict[str, str]
    #: Ends with code 0 when the service is healthy; empty: none.
    check: list[str]


def file() -> dict[str, Any]:
    """Return the file as it is written, its anchors resolved."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def services(environment: Mapping[str, str]) -> dict[str, Service]:
    """
    Return the services.

    Args:
        environment: Of whom types `docker compose up`.

    Raises:
        KeyError: A variable that is required is not in it.
    """
    return {
        name: Service(
            name=name,
            # Two dollars are one that Compose leaves to others.
            command=shlex.split(written.get("command", "").replace("$$", "$")),
            environment=_environment(written.get("environment", {}), environment),
            depends_on={
                other: how["condition"] for other, how in written.get("depends_on", {}).items()
            },
            # The first word says that no shell is wanted.
            check=written.get("healthcheck", {}).get("test", [])[1:],
        )
        for name, written in file()["services"].items()
    }


def in_order(found: Mapping[str, Service]) -> list[Service]:
    """Return services so that each comes after those that it depends on."""
    graph = {name: service.depends_on for name, service in found.items()}
    return [found[name] for name in graphlib.TopologicalSorter(graph).static_order()]


def _environment(
    written: Mapping[str, str | None], environment: Mapping[str, str]
) -> dict[str, str]:
    def fill(found: re.Match[str]) -> str:
        name, manner, text = found["name"], found["manner"], found["text"]
        value = environment.get(name, "")
        if not value and manner == "?":
            raise KeyError(name)
        return value or (text if manner == "-" else "")

    # A name without a value is handed through, if it is set.
    named = {
        name: environment.get(name) if value is None else value for name, value in written.items()
    }
    return {name: VARIABLE.sub(fill, value) for name, value in named.items() if value is not None}
