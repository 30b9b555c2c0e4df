"""README.md shows what really happens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, opening: str) -> str:
    """Return the fenced block of a language that begins with some words."""
    pattern = rf"```{language}\n({re.escape(opening)}.*?)```"
    found = re.search(pattern, README, re.DOTALL)
    assert found, f"no block in README begins with {opening!r}"
    return found[1]


@pytest.mark.timeout(900)
def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """`make demo`, with an empty home and no network, prints the ledger and statuses shown."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=tmp_path,
        env=environment | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = block("", "Read as UTF-8").split("  …\n")[0]
    assert done.stdout.startswith(shown)


def test_the_settings_table_is_whole() -> None:
    """The table lists each setting once."""
    prefix = Settings.model_config["env_prefix"]
    fields = sorted(f"{prefix}{field}".upper() for field in Settings.model_fields)
    assert sorted(re.findall(r"^\| `(ROLLCALL_\w+)` \|", README, re.MULTILINE)) == fields
