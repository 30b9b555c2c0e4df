"""The main job from a terminal: what it prints, what it writes, and its exit code."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed

from demo.nameserver import NameServer
from deployments import terminal
from tests.deployments.dag import YAML, assert_stored
from tests.deployments.running import start, statuses
from tests.services.prefect import PrefectServer

Main = Callable[..., int]


@pytest.fixture
def main(
    flow_server: PrefectServer,
    home: Path,
    nameserver: NameServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Main]:
    """Give the main job of this process, in an empty directory."""
    monkeypatch.setenv("ROLLCALL_NAMESERVERS", nameserver.address)
    monkeypatch.chdir(tmp_path)
    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        yield lambda *words: terminal.main(list(words))


@pytest.mark.timeout(900)
def test_an_empty_home_is_enough(tmp_path: Path, nameserver: NameServer) -> None:
    """Embedded, without any server: exit code 0, ledger and summary, results; nothing stays."""
    out = tmp_path / "results.csv"
    environment = {"HOME": str(tmp_path / "home"), "ROLLCALL_NAMESERVERS": nameserver.address}
    (tmp_path / "home").mkdir()
    (tmp_path / "names.txt").write_text("# mine\npython.org\nPYTHON.org.\n\ngone.example.net\n")
    process = start(environment, str(tmp_path / "names.txt"), "--out", str(out))
    children: list[psutil.Process] = []
    while process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True) or children
        time.sleep(0.1)
    said, errors = process.communicate()
    assert (process.returncode, errors.count("Traceback")) == (0, 0), errors
    lines = [line.split() for line in said.splitlines()]
    assert ["lines", "5"] in lines
    assert ["unique", "2"] in lines
    assert ["resolves", "1"] in lines
    assert ["nxdomain", "1"] in lines
    assert f"Results: {out}" in said
    assert statuses(out) == [("python.org", "resolves"), ("gone.example.net", "nxdomain")]
    # Prefect's own temporary server was one of them.
    assert children
    assert not any(child.is_running() for child in children)


def test_a_run_on_a_server_of_ones_own(
    main: Main, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With PREFECT_API_URL it is a run of that server; checks and format are as given."""
    (tmp_path / "names.csv").write_text("id,host\n1,python.org\n")
    words = ["names.csv", "--checks", "host, host-program", "--column", "host"]
    assert main(*words, "--format", "csv") == terminal.DONE
    assert "Results: results.csv" in capsys.readouterr().out
    assert statuses(tmp_path / "results.csv") == [("python.org", "resolves")] * 2


def test_a_dag_on_the_command_line(main: Main, home: Path, tmp_path: Path) -> None:
    """A DAG in the text of `--checks` is that of the run."""
    (tmp_path / "names.txt").write_text("python.org\nmailonly.org\n")
    assert main("names.txt", "--checks", YAML) == terminal.DONE
    assert statuses(tmp_path / "results.csv") == [
        ("python.org", "resolves"),
        ("python.org", "skipped"),
        ("mailonly.org", "nodata"),
        ("mailonly.org", "nodata"),
    ]
    assert_stored(home)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["missing.txt"], "missing.txt"),
        (["list:7"], "no loaded list 7"),
        (["bad.txt"], "domain"),
        (["good.txt", "--checks", "no-such"], "unknown command 'no-such'"),
        (["good.txt", "--checks", " , "], "at least one check"),
        (["good.txt", "--out", "results.docx"], ".parquet"),
        (["good.txt", "--format", "excel"], "excel"),
        (["good.txt", "--format", "csv", "--column", "9"], "9"),
        (["multi\nline\x1b[31m.txt"], "multi"),
    ],
)
def test_input_that_cannot_be_used_is_one_line(
    main: Main,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    reason: str,
) -> None:
    """Exit code 2, nothing on stdout, and one line on stderr that says why."""
    (tmp_path / "good.txt").write_text("python.org\n")
    (tmp_path / "bad.txt").write_text("???\n")
    assert main(*words) == terminal.REFUSED
    check_one_line(capfd, reason)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("ROLLCALL_NAMESERVERS", "127.0.0.1:9", "no name server answers"),
        ("ROLLCALL_DNS_IN_FLIGHT", "many", "ROLLCALL_DNS_IN_FLIGHT"),
        ("ROLLCALL_HOME", "/dev/null/home", "/dev/null/home"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line(
    main: Main,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    reason: str,
) -> None:
    """The same goes for the settings."""
    (tmp_path / "good.txt").write_text("python.org\n")
    monkeypatch.setenv(variable, value)
    assert main("good.txt") == terminal.REFUSED
    check_one_line(capfd, reason)


def test_a_server_that_takes_too_long_is_one_line(tmp_path: Path) -> None:
    """Prefect's temporary one; it says what can be done, and does not stay."""
    (tmp_path / "names.txt").write_text("python.org\n")
    setting = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
    process = start({"HOME": str(tmp_path), setting: "1"}, str(tmp_path / "names.txt"))
    said, errors = process.communicate()
    assert (process.returncode, said) == (terminal.BROKEN, "")
    # Others may speak as well, e.g. the server that is asked to end.
    (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: Prefect's temporary server: Timed out while")
    assert "Traceback" not in errors
    assert f"{setting} gives it more than 1 s" in line


def test_a_database_that_is_away_is_one_line(
    main: Main,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 1, since the input is not to blame, and the setting to look at."""
    (tmp_path / "good.txt").write_text("python.org\n")
    url = "postgresql+psycopg2://rollcall:sesame@127.0.0.1:9/rollcall"
    monkeypatch.setenv("ROLLCALL_DATABASE_URL", url)
    assert main("good.txt") == terminal.BROKEN
    check_one_line(capfd, "ROLLCALL_DATABASE_URL")


def check_one_line(capfd: pytest.CaptureFixture[str], reason: str) -> None:
    """Hold against the promise what was printed, Prefect's own log on stderr aside."""
    said, errors = capfd.readouterr()
    lines = [line for line in errors.splitlines() if " | " not in line and line.strip()]
    assert said == ""
    assert len(lines) == 1, errors
    assert lines[0].startswith("error: ")
    assert reason in lines[0]
    assert "sesame" not in errors
    assert os.linesep not in lines[0]


def test_a_server_that_keeps_the_summary_to_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """It was asked twice for the end of a run, which then is told in one line."""
    state: State[Any] = Completed(message="2 of 3 domains answered", data=None)
    assert terminal.tell(state, "results.csv") == terminal.DONE
    assert capsys.readouterr().out == "2 of 3 domains answered. Results: results.csv\n"
