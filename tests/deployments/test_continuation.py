"""Runs whose process is killed, and the same command typed again."""

import signal
from collections import Counter
from pathlib import Path

import pytest

from demo.nameserver import NameServer
from tests.deployments.running import Environment, ask, start, statuses, wait_for
from tests.services.asking import ask_api
from tests.services.prefect import PrefectServer

# The imports of several processes, and session fixtures, count against a test's time.
pytestmark = pytest.mark.timeout(900)

DOMAINS = 3_000
#: Enough that the most of them are not checked yet when some are.
PACE = {"ROLLCALL_DNS_QUERIES_PER_SECOND": "300"}
COMMITTED = "SELECT name FROM results"
#: Number, list, whether it is done, and its results.
RUNS = """
SELECT number, list_id, ended_at IS NOT NULL,
       (SELECT count(*) FROM results WHERE run = runs.number)
FROM runs ORDER BY number
"""
#: When the lists of runs were loaded.
LOADING = "SELECT loaded_at FROM lists JOIN runs ON runs.list_id = lists.id"
#: Whether a list is whole, and its domains.
LISTS = """
SELECT loaded_at IS NOT NULL, (SELECT count(*) FROM domains WHERE list_id = lists.id) FROM lists
"""


@pytest.fixture
def environment(
    home: Path, nameserver: NameServer, flow_server: PrefectServer, tmp_path: Path
) -> Environment:
    """Give the surroundings of all processes of a test."""
    return {
        "ROLLCALL_HOME": str(home),
        "ROLLCALL_NAMESERVERS": nameserver.address,
        "PREFECT_API_URL": flow_server.api_url,
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }


def a_file(folder: Path, count: int = DOMAINS) -> Path:
    """Write names that resolve at the first question, into a file of the test's own name."""
    path = folder / f"{folder.name}.txt"
    path.write_text("".join(f"n{number}.pages.dev\n" for number in range(count)))
    return path


def states(server: PrefectServer, name: str) -> list[str]:
    """Return the states of the flow runs of a name, the oldest first."""
    body = {"flow_runs": {"name": {"any_": [name]}}, "sort": "EXPECTED_START_TIME_ASC"}
    runs = ask_api("POST", f"{server.api_url}/flow_runs/filter", body)
    return [run["state_name"] for run in runs]


def counts(nameserver: NameServer) -> Counter[str]:
    """Count the questions by name."""
    found: Counter[str] = Counter()
    for (name, _, _), times in nameserver.queries.items():
        found[name] += times
    return found


def test_the_same_command_goes_on_after_a_kill(
    environment: Environment,
    home: Path,
    nameserver: NameServer,
    flow_server: PrefectServer,
    tmp_path: Path,
) -> None:
    """After `kill -9` no committed domain is asked again; every domain has one row."""
    file, out = a_file(tmp_path), tmp_path / "results.csv"
    words = [str(file), "--out", str(out)]
    killed = start(environment | PACE, *words)
    wait_for(killed, lambda: len(ask(home, COMMITTED)) >= 300)
    killed.kill()
    killed.communicate()
    committed = {name for (name,) in ask(home, COMMITTED)}
    assert 300 <= len(committed) < DOMAINS
    assert not out.exists()
    before = counts(nameserver)

    again = start(environment, *words)
    said, errors = again.communicate()
    assert again.returncode == 0, errors
    after = counts(nameserver)
    assert {name for name in committed if after[name] != before[name]} == set()
    assert Counter(statuses(out)) == {
        (f"n{number}.pages.dev", "resolves"): 1 for number in range(DOMAINS)
    }
    assert [run[2:] for run in ask(home, RUNS)] == [(1, DOMAINS)]
    assert "unique" in said
    assert states(flow_server, file.name) == ["Crashed", "Completed"]


def test_a_second_process_leaves_a_living_run_alone(
    environment: Environment,
    home: Path,
    flow_server: PrefectServer,
    tmp_path: Path,
) -> None:
    """While a run is alive the same command makes a run of its own; both come to their end."""
    count = 150
    file = a_file(tmp_path, count)
    pace = {"ROLLCALL_DNS_QUERIES_PER_SECOND": "5"}
    living = start(environment | pace, str(file), "--out", str(tmp_path / "first.csv"))
    wait_for(living, lambda: len(ask(home, COMMITTED)) > 0)
    second = start(environment, str(file), "--out", str(tmp_path / "second.csv"))
    wait_for(second, lambda: len(ask(home, RUNS)) > 1)
    # It has decided by now.
    assert living.poll() is None
    _, errors = second.communicate()
    assert second.returncode == 0, errors
    _, errors = living.communicate()
    assert living.returncode == 0, errors
    assert [run[2:] for run in ask(home, RUNS)] == [(1, count), (1, count)]
    assert states(flow_server, file.name) == ["Completed", "Completed"]
    first_rows, second_rows = (statuses(tmp_path / f"{name}.csv") for name in ("first", "second"))
    assert first_rows == second_rows
    assert len(first_rows) == count


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on(
    environment: Environment,
    home: Path,
    flow_server: PrefectServer,
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    """Ctrl-C, or a supervisor's end, is one line and exit code 130; the run is shown as crashed."""
    file = a_file(tmp_path)
    process = start(environment | PACE, str(file), "--out", str(tmp_path / "results.csv"))
    wait_for(process, lambda: len(ask(home, COMMITTED)) > 0)
    process.send_signal(how)
    said, errors = process.communicate()
    assert (process.returncode, said) == (130, ""), errors
    assert errors.strip() == "error: interrupted; the same command goes on where it stopped"
    assert states(flow_server, file.name) == ["Crashed"]


def test_a_kill_while_the_list_is_loaded_leaves_nothing(
    environment: Environment, home: Path, tmp_path: Path
) -> None:
    """Half a list is thrown away: the same command loads it anew, and checks each domain once."""
    file, out = tmp_path / "half.txt", tmp_path / "results.csv"
    # Many lines take long to read, few names are soon checked.
    names = "".join(f"n{number}.pages.dev\n" for number in range(200))
    file.write_text(names * 25_000)
    killed = start(environment, str(file), "--out", str(out))
    wait_for(killed, lambda: ask(home, LOADING) == [(None,)])
    killed.kill()
    killed.communicate()
    assert ask(home, LOADING) == [(None,)]

    again = start(environment, str(file), "--out", str(out))
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    assert ask(home, LISTS) == [(1, 200)]
    assert [run[2:] for run in ask(home, RUNS)] == [(1, 200)]
    assert len(statuses(out)) == 200
