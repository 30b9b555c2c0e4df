"""A virtual environment with the third-party distributions of ours, but nothing of Rollcall."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["make_environment", "run"]

#: What `pip install` needs besides what it installs.
BUILDING = ("editables", "hatchling", "pip")
#: Programs, and the function that each of them calls.
PROGRAMS = {"pip": "pip._internal.cli.main:main", "prefect": "prefect.cli:app"}


def make_environment(directory: Path, package: str) -> None:
    """
    Make it, without a network: the distributions are links to those that we import ourselves.

    Args:
        directory: Where to.
        package: A distribution; all that it depends on shall be there, but not itself.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    [site] = directory.glob("lib/python3*/site-packages")
    for found in _closure([package, *BUILDING]):
        for name in _top_level(found) if found.name != package else ():
            link = site / name
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(name))))
    programs = directory / "bin"
    for name, function in PROGRAMS.items():
        module, _, called = function.partition(":")
        script = programs / name
        script.write_text(
            f"#!{programs / 'python'}\nimport sys, {module}\nsys.exit({module}.{called}())\n"
        )
        script.chmod(0o755)


def run(script: str, directory: Path, environment: Mapping[str, str]) -> str:
    """Run a script of bash which is to succeed, and return what it said."""
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout


def _closure(names: Iterable[str]) -> Iterator[Distribution]:
    """List some distributions and all that they depend on."""
    wanted = [(name, "") for name in names]
    seen = set(wanted)
    # It grows meanwhile.
    for name, extra in wanted:
        try:
            found = distribution(name)
        except PackageNotFoundError:
            # For another version of Python, or another system.
            continue
        if not extra:
            yield found
        for line in found.requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                more = {(needed.name, option) for option in ("", *needed.extras)} - seen
                seen |= more
                wanted.extend(sorted(more))


def _top_level(found: Distribution) -> set[str]:
    """List what a distribution has in its site-packages."""
    return {
        file.parts[0] for file in found.files or () if file.parts[0] not in {"..", "__pycache__"}
    }
