"""`check-domains` on a real Prefect server, with the bundled list and the bundled name server."""

import csv
import http.server
import threading
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from demo.nameserver import NameServer
from flows.check_domains import check_domains
from tests.flows.fixtures import Check
from tests.flows.inspection import artifacts, task_run_names
from tests.services.prefect import PrefectServer

DEMO = Path("demo/domains.txt")
#: What the bundled zone says of the bundled list.
STATUSES = {
    "resolves": 26,
    "nodata": 5,
    "nxdomain": 5,
    "servfail": 2,
    "refused": 2,
    "timeout": 2,
    "error": 1,
}
UNIQUE = sum(STATUSES.values())


def rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV result file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_dirty_list_comes_to_one_row_a_domain(check: Check, tmp_path: Path) -> None:
    """Every unique domain has one row with its status, in the order of the file; all adds up."""
    out = tmp_path / "results.csv"
    state = check(file=str(DEMO), out=str(out))
    assert state.is_completed(), state.message
    summary = state.result()
    ledger = summary.stored.ledger
    assert ledger["lines"] == ledger["blank"] + ledger["comment"] + ledger["names"]
    assert ledger["names"] == ledger["invalid"] + ledger["duplicate"] + ledger["unique"]
    assert ledger["unique"] == UNIQUE
    assert summary.checks[0].statuses == STATUSES
    found = rows(out)
    assert [row["domain"] for row in found[:4]] == [
        "python.org",
        "www.python.org",
        "debian.org",
        "wikipedia.org",
    ]
    assert len({row["domain"] for row in found}) == len(found) == UNIQUE
    assert state.message == (
        "Completed with 7 unknown. "
        "43 domains. host: 26 resolves, 5 nodata, 5 nxdomain, 2 servfail, 2 refused, 2 timeout, "
        "1 error"
    )


def test_unsure_names_get_a_second_pass_and_sure_ones_do_not(
    check: Check, nameserver: NameServer, tmp_path: Path
) -> None:
    """A name that failed once resolves at the second attempt; a sure one is asked once."""
    out = tmp_path / "results.csv"
    check(domains="hiccup.org wikipedia.org lamedelegation.com", out=str(out))
    found = {row["domain"]: (row["status"], row["attempts"]) for row in rows(out)}
    assert found == {
        "hiccup.org": ("resolves", "2"),
        "wikipedia.org": ("resolves", "1"),
        "lamedelegation.com": ("servfail", "2"),
    }
    assert nameserver.lookups["wikipedia.org", "A", "udp"] == 1


def test_people_can_follow_a_run(check: Check, prefect_server: PrefectServer) -> None:
    """Task runs are named after what they hold; progress and report are artifacts of the run."""
    state = check(domains="python.org\n<b>|x\nnobody-registered-this.net\n\npython.org.")
    run = state.state_details.flow_run_id
    assert task_run_names(prefect_server, run) == [
        "host nobody-registered-this.net",
        "host python.org",
        "load pasted names",
        "report",
    ]
    found = artifacts(prefect_server, run)
    assert found["host-progress"]["data"] == 100.0
    report = found["report"]["data"]
    assert "| lines | blank | comment | names | invalid | duplicate | unique |" in report
    assert "| 5 | 1 | 0 | 4 | 1 | 1 | 2 |" in report
    assert "<b>" not in report
    assert "### nxdomain" in report
    assert "### Slowest" in report


def test_many_domains_go_in_batches(check: Check, prefect_server: PrefectServer) -> None:
    """Above 250 domains a task run holds several, and says how many and where they begin."""
    names = "\n".join(f"n{i}.pages.dev" for i in range(600))
    state = check(domains=names)
    assert state.message == "600 domains. host: 600 resolves"
    batches = [
        name
        for name in task_run_names(prefect_server, state.state_details.flow_run_id)
        if name.startswith("host ")
    ]
    assert len(batches) == 100
    assert all(" 6 domains from n" in name for name in batches)


def test_the_same_content_is_the_same_list(check: Check, tmp_path: Path) -> None:
    """A second run of the same file, and one of `list:<id>`, use the list that is there."""
    file, copy = tmp_path / "a.txt", tmp_path / "b.txt"
    file.write_text("python.org\n")
    copy.write_text("python.org\n")
    first = check(file=str(file)).result()
    second = check(file=str(copy)).result()
    third = check(file=f"list:{first.stored.id}").result()
    assert first.stored.id == second.stored.id == third.stored.id


