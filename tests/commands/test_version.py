"""A command's code is another one when what it is made of is."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.version import command_version

SOURCE = """
from commands.command import Command

class Frame(Command):
    name = "{name}"
    version = "{version}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a package `frame` of its own."""
    package = tmp_path / "frame"
    (package / "parts").mkdir(parents=True)
    for module in ("__init__.py", "other.py", "parts/deep.py"):
        (package / module).write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    forget()


def forget() -> None:
    """Let it be imported anew."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "frame"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def version(folder: Path, name: str = "frame", own: str = "", more: str = "") -> str:
    """Return the version of a command in it, as a new worker has it."""
    forget()
    (folder / "command.py").write_text(SOURCE.format(name=name, version=own) + more)
    return command_version(importlib.import_module("frame.command").Frame)


@pytest.mark.parametrize("file", ["other.py", "parts/deep.py", "__init__.py", "new.py"])
def test_any_file_of_the_folder_of_a_command_counts(folder: Path, file: str) -> None:
    """The command's folder has its name."""
    before = version(folder)
    assert version(folder) == before
    (folder / file).write_text("# changed")
    assert version(folder) != before


def test_beside_other_commands_the_module_counts(folder: Path) -> None:
    """A folder of another name is not the command's alone."""
    before = version(folder, "another")
    (folder / "other.py").write_text("# changed")
    assert version(folder, "another") == before
    assert version(folder, "another", more="#") != before


def test_its_own_word_counts(folder: Path) -> None:
    """Whatever has changed."""
    assert version(folder, own="7", more="#") == "7"
