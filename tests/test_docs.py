"""The page that shows how to write a command shows one that works."""

import csv
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from demo.behaviours import answers
from demo.nameserver import running_nameserver
from demo.script import Script

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "own-command.md").read_text(encoding="utf-8")


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


def test_the_command_of_the_page(tmp_path: Path) -> None:
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
