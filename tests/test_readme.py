"""README.md shows what really happens."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from commands.command import Command
from commands.environment import Environment
from commands.execution import Finished, run
from tasks.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, opening: str) -> str:
    """Return the fenced block of a language that begins with some words."""
    pattern = rf"```{language}\n({re.escape(opening)}.*?)```"
    found = re.search(pattern, README, re.DOTALL)
    assert found, f"no block in README begins with {opening!r}"
    return found[1]


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """`make demo`, with an empty home and no network, prints the ledger and statuses shown."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env=environment | {"HOME": str(tmp_path)},
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


@pytest.mark.parametrize(("port", "status"), [("open", "open"), ("closed", "closed")])
def test_the_command_of_the_readme_runs(port: str, status: str) -> None:
    """The example command, taken from the text, says whether something listens."""
    namespace: dict[str, type[Command[str, bool]]] = {}
    found: list[Finished] = []

    async def check() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        number = server.sockets[0].getsockname()[1]
        if port == "closed":
            server.close()
            await server.wait_closed()
        source = block("python", "import asyncio").replace("443)", f"{number})")
        exec(source, namespace)
        async with namespace["Port"]({}, Environment()) as command:
            await run(command, ["localhost"], found.append)
        server.close()

    asyncio.run(check())
    assert [one.outcome.status for one in found] == [status]
