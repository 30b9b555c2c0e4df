"""Task modules that tests write: with a path in them, or in two versions."""

import importlib.util
from pathlib import Path
from types import ModuleType

__all__ = ["NEW", "OLD", "STORED", "VERSIONED", "load", "write"]

#: Module with a task whose results are stored.
STORED = "stored_tasks"
#: Module with tasks whose code changes.
VERSIONED = "versioned_tasks"
#: Its two versions.
OLD, NEW = "old", "new"

_STORED = '''
from pathlib import Path
from typing import Any
from prefect import task

@task(persist_result=True, result_storage=Path({path!r}), result_serializer="pickle")
def stored(kind: str) -> Any:
    """Return what JSON cannot hold."""
    return {{"complex": 1j, "bytes": b"\\xff"}}[kind]
'''
_VERSIONED = """
from prefect import task
from prefect_rabbitmq.versions import on_new_code

@task
def kept() -> str:
    return {version!r}

@on_new_code("supersede")
@task
def anew() -> str:
    return {version!r}

@on_new_code("supersede")
@task(version="7")
def numbered() -> str:
    return {version!r}
"""


def write(directory: Path, results: Path, version: str) -> None:
    """
    Write both modules.

    Args:
        directory: To here.
        results: Where the results are stored.
        version: Of the code.
    """
    directory.mkdir(exist_ok=True)
    (directory / f"{STORED}.py").write_text(_STORED.format(path=str(results)))
    (directory / f"{VERSIONED}.py").write_text(_VERSIONED.format(version=version))


def load(directory: Path, name: str) -> ModuleType:
    """Load a module, as an import would, but with no need to be on the path."""
    spec = importlib.util.spec_from_file_location(name, directory / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
