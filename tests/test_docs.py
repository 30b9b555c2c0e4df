"""What the pages in docs/ say is so."""

import csv
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from commands.cron_frame.command import CronFrame
from commands.cron_frame.configuration import Frame, Shop
from commands.cron_frame.offers import COLUMNS
from commands.registry import command_named, command_names
from demo.behaviours import answers
from demo.nameserver import running_nameserver
from demo.script import Script
from tests.services.prefect import PrefectServer

ROOT = Path(__file__).parents[1]
#: Commands that are no checks but jobs -> the page that tells of them.
JOBS = {"cron_events": "cron-events.md"}
CHECKS = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "own-command.md").read_text(encoding="utf-8")
FRAMES = (ROOT / "docs" / "cron-frame.md").read_text(encoding="utf-8")


def files(directory: Path) -> None:
    """Write the files of the page to where it says, below a directory."""
    found = re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in found] == ["rollcall_port/__init__.py", "pyproject.toml"]
    for name, text in found:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(words: list[str], **environment: str) -> str:
    """Run a module of Python's, and return what it said."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "ROLLCALL_"))}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=plain | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_command_of_the_page(flow_server: PrefectServer, tmp_path: Path) -> None:
    """Installed from the text alone, it is a check like any other, with its option."""
    files(tmp_path / "source")
    site = tmp_path / "site"
    pip = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    run([*pip, "--target", str(site), str(tmp_path / "source")])
    out, home = tmp_path / "results.csv", tmp_path / "home"
    (tmp_path / "names.txt").write_text("open.org\nnowhere.org\n")
    script = Script({"open.org": answers(A="127.0.0.1"), "nowhere.org": answers(A="127.0.0.9")})
    with socket.create_server(("127.0.0.1", 0)) as listener, running_nameserver(script) as server:
        node = f"{{check: port, needs: [host], options: {{port: {listener.getsockname()[1]}}}}}"
        words = ["deployments.run", str(tmp_path / "names.txt"), "--out", str(out)]
        said = run(
            [*words, "--checks", f"[host, {node}]"],
            PYTHONPATH=str(site),
            HOME=str(home),
            PREFECT_HOME=str(home / "prefect"),
            PREFECT_API_URL=flow_server.api_url,
            ROLLCALL_HOME=str(home),
            ROLLCALL_NAMESERVERS=server.address,
            ROLLCALL_ALLOW_PRIVATE_ADDRESSES="1",
        )
    assert "port  (answered 2 of 2" in said
    with out.open(encoding="utf-8", newline="") as stream:
        rows = [(row["domain"], row["check"], row["status"]) for row in csv.DictReader(stream)]
    assert rows == [
        ("open.org", "host", "resolves"),
        ("open.org", "port", "open"),
        ("nowhere.org", "host", "resolves"),
        ("nowhere.org", "port", "closed"),
    ]
    python = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    assert len([line for line in python.splitlines() if line.strip()]) <= 30


def table(heading: str, page: str = CHECKS) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    section = page.split(f"\n{heading}\n", 1)[1]
    rows = re.search(r"^\|.*?(?=\n[^|]|\Z)", section, re.DOTALL | re.MULTILINE)
    assert rows
    lines = rows[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_commands_table_is_true() -> None:
    """It has each command with its statuses, and says which are good and which unsure."""
    shown = {cells[0].strip("`"): cells[2].split() for cells in table("## The commands")}
    assert set(shown) == set(command_names()) - set(JOBS)
    for name, words in shown.items():
        command = command_named(name)
        marks = {
            status: f"**{status}**"
            if status in command.good
            else f"*{status}*"
            if status in command.unsure
            else status
            for status in command.statuses
        }
        assert set(words) == set(marks.values()), name
        assert len(words) == len(marks)


@pytest.mark.parametrize("name", sorted(set(command_names()) - set(JOBS)))
def test_the_options_are_all_there(name: str) -> None:
    """The section of each command has its options, and no others."""
    options = set(command_named(name).options_type().model_fields)
    heading = "### host, host-program" if name.startswith("host") else f"### {name}"
    section = CHECKS.split(f"\n{heading}\n", 1)[1].split("\n### ")[0].split("\n## ")[0]
    if not options:
        assert "No options." in section
        return
    found = {word for cells in table(heading) for word in re.findall(r"`(\w+)`", cells[0])}
    assert found == options


def test_the_errors_table_is_true() -> None:
    """It has each command's time limit, and what is retried and stops the run."""
    shown = {cells[0].strip("`"): cells[1:] for cells in table("## Errors")}
    assert set(shown) == set(command_names()) - set(JOBS)
    for name, (seconds, retried, stops) in shown.items():
        handling = command_named(name).handling
        limit = handling.timeout_seconds
        assert seconds == ("none" if limit is None else f"{limit:g}")
        for reaction, cell in (("retry", retried), ("stop", stops)):
            kinds = {kind for kind, done in handling.reactions.items() if done == reaction}
            assert set(cell.split()) == kinds, name


@pytest.mark.parametrize("name", JOBS)
def test_the_page_of_a_job_is_true(name: str) -> None:
    """It has the command's statuses, the good ones bold, and is linked in the README."""
    command = command_named(name)
    page = (ROOT / "docs" / JOBS[name]).read_text(encoding="utf-8")
    shown = [cells[0] for cells in table("## What comes of it", page)]
    assert shown == [f"**{one}**" if one in command.good else one for one in command.statuses]
    assert f"docs/{JOBS[name]}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("heading", "model"), [("## The shop", Shop), ("## A frame", Frame)])
def test_the_fields_of_frames_are_all_there(heading: str, model: type[Shop | Frame]) -> None:
    """The table has each field of the TOML file, and no others; the defaults are true."""
    found: dict[str, str] = {}
    for cells in table(heading, FRAMES):
        fields = re.findall(r"`(\w+)`", cells[0])
        defaults = cells[1].replace("`", "").split(", ")
        found |= dict(zip(fields, [*defaults, "", "", ""], strict=False))
    assert set(found) == set(model.model_fields)
    if model is Frame:
        told = {name: default for name, default in found.items() if default}
        true = {name: model.model_fields[name].default for name in told}
        assert told == {name: shown(default) for name, default in true.items()}


def shown(default: object) -> str:
    """Write a default as the page does."""
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, int | float) else str(default)


def test_the_columns_and_statuses_of_frames_are_all_there() -> None:
    """The page names each column that is read, and each status."""
    assert [name for name in COLUMNS if f"`{name}`" not in FRAMES] == []
    assert [name for name in CronFrame.statuses if f"`{name}`" not in FRAMES] == []
