"""A run of several checks: who goes on, when, and what is said of the others."""

import csv
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from commands.ns import Ns
from demo.nameserver import NameServer
from tests.flows.fixtures import Check
from tests.flows.inspection import artifacts, finished_task_runs
from tests.services.prefect import PrefectServer

#: A third check, which needs the second one.
LAST = {"command": "host", "needs": "ns", "when": "nodata"}
#: Names of the bundled zone -> what `host` says of them.
NAMES = {
    "python.org": "resolves",
    "wikipedia.org": "resolves",
    "hiccup.org": "resolves",
    "mailonly.org": "nodata",
    "nobody-registered-this.net": "nxdomain",
    "lamedelegation.com": "servfail",
}
#: Every kind of edge: one need, another condition, two needs, a check of the same command.
DAG: list[Any] = [
    "host",
    {"check": "program", "command": "host-program", "needs": ["host"]},
    {"check": "missing", "command": "host", "needs": "host", "when": ["nxdomain", "nodata"]},
    {"check": "both", "command": "host", "needs": ["host", "program"]},
]


def statuses(path: Path) -> dict[str, dict[str, str]]:
    """Read a CSV result file: domain -> check -> status."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            assert row["check"] not in found[row["domain"]]
            found[row["domain"]][row["check"]] = row["status"]
    return found


def test_each_domain_goes_as_far_as_the_conditions_say(
    check: Check, flow_server: PrefectServer, tmp_path: Path
) -> None:
    """Every check has one result for every domain; who was not passed on is skipped."""
    out = tmp_path / "results.csv"
    state = check(domains=" ".join(NAMES), checks=DAG, out=str(out))
    assert state.is_completed(), state.message
    assert statuses(out) == {
        name: {
            "host": host,
            "program": "resolves" if host == "resolves" else "skipped",
            "missing": host if host in {"nxdomain", "nodata"} else "skipped",
            "both": "resolves" if host == "resolves" else "skipped",
        }
        for name, host in NAMES.items()
    }
    for summary in state.result().checks:
        assert sum(summary.statuses.values()) == len(NAMES)
        assert summary.statuses.get("skipped", 0) == len(NAMES) - summary.looked_at
    found = artifacts(flow_server, state.state_details.flow_run_id)
    assert found["host-progress"]["data"] == found["program-progress"]["data"] == 100.0
    assert "3 skipped" in found["program-progress"]["description"]
    assert "| skipped | 3 |" in found["report"]["data"]


def test_the_late_pass_lets_a_domain_go_on(
    check: Check, nameserver: NameServer, tmp_path: Path
) -> None:
    """What is unsure at first goes on when its second pass has said that it resolves."""
    out = tmp_path / "results.csv"
    names = "hiccup.org wikipedia.org lamedelegation.com"
    check(domains=names, checks=["host", {**DAG[3], "needs": ["host"]}], out=str(out))
    assert statuses(out) == {
        "hiccup.org": {"host": "resolves", "both": "resolves"},
        "wikipedia.org": {"host": "resolves", "both": "resolves"},
        "lamedelegation.com": {"host": "servfail", "both": "skipped"},
    }
    # Once by each check: nobody asks for what is known.
    assert nameserver.lookups["wikipedia.org", "A", "udp"] == 2


def test_why_a_domain_was_skipped(check: Check, tmp_path: Path) -> None:
    """The row of a skipped domain says which check stopped it, and with what."""
    out = tmp_path / "results.csv"
    check(domains="nobody-registered-this.net", checks=DAG[:2], out=str(out))
    with out.open(encoding="utf-8", newline="") as stream:
        _, row = csv.DictReader(stream)
    assert (row["status"], row["error"], row["attempts"]) == ("skipped", "host: nxdomain", "0")


def test_the_graph_has_real_edges(check: Check, flow_server: PrefectServer) -> None:
    """A later check's task run comes after the task runs of its own domain, and of no other."""
    names = ["python.org", "wikipedia.org", "nobody-registered-this.net"]
    state = check(domains="\n".join(names), checks=DAG)
    runs = finished_task_runs(flow_server, state.state_details.flow_run_id)
    ids = {run["id"]: run["name"] for run in runs}
    after = {
        run["name"]: {ids[source["id"]] for source in run["task_inputs"].get("wait_for", [])}
        for run in runs
        if run["name"] not in {"report", "load pasted names"}
    }
    expected: dict[str, set[str]] = {f"host {name}": set() for name in names}
    for name in names[:2]:
        expected[f"program {name}"] = {f"host {name}"}
        expected[f"both {name}"] = {f"host {name}", f"program {name}"}
    expected[f"missing {names[2]}"] = {f"host {names[2]}"}
    assert after == expected


