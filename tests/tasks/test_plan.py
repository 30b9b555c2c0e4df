"""Which DAGs are right, what a wrong one is told, and the order that a right one has."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.errors import CommandError
from tasks.errors import InputError
from tasks.nodes import parse_checks
from tasks.plan import make_plan

HOST = {"check": "host"}


def again(name: str, **fields: Any) -> dict[str, Any]:
    """Make a node of the command `host`."""
    return {"check": name, "command": "host", **fields}


WRONG: list[tuple[list[Any], str]] = [
    ([], "name at least one check, e.g. host"),
    (["nope"], "check 'nope': unknown command 'nope'; there are: "),
    ([again("x", command="nope")], "check 'x': unknown command 'nope'; there are: "),
    (["host", again("x", needs=["y"])], "check 'x' needs 'y', which is not among the checks; "),
    ([again("x", needs=["x"])], "the checks go round in a circle: 'x' needs 'x'"),
    (
        [again("a", needs="c"), again("b", needs="a"), again("c", needs="b")],
        "the checks go round in a circle: 'a' needs 'c' needs 'b' needs 'a'",
    ),
    (
        [again("x", options={"colour": 1})],
        "check 'x': command 'host', option 'colour': there is no such option; there are: none",
    ),
    ([again("x", colour=1)], "checks, number 1 (x): colour: there is no such field; there are: "),
    (["host", 3], "checks, number 2: write a command's name, or a node with `check`, not 3"),
    ([{"command": "host"}], "checks, number 1: check: Field required"),
    ([again("a b")], "checks, number 1 (a b): check: a name is of letters, digits, "),
    ([again("x" * 65)], f"checks, number 1 ({'x' * 65}): check: a name is of letters, digits, "),
    ([again("x", needs=5)], "checks, number 1 (x): needs: "),
    ([again("x", handling={"retries": 99})], "check 'x': handling: retries: Input should be "),
    ([again("x", handling={"colour": 1})], "check 'x': handling: colour: Extra inputs"),
    (
        [again("x", handling={"reactions": {"OSError": "explode"}})],
        "check 'x': handling: reactions.OSError: Input should be 'retry', 'mark' or 'stop'",
    ),
    (
        ["host", again("x", needs="host", when="yes")],
        "check 'x': when: 'yes' is no status of what it needs (host: resolves, nodata, ",
    ),
    ([again("x", when="resolves")], "check 'x': when: 'resolves' is no status of what it needs "),
    (
        ["host", again("x", needs="host", when={"mail": "resolves"})],
        "check 'x': when: 'mail' is not in its needs",
    ),
    (["cron_events"], "check 'cron_events': command 'cron_events' is for jobs: put one on a work"),
    ([HOST, {**HOST, "command": "host-program"}], "check 'host' is there twice, and not the same"),
]


@pytest.mark.parametrize(("checks", "message"), WRONG, ids=[m[:40] for _, m in WRONG])
def test_a_wrong_dag_is_told_where_and_what(checks: list[Any], message: str) -> None:
    """The error says which check it is about, and what can be written instead."""
    with pytest.raises((InputError, CommandError)) as error:
        make_plan(checks)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_names_are_nodes() -> None:
    """A name, its node, and the node with all defaults are the same plan; twice is once."""
    full = {**HOST, "command": "host", "needs": [], "when": {}, "options": {}, "handling": {}}
    plans = [make_plan(checks).as_json() for checks in (["host"], [HOST], [full], ["host", HOST])]
    assert plans == [[full]] * 4


def test_conditions() -> None:
    """By default a domain goes on with a good status; else with what is written, for each need."""
    nodes = [
        "host",
        again("a", needs="host"),
        again("b", needs=["host", "a"], when=["nxdomain", "resolves"]),
        again("c", needs=["host", "a"], when={"a": "skipped"}),
    ]
    needs = {check.name: dict(check.needs) for check in make_plan(nodes)}
    assert needs == {
        "host": {},
        "a": {"host": ("resolves",)},
        "b": {"host": ("resolves", "nxdomain"), "a": ("resolves", "nxdomain")},
        "c": {"host": ("resolves",), "a": ("skipped",)},
    }
    statuses = {check.name: check.statuses for check in make_plan(nodes)}
    assert "skipped" not in statuses["host"]
    assert statuses["a"][-1] == "skipped"


@given(st.data())
def test_a_check_comes_after_what_it_needs(data: st.DataObject) -> None:
    """In any order of writing, every check comes after all that it needs."""
    count = data.draw(st.integers(1, 8))
    nodes = [
        again(f"c{n}", needs=data.draw(st.lists(st.sampled_from([f"c{m}" for m in range(n)]))))
        if n
        else again("c0")
        for n in range(count)
    ]
    seen: set[str] = set()
    for check in make_plan(data.draw(st.permutations(nodes))):
        assert set(check.needs) <= seen
        seen.add(check.name)
    assert len(seen) == count


NODES = ["host", {"check": "http", "command": "host", "needs": ["host"], "when": "resolves"}]


def test_checks_from_a_command_line(tmp_path: Path) -> None:
    """Names, JSON, YAML and a file of either say the same."""
    yaml = "[host, {check: http, command: host, needs: [host], when: resolves}]"
    file = tmp_path / "dag.yaml"
    file.write_text("- host\n- check: http\n  command: host\n  needs: [host]\n  when: resolves\n")
    assert parse_checks("host, host-program,") == ["host", "host-program"]
    for text in (json.dumps(NODES), yaml, f"@{file}", json.dumps(NODES[1:])):
        assert parse_checks(text) in (NODES, NODES[1:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[host, {", "CHECKS: this is no YAML: "),
        ('[{"check": ]', "CHECKS: this is no JSON: "),
        ("@nowhere.yaml", "CHECKS=@nowhere.yaml: the file cannot be read: "),
        ("@", "CHECKS=@: the file cannot be read: "),
    ],
)
def test_what_is_no_list_of_checks(text: str, message: str) -> None:
    """A text that cannot be read as checks is refused with the reason, in one line."""
    with pytest.raises(InputError) as error:
        parse_checks(text)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_file_without_a_list(tmp_path: Path) -> None:
    """A file that holds something else than a list is told what to hold."""
    file = tmp_path / "dag.yaml"
    file.write_text("host: yes\n")
    with pytest.raises(InputError, match="write a list"):
        parse_checks(f"@{file}")
