"""Which version of a command's code a job was ordered for."""

from __future__ import annotations

import hashlib
import inspect
from functools import cache
from typing import Any

from commands.command import Command


@cache
def command_version(command: type[Command[Any, Any]]) -> str:
    """Return the command's own `version`, or else a hash of its module's source."""
    if command.version:
        return command.version
    module = inspect.getmodule(command)
    source = inspect.getsource(module or command)
    return hashlib.sha256(source.encode()).hexdigest()[:16]