def test_a_later_check_does_not_wait_for_the_whole_stage(
    check: Check, flow_server: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With slow lookups, the first batch of the second check ends before the last of the first."""
    monkeypatch.setenv("ROLLCALL_DNS_QUERIES_PER_SECOND", "40")
    names = "\n".join(f"n{i}.pages.dev" for i in range(80))
    second = {"check": "again", "command": "host-program", "needs": "host"}
    state = check(domains=names, checks=["host", second])
    runs = finished_task_runs(flow_server, state.state_details.flow_run_id)
    last = max(run["end_time"] for run in runs if run["name"].startswith("host "))
    early = [run for run in runs if run["name"].startswith("again ") and run["end_time"] < last]
    assert len(early) > 10


def test_a_check_may_need_smaller_batches(
    check: Check, flow_server: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parts of a segment are cut; other checks keep their batches, and nobody is forgotten."""
    monkeypatch.setattr(Ns, "largest_batch", 2)
    names = "\n".join(f"n{i}.pages.dev" for i in range(300))
    nodes = ["host", {"check": "ns", "needs": "host"}, {"check": "last", **LAST}]
    state = check(domains=names, checks=nodes)
    assert state.message == "300 domains. host: 300 resolves; ns: 300 nodata; last: 300 resolves"
    runs = finished_task_runs(flow_server, state.state_details.flow_run_id)
    counts = Counter(run["name"].split()[0] for run in runs)
    # Of each three, two and one.
    assert (counts["host"], counts["ns"], counts["last"]) == (100, 200, 100)
    last = next(run for run in runs if run["name"].startswith("last "))
    assert len(last["task_inputs"]["wait_for"]) == 2


def test_what_stays_unknown_is_said_and_may_fail_the_run(check: Check, tmp_path: Path) -> None:
    """The final state counts what nobody knows; above a share the run fails, with its results."""
    out = tmp_path / "results.csv"
    names = "wikipedia.org lamedelegation.com gnu.org python.org"
    state = check(domains=names, out=str(out), fail_above=0.25)
    assert state.is_completed()
    assert str(state.message).startswith("Completed with 1 unknown. 4 domains. host: 3 resolves")
    state = check(domains=names, out=str(out), fail_above=0.2)
    assert state.is_failed()
    assert str(state.message).startswith(
        "host: 1 of 4 are unknown, which is more than fail_above=0.2."
    )
    assert Counter(row["host"] for row in statuses(out).values())["servfail"] == 1


@pytest.mark.parametrize("share", [5, -0.1, float("nan")])
def test_a_share_that_is_none(check: Check, share: float) -> None:
    """Percent are no share: with 5 no run would ever fail."""
    state = check(domains="python.org", fail_above=share)
    assert state.name == "Refused"
    assert str(state.message).startswith("fail_above: write a share from 0 to 1, e.g. 0.05, not ")


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        (["whois2"], "check 'whois2': unknown command 'whois2'; there are: cron"),
        (
            [{"check": "a", "command": "host", "needs": "b"}, {"check": "b", "needs": "a"}],
            "the checks go round in a circle: 'a' needs 'b' needs 'a'",
        ),
    ],
)
def test_a_wrong_dag_is_refused_before_anything_runs(
    check: Check, nameserver: NameServer, checks: list[Any], message: str
) -> None:
    """The final state says in one line what is wrong and where; nobody was asked anything."""
    state = check(domains="python.org", checks=checks)
    assert (state.name, str(state.message)[: len(message)]) == ("Refused", message)
    assert not nameserver.queries


def test_the_run_form_shows_a_node(flow_server: PrefectServer) -> None:
    """The parameters' schema, which the UI draws, has a node's fields with descriptions."""
    from prefect.utilities.callables import parameter_schema

    from flows.check_domains import check_domains

    schema = parameter_schema(check_domains).model_dump()
    checks = schema["properties"]["checks"]
    name, node = checks["items"]["anyOf"]
    assert name["type"] == "string"
    assert set(node["properties"]) == {"check", "command", "needs", "when", "options", "handling"}
    assert all(field["description"] for field in node["properties"].values())
    assert checks["default"] == ["host"]
    assert "DAG" in checks["description"]
    assert schema["properties"]["fail_above"]["default"] == 1.0
