"""What people type: the targets of the Makefile that cost nothing."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Stands in for the main job: prints its arguments, ends with the code that CHECKS asks for.
JOB = "import sys; print(sys.argv[1:]); sys.exit(int(sys.argv[4]) if sys.argv[4].isdigit() else 0)"


def make(*arguments: str, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make, as a user would."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=directory, env=ours, capture_output=True, text=True, check=False
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Give a directory with our Makefile, an installation that is done, and a job to run."""
    house = tmp_path / "house with a space"
    (house / ".venv" / "bin").mkdir(parents=True)
    (house / "deployments").mkdir()
    (house / "deployments" / "run.py").write_text(JOB)
    package = "packages/prefect-rabbitmq/pyproject.toml"
    for name in ("Makefile", "requirements.lock", "pyproject.toml", package):
        (house / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, house / name)
    (house / ".venv" / "bin" / "python").symlink_to(shutil.which("python3") or "")
    (house / ".venv" / ".installed").touch()
    return house


def test_make_alone_lists_what_there_is() -> None:
    """Without a target, make lists every target for people."""
    listed = set(re.findall(r"^  make (\w+) ", make().stdout, re.MULTILINE))
    stack = {"up", "down", "deploy"}
    assert listed >= stack | {"install", "run", "demo", "test", "lint", "bench", "lock", "clean"}


def test_run_wants_a_file(house: Path) -> None:
    """`make run` without FILE ends with code 2 and says what is missing."""
    result = make("run", directory=house)
    assert result.returncode == 2
    assert "make run FILE=domains.txt" in result.stderr.splitlines()[0]


@pytest.mark.parametrize("file", ["plain.txt", "a 'b\" $x $(shell false) `c`.txt", "-t", "ü#;.txt"])
def test_any_file_name_comes_through(house: Path, file: str) -> None:
    """A file name reaches the job as it was typed, whatever is in it."""
    result = make("run", f"FILE={file}", "CHECKS=host,http", directory=house)
    reading = ["--format", "detect", "--column", ""]
    expected = ["--out", "results.csv", "--checks", "host,http", *reading, "--", file]
    assert (result.returncode, result.stdout.strip()) == (0, str(expected))


@pytest.mark.parametrize(("job", "seen"), [("0", 0), ("2", 2)])
def test_exit_codes_come_through(house: Path, job: str, seen: int) -> None:
    """What the job ends with is what make ends with."""
    assert make("run", "FILE=x", f"CHECKS={job}", directory=house).returncode == seen
