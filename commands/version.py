"""Which version of a command's code a job was ordered for."""

from __future__ import annotations

import hashlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

from commands.command import Command


@cache
def command_version(command: type[Command[Any, Any]]) -> str:
    """
    Return the command's own `version`, or else a hash of its source.

    That is the module of its class; of one in a folder of the command's name all Python files
    there. What either imports from elsewhere does not count.
    """
    if command.version:
        return command.version
    module = inspect.getmodule(command)
    source = inspect.getsource(module or command)
    folder = Path(getattr(module, "__file__", None) or "").parent
    if folder.name == command.name:
        files = sorted(folder.rglob("*.py"))
        source += "".join(f"\n{one.relative_to(folder)}\n{one.read_text('utf-8')}" for one in files)
    return hashlib.sha256(source.encode()).hexdigest()[:16]
