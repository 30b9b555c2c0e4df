"""`program` makes of any program a command, by options alone, and runs nothing else."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from commands.environment import Environment
from commands.errors import ProgramMissing, RunStopped, UnknownOption
from commands.program import MAX_OUTPUT
from commands.registry import make
from demo.nameserver import running_nameserver
from tests.commands.checking import check
from tests.commands.names import script
from tests.commands.programs import HOST, PING, WHOIS, batch, nothing_left, run, shell

STATUSES = ["yes", "no", "unknown", "timeout", "error"]
RULES = [
    {"pattern": "first", "status": "yes"},
    {"pattern": "(?im)^second$", "status": "no"},
    {"pattern": "fir", "status": "error"},
]
#: What a script does -> status and what was matched, by these rules and exit codes.
MEANINGS: dict[str, tuple[str, str | None]] = {
    "echo first": ("yes", "first"),
    "echo second first": ("yes", "first"),
    "echo third; echo SECOND": ("no", "SECOND"),
    "echo fire": ("error", "fir"),
    "echo first >&2": ("yes", "first"),
    "printf 'second\\r\\nthird\\r\\n'": ("no", "second"),
    "echo first; exit 4": ("yes", "first"),
    "exit 0": ("yes", None),
    "exit 4": ("no", None),
    "exit 5": ("timeout", None),
    "kill -9 $$": ("error", None),
    "exit 6": ("unknown", None),
    "echo nothing known; exit 255": ("unknown", None),
    "kill -15 $$": ("unknown", None),
}
CODES = {"0": "yes", "4": "no", "5": "timeout", "-9": "error"}


@pytest.mark.parametrize("doing", MEANINGS)
def test_patterns_come_before_exit_codes(doing: str) -> None:
    """The first pattern that is found decides, then the exit code, then the default."""
    outcome = run(shell(doing, patterns=RULES, exit_codes=CODES))
    assert (outcome.status, (outcome.answer or {})["matched"]) == MEANINGS[doing]
    assert outcome.decided_by == "sh"
    assert bool(outcome.error) == (outcome.status in {"unknown", "timeout", "error"})


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_can_be_given(status: str) -> None:
    """Every status may be that of a pattern, of an exit code and of neither."""
    rules = [{"pattern": "said", "status": status}]
    assert run(shell("echo said; exit 1", patterns=rules)).status == status
    assert run(shell("exit 1", exit_codes={"1": status})).status == status
    assert run(shell("exit 1", default=status)).status == status


def test_the_answer_has_what_was_seen() -> None:
    """An answer has the exit code and the first of the output; the error has its last line."""
    outcome = run(shell('echo "for $0"; seq 1000; echo at last >&2; exit 3'))
    output = "\n".join(["for a.org", *map(str, range(1, 1001))])[:MAX_OUTPUT]
    assert outcome.answer == {
        "exit_code": 3,
        "output": output,
        "truncated": False,
        "matched": None,
    }
    assert outcome.error == "exit code 3, printed: at last"
    assert outcome.status == "unknown"


def test_the_name_is_put_in_its_place() -> None:
    """Wherever in its element `{name}` is, and however often, the name is there."""
    options = {"argv": ["printf", "%s", "<{name}|{name}>"]}
    answer = run(options, "xn--mnchen-3ya.de").answer or {}
    assert answer["output"] == "<xn--mnchen-3ya.de|xn--mnchen-3ya.de>"


HOSTILE = [
    "-v", "--help", "-", "--", "", " a.org", "a.org b.org", "a.org\n", "@server", "+short", "/etc",
    "$(touch {file})", "`touch {file}`", "a;touch {file}", "a|touch {file}", "a&touch {file}",
    "a\ntouch {file}", "a.org>{file}", "'", '"', "*", "a\0b", "{{name}}", "\udcff",
]  # fmt: skip


@pytest.mark.parametrize("payload", HOSTILE)
def test_only_names_are_run(payload: str, tmp_path: Path) -> None:
    """What is no name is refused before the program runs, even where a shell would read it."""
    name = payload.format(file=tmp_path / "file")
    careless = {"argv": ["sh", "-c", f"touch {tmp_path}/run; echo {{name}}"], "default": "yes"}
    outcome = run(careless, name)
    assert outcome.status == "error"
    assert "is no name" in (outcome.error or "")
    assert [*tmp_path.iterdir()] == []
    assert run(careless).status == "yes"


A, B = "sh", "{name}"
RULE = {"pattern": "x", "status": "yes"}
#: Options -> what refusing them says.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "'argv'.*required"),
    ({"argv": "sh {name}"}, "'argv'"),
    ({"argv": ["sh"]}, "'argv'.*at least 2"),
    ({"argv": ["{name}", "x"]}, "exactly one element after the first"),
    ({"argv": ["{name}", "{name}"]}, "exactly one element after the first"),
    ({"argv": ["sh", "name"]}, "exactly one element after the first"),
    ({"argv": ["sh", "{name}", "-{name}"]}, "exactly one element after the first"),
    ({"argv": ["", "{name}"]}, "program's name, or its absolute path"),
    ({"argv": ["bin/sh", "{name}"]}, "program's name, or its absolute path"),
    ({"argv": ["./sh", "{name}"]}, "program's name, or its absolute path"),
    ({"argv": ["sh", "\0{name}"]}, "NUL"),
    ({"argv": [A, B], "default": "maybe"}, "'default'.*'yes', 'no', 'unknown', 'timeout' or 'err"),
    ({"argv": [A, B], "exit_codes": {"0": "good"}}, "'exit_codes.0'.*'yes', 'no', 'unknown'"),
    ({"argv": [A, B], "exit_codes": {"256": "yes"}}, "'exit_codes.256"),
    ({"argv": [A, B], "exit_codes": {"ok": "yes"}}, "'exit_codes.ok"),
    ({"argv": [A, B], "patterns": [RULE, {**RULE, "status": "x"}]}, "'patterns.1.status'.*'yes'"),
    ({"argv": [A, B], "patterns": [{**RULE, "pattern": "("}]}, "'patterns.0.pattern'.*expression"),
    ({"argv": [A, B], "patterns": [{**RULE, "pattern": "a{9999999999}"}]}, "no regular expression"),
    ({"argv": [A, B], "patterns": [{**RULE, "pattern": "(" * 499 + ")" * 499}]}, "no regular exp"),
    ({"argv": [A, B], "patterns": [{**RULE, "pattern": ""}]}, "'patterns.0.pattern'"),
    ({"argv": [A, B], "patterns": [{**RULE, "flags": "i"}]}, "'patterns.0.flags'"),
    ({"argv": [A, B], "max_output_bytes": 0}, "'max_output_bytes'"),
    ({"argv": [A, B], "max_output_bytes": 1 << 30}, "'max_output_bytes'"),
    ({"argv": [A, B], "shell": True}, "'shell'"),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
def test_a_wrong_option_is_named(options: dict[str, Any], said: str) -> None:
    """An option that cannot be meant is refused in one line, which says what can."""
    with pytest.raises(UnknownOption, match=said) as caught:
        make("program", options, Environment())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program"])
def test_a_missing_program_is_one_line(program: str) -> None:
    """Without the program no name has a status, and one line names it."""
    with pytest.raises(ProgramMissing, match=f"'{program}' is not installed") as caught:
        run({"argv": [program, "{name}"]})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["#!/no/such/interpreter\n", "no program at all\n", ""])
def test_what_cannot_be_run_stops_the_run(tmp_path: Path, text: str) -> None:
    """A file that is no program fails the run: it would for every name."""
    file = tmp_path / "program"
    file.write_text(text)
    file.chmod(0o755)
    with pytest.raises(RunStopped, match="cannot be run"):
        asyncio.run(batch(["a.org", "b.org"], {"argv": [str(file), "{name}"]}))
    assert nothing_left()


#: Name -> its status by `HOST`; how the server answers for it is in `names`.
BY_HOST = {
    "a.org": "yes",
    "alias.org": "yes",
    "many.org": "yes",
    "any.wild.org": "yes",
    "aaaa.org": "no",
    "nodata.org": "no",
    "missing.org": "no",
    "alias-missing.org": "no",
    "servfail.org": "unknown",
    "refused.org": "unknown",
    "notimp.org": "unknown",
    "silent.org": "timeout",
}


def test_host_by_options_alone() -> None:
    """The real `host` tells names apart; the server is asked for these names and no others."""
    with running_nameserver(script()) as server:
        argv = [*HOST["argv"][:-2], "-p", str(server.port), *HOST["argv"][-2:]]
        checked = check(BY_HOST, Environment(), command="program", options={**HOST, "argv": argv})
        assert {name for name, _, _ in server.queries} == {*BY_HOST}
    assert checked.statuses == BY_HOST
    assert "192.0.2.1" in (checked.outcomes["a.org"].answer or {})["output"]


WHOIS_SCRIPT = r"""#!/bin/sh
test "$1" = -- || exit 64
case "$2" in
taken.com) printf '   Domain Name: TAKEN.COM\r\n   Registrar: Example, Inc.\r\n' ;;
taken.de) printf 'Domain: taken.de\nStatus: connect\n' ;;
free.com) printf 'No match for domain "FREE.COM".\r\n' ;;
free.de) printf 'Domain: free.de\nStatus: free\n'; exit 1 ;;
free.fr) printf '%%%% NOT FOUND\n' ;;
limited.fr) printf 'Domain: x\nQuota exceeded, try later\n' ;;
slow.com) echo Timeout. >&2; exit 2 ;;
*) echo 'No whois server is known for this kind of object.'; exit 1 ;;
esac
"""
PING_SCRIPT = r"""#!/bin/sh
for name; do :; done
case "$name" in
up.org) echo '1 packets transmitted, 1 received, 0% packet loss' ;;
down.org) echo '1 packets transmitted, 0 received, 100% packet loss'; exit 1 ;;
gone.org) echo "ping: $name: Name or service not known" >&2; exit 2 ;;
later.org) echo "ping: $name: Temporary failure in name resolution" >&2; exit 2 ;;
*) echo 'ping: socket: Operation not permitted' >&2; exit 2 ;;
esac
"""
STAND_INS = {
    "whois": (
        WHOIS,
        WHOIS_SCRIPT,
        {
            "taken.com": "yes",
            "taken.de": "yes",
            "free.com": "no",
            "free.de": "no",
            "free.fr": "no",
            "limited.fr": "unknown",
            "slow.com": "timeout",
            "x.test": "unknown",
        },
    ),
    "ping": (
        PING,
        PING_SCRIPT,
        {
            "up.org": "yes",
            "down.org": "no",
            "gone.org": "no",
            "later.org": "unknown",
            "a.org": "error",
        },
    ),
}


@pytest.mark.parametrize("program", STAND_INS)
def test_others_by_options_alone(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs that print as these do are told apart; they stand in for the real ones."""
    options, text, statuses = STAND_INS[program]
    file = tmp_path / program
    file.write_text(text)
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert check(statuses, Environment(), command="program", options=options).statuses == statuses
