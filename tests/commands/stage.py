"""A name server and web servers for the tests of `http`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from commands.command import Outcome
from commands.environment import Environment
from demo.nameserver import NameServer, running_nameserver
from demo.script import Script
from tests.commands.checking import Checked, check

__all__ = ["Stage", "running_stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A name server, and how names are checked by it."""

    nameserver: NameServer
    environment: Environment
    #: Options, where a test says nothing else.
    options: Mapping[str, Any] = field(default_factory=dict)

    def check(self, *names: str, timeout_seconds: float = 30.0, **options: Any) -> Checked:
        """Check names."""
        return check(
            names,
            self.environment,
            command="http",
            options={**self.options, **options},
            handling={"timeout_seconds": timeout_seconds, "backoff_seconds": 0.01},
        )

    def outcome(self, name: str, **options: Any) -> Outcome:
        """Check one name."""
        return self.check(name, **options).outcomes[name]


@contextmanager
def running_stage(script: Script, *, private: bool = True, **options: Any) -> Iterator[Stage]:
    """
    Set it up.

    Args:
        script: The name server's.
        private: Whether addresses that are not public are allowed.
        options: See `Stage`.
    """
    with running_nameserver(script) as server:
        environment = Environment(nameservers=(server.address,), allow_private_addresses=private)
        yield Stage(server, environment, options)
