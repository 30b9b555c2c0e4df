"""A run says what is not as it was in the run before, and tells people."""

import csv
from pathlib import Path

import pytest
from prefect.client.schemas.objects import State

from tests.flows.fixtures import Check
from tests.flows.inspection import artifacts
from tests.flows.worlds import AFTER, BEFORE, world
from tests.services.prefect import PrefectServer


@pytest.fixture
def second(check: Check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> State[object]:
    """Give the final state of a second run of a list, for which the world has changed."""
    file = tmp_path / "names.txt"
    file.write_text("\n".join(BEFORE))
    with world(BEFORE, monkeypatch):
        first = check(file=str(file))
    assert str(first.message).endswith("host: 3 resolves, 1 nxdomain")
    with world(AFTER, monkeypatch):
        return check(file="list:latest", out=str(tmp_path / "second.csv"))


def test_the_final_state_counts_what_changed(second: State[object]) -> None:
    """The headline has the number, and a summary the kinds."""
    assert str(second.message).endswith("host: 3 resolves, 1 nxdomain. 3 changed")


def test_the_result_file_says_what_changed(second: State[object], tmp_path: Path) -> None:
    """Each row says how it differs from the run before, if it does."""
    with (tmp_path / "second.csv").open(encoding="utf-8", newline="") as stream:
        found = {row["domain"]: row["change"] for row in csv.DictReader(stream)}
    expected = {"moved.org": "answer", "lost.org": "status", "found.org": "status"}
    assert found == {"same.org": "", **expected}


def test_the_report_says_what_changed(second: State[object], flow_server: PrefectServer) -> None:
    """The report names the changed domains with what they were and what they are."""
    report = artifacts(flow_server, second.state_details.flow_run_id)["report"]["data"]
    assert "### Changed since the previous run" in report
    assert "| status | 2 |" in report
    assert r"| status | lost\.org | resolves | nxdomain |" in report
    assert r"192\.0\.2\.2" in report


def test_a_new_version_of_a_file(
    check: Check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the newer file has more or less than the older one is new, or gone."""
    file = tmp_path / "names.txt"
    with world(BEFORE, monkeypatch):
        file.write_text("same.org\nlost.org\n")
        assert check(file=str(file)).result().previous is None
        file.write_text("same.org\nmoved.org\n")
        summary = check(file=str(file)).result()
    assert summary.checks[0].changes == {"new": 1, "gone": 1}
    assert [one.name for one in summary.checks[0].changed["gone"]] == ["lost.org"]


def test_pasted_names_are_no_versions_of_each_other(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pasted lists have one name; only the very same names are compared."""
    with world(BEFORE, monkeypatch):
        assert check(domains="same.org").result().previous is None
        assert check(domains="lost.org").result().previous is None
        assert check(domains="same.org").result().previous is not None


def test_another_command_is_no_change(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of the same name that does something else is not compared."""
    with world(BEFORE, monkeypatch):
        check(domains="same.org lost.org")
        node = {"check": "host", "command": "host-program"}
        assert check(domains="same.org lost.org", checks=[node]).result().changes == 0
