"""What the folders have promised each other, and the repository its readers."""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import prefect
import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGES = {"commands", "database", "demo", "deployments", "flows", "tasks", "web"}
PROJECT = PACKAGES | {"benchmarks", "tests"}
#: Which of our folders a folder may import besides itself; other people's packages are free.
MAY_IMPORT = {
    "benchmarks": PROJECT,
    "commands": set[str](),
    "database": set[str](),
    "demo": PACKAGES,
    "deployments": PACKAGES,
    "examples": set[str](),
    "flows": {"tasks"},
    "packages": set[str](),
    "tasks": {"commands", "database"},
    "web": {"database"},
}
FILE_LINES, FUNCTION_LINES = 300, 35
#: In brackets so that these patterns do not find themselves.
NOT_OURS_TO_TELL = re.compile(
    r"pyp[i]\.org|pythonhoste[d]|registry\.npm[j]s|deb\.debia[n]|proxy\.golan[g]"
    r"|/wor[k]/|/far[m]/|\.librar[y]"
)


def sources(*folders: str) -> list[Path]:
    """List the Python files of some of our folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def is_test(path: Path) -> bool:
    """Say whether a file belongs to the tests of a package."""
    return "tests" in path.relative_to(ROOT).parts


def parse(path: Path) -> ast.Module:
    """Read a file's syntax tree."""
    return ast.parse(path.read_text(), filename=str(path))


def imported(path: Path) -> Iterator[str]:
    """List the top-level names that a file imports, wherever in it; relative ones are its own."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_imports_go_in_one_direction(folder: str) -> None:
    """A folder imports only what the table allows; only tests and benchmarks import tests."""
    allowed = MAY_IMPORT[folder] | {folder}
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(folder)
        if not (folder == "packages" and is_test(path))
        for name in imported(path)
        if name in PROJECT - allowed
    }
    assert wrong == set()


def test_flow_files_shadow_nothing() -> None:
    """No file of flows/ is named like a module: Prefect puts flows/ first on the path."""
    importable = {*sys.stdlib_module_names, *importlib.metadata.packages_distributions(), *PROJECT}
    stems = {path.stem for path in sources("flows")} - {"__init__"}
    assert stems & importable == set()


def test_the_example_environment_lists_every_setting() -> None:
    """`.env.example` has each field of Settings once, and nothing else."""
    from tasks.settings import Settings

    prefix = Settings.model_config["env_prefix"]
    fields = sorted(f"{prefix}{field}".upper() for field in Settings.model_fields)
    text = (ROOT / ".env.example").read_text()
    assert sorted(re.findall(r"^(?:# ?)?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE)) == fields


def test_deployments_lead_to_flows() -> None:
    """Every entrypoint of prefect.yaml is a flow."""
    for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        # `flows/x.py:y` and `flows.x.y` mean the same.
        dotted = deployment["entrypoint"].replace(".py:", ".").replace("/", ".")
        module, _, name = dotted.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), prefect.Flow)


def test_deployments_say_where_their_code_is() -> None:
    """prefect.yaml has a `pull`: Prefect would put in the directory of whoever deploys."""
    assert yaml.safe_load((ROOT / "prefect.yaml").read_text())["pull"]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """List a file's functions and their lines of code: neither decorators nor docstring count."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield node.name, lines - (docstring.count("\n") + 1 if docstring else 0)


def test_files_and_functions_are_small() -> None:
    """No file is longer than 300 lines, no function than 35; written migrations are left alone."""
    paths = [path for path in sources(*MAY_IMPORT) if "migrations" not in path.parts]
    long_files = {
        str(path.relative_to(ROOT))
        for path in paths
        if len(path.read_text().splitlines()) > FILE_LINES
    }
    long_functions = {
        f"{path.relative_to(ROOT)}:{name}"
        for path in paths
        for name, lines in functions(path)
        if lines > FUNCTION_LINES
    }
    assert (long_files, long_functions) == (set(), set())


def test_files_name_no_mirror_and_no_machine() -> None:
    """No file names the host of a package index or a path of the machine it was written on."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]
    telling = {
        str(path.relative_to(ROOT))
        for path in paths
        if NOT_OURS_TO_TELL.search(path.read_text(errors="replace"))
    }
    assert telling == set()


def test_the_license_is_there() -> None:
    """The licence that pyproject.toml names is the text in LICENSE."""
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License")
    assert "The Rollcall authors" in text