def test_the_reading_can_be_overridden(check: Check, tmp_path: Path) -> None:
    """The user's column is taken where the detection would choose another one."""
    file = tmp_path / "table.csv"
    file.write_text("shop,owner\npython.org,debian.org\nwikipedia.org,gnu.org\n")
    out = tmp_path / "results.csv"
    check(file=str(file), format="csv", column="owner", out=str(out))
    assert {row["domain"] for row in rows(out)} == {"debian.org", "gnu.org"}


def test_a_file_can_come_from_a_url(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL is fetched and checked; one on this machine only where that is allowed."""
    (tmp_path / "names.txt").write_text("python.org\ngnu.org\n")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/names.txt"
        refused = check(file=url)
        monkeypatch.setenv("ROLLCALL_ALLOW_PRIVATE_ADDRESSES", "1")
        allowed = check(file=url)
        server.shutdown()
    assert refused.name == "Refused"
    assert allowed.message == "2 domains. host: 2 resolves"


def test_postgresql_holds_the_same(
    check: Check, postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On PostgreSQL a run comes to the same rows as on SQLite, but for what time measures."""
    names = DEMO.read_text().replace("blackhole.net\ntarpit.org", "")
    files = {"sqlite": tmp_path / "sqlite.csv", "postgresql": tmp_path / "postgresql.csv"}
    check(domains=names, out=str(files["sqlite"]))
    monkeypatch.setenv("ROLLCALL_DATABASE_URL", postgres_url)
    state = check(domains=names, out=str(files["postgresql"]))
    assert state.is_completed(), state.message
    measured = {"latency_ms", "checked_at", "attempts"}
    lasting = {
        kind: [{k: v for k, v in row.items() if k not in measured} for row in rows(path)]
        for kind, path in files.items()
    }
    # The name server answers these two at the second question, and the second run is its second.
    assert lasting["sqlite"] == lasting["postgresql"]
    with create_engine(postgres_url).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM results")).scalar() == UNIQUE - 2


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "give either a file"),
        ({"file": "x.txt", "domains": "python.org"}, "give either a file"),
        ({"file": "there-is-no-such-file.txt"}, "There is no file"),
        ({"file": "demo"}, "is not a file"),
        ({"file": "list:999"}, "there is no loaded list 999"),
        ({"domains": "???"}, "!!!"),
        ({"domains": "python.org", "checks": ["no-such"]}, "unknown command 'no-such'"),
        ({"domains": "python.org", "checks": []}, "name at least one check"),
        ({"domains": "python.org", "out": "results.docx"}, "must end in one of .csv, .jsonl"),
        ({"domains": "python.org", "out": "/proc/nowhere/results.csv"}, "cannot be"),
        ({"domains": "python.org", "format": "csv", "column": "9"}, "9"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    check: Check, nameserver: NameServer, parameters: dict[str, object], words: str
) -> None:
    """A request that cannot be met ends as Refused, says what to do, and asks no name server."""
    state = check(**parameters)
    assert (state.name, state.is_failed()) == ("Refused", True)
    assert state.message
    assert "\n" not in state.message
    assert words in state.message or words == "!!!"
    assert {name for name, _, _ in nameserver.queries} <= {"", "."}


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ROLLCALL_NAMESERVERS", "127.0.0.1:9", "no name server answers"),
        ("ROLLCALL_NAMESERVERS", "dns.example", "is no name server"),
        ("ROLLCALL_DNS_IN_FLIGHT", "many", "ROLLCALL_DNS_IN_FLIGHT"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(
    check: Check, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    """A setting that cannot work is named before anything is checked."""
    monkeypatch.setenv(variable, value)
    state = check(domains="python.org")
    assert state.name == "Refused"
    assert words in (state.message or "")


def test_an_unreachable_database_fails_in_one_line_without_its_password(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the database and the setting, and shows no password."""
    url = "postgresql+psycopg2://rollcall:sesame@127.0.0.1:9/rollcall"
    monkeypatch.setenv("ROLLCALL_DATABASE_URL", url)
    state = check(domains="python.org")
    assert state.is_failed()
    assert "ROLLCALL_DATABASE_URL" in (state.message or "")
    assert "sesame" not in (state.message or "")


def test_the_run_form_has_every_parameter_explained() -> None:
    """Each parameter has a field for one value or a list, a description and a default."""
    properties = check_domains.parameters.model_dump()["properties"]
    assert set(properties) == {
        "file",
        "checks",
        "domains",
        "work_queue",
        "out",
        "format",
        "column",
        "fail_above",
        "overlap",
        "notify",
    }
    for field in properties.values():
        assert field["description"]
        assert "default" in field
        assert "anyOf" not in field
