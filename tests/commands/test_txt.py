"""`txt` says which of SPF and DMARC a name has, and finds both where the RFCs say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from commands.environment import Environment
from commands.txt import MAX_TEXT
from demo.behaviours import Behaviour, alias, answers, fails, nodata
from demo.nameserver import NameServer, running_nameserver
from demo.script import Script
from tests.commands.checking import Checked, check
from tests.commands.names import LONGEST

SPF, DMARC = "v=spf1 include:mail.net -all", "v=DMARC1; p=reject; sp=quarantine; rua=mailto:a@b.org"


def txt(*texts: str) -> Behaviour:
    """Answer with TXT records, each of which may be of several strings, parted by a bar."""
    return answers(TXT=tuple(" ".join(f'"{part}"' for part in text.split("|")) for text in texts))


SCRIPT = Script(
    {
        "both.org": txt("other", SPF, "v=spf10 is another", "x-v=spf1 -all"),
        "_dmarc.both.org": txt("no policy", DMARC),
        # The registrable domain's policy holds, where the name has none of its own.
        "www.both.org": txt("V=SPF1 -all"),
        "own.both.org": txt(SPF),
        "_dmarc.own.both.org": txt("v=DMARC1;p=none"),
        "empty.both.org": nodata(),
        "deep.sub.both.org": nodata(),
        "long.both.org": txt("v=spf1 |" + "|".join(["ip4:192.0.2.1/32 " * 10] * 20) + "|-all"),
        LONGEST: txt(SPF),
        "alias.net": alias("both.org", TXT=f'"{SPF}"'),
        "spf.org": txt(SPF),
        "all-of-it.org": txt("v=spf1"),
        "dmarc.org": nodata(),
        "_dmarc.dmarc.org": txt("v = DMARC1 ; P = Quarantine"),
        "wrong-p.org": nodata(),
        "_dmarc.wrong-p.org": txt("v=DMARC1; p=maybe"),
        "neither.org": txt("something", "else"),
        "_dmarc.neither.org": txt("v=DMARC2; p=none", "v=dmarc1; p=none"),
        "empty.org": nodata(),
        "co.uk": nodata(),
        "two-spf.org": txt(SPF, "v=spf1 ~all"),
        "_dmarc.two-spf.org": txt(DMARC),
        "two-dmarc.org": nodata(),
        "_dmarc.two-dmarc.org": txt("v=DMARC1; p=none", DMARC),
        "sub.two-dmarc.org": txt(SPF),
        "bytes.org": answers(TXT='"v=spf1 exp=\\255 -all"'),
        "servfail.org": fails("SERVFAIL"),
        "dmarc-fails.org": txt(SPF),
        "_dmarc.dmarc-fails.org": fails("SERVFAIL"),
        "sub.dmarc-fails.org": txt(SPF),
        "own-fails.both.org": txt(SPF),
        "_dmarc.own-fails.both.org": fails("REFUSED"),
    }
)


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be found, and where."""

    status: str
    #: Where it is asked, behind the name itself.
    asked: list[str]
    answer: dict[str, Any] | None = None


BOTH = {"dmarc": DMARC, "p": "reject", "sp": "quarantine"}
AT_BOTH = {**BOTH, "dmarc_at": "_dmarc.both.org"}
CASES = {
    "both.org": Case("both", ["_dmarc.both.org"], {"spf": SPF, "others": 3, **AT_BOTH}),
    "www.both.org": Case(
        "both",
        ["_dmarc.www.both.org", "_dmarc.both.org"],
        {"spf": "V=SPF1 -all", "others": 0, **AT_BOTH},
    ),
    "own.both.org": Case(
        "both",
        ["_dmarc.own.both.org"],
        {
            "spf": SPF,
            "others": 0,
            "dmarc": "v=DMARC1;p=none",
            "dmarc_at": "_dmarc.own.both.org",
            "p": "none",
        },
    ),
    "empty.both.org": Case(
        "dmarc", ["_dmarc.empty.both.org", "_dmarc.both.org"], {"others": 0, **AT_BOTH}
    ),
    # What lies between is not asked.
    "deep.sub.both.org": Case(
        "dmarc", ["_dmarc.deep.sub.both.org", "_dmarc.both.org"], {"others": 0, **AT_BOTH}
    ),
    "long.both.org": Case(
        "both",
        ["_dmarc.long.both.org", "_dmarc.both.org"],
        {
            "spf": ("v=spf1 " + "ip4:192.0.2.1/32 " * 200)[:MAX_TEXT],
            "others": 0,
            **AT_BOTH,
        },
    ),
    # There is no room for `_dmarc` before it.
    LONGEST: Case("spf", [f"_dmarc.{LONGEST[128:]}"], {"spf": SPF, "others": 0}),
    "alias.net": Case("spf", ["_dmarc.alias.net"], {"spf": SPF, "others": 0}),
    "spf.org": Case("spf", ["_dmarc.spf.org"], {"spf": SPF, "others": 0}),
    "all-of-it.org": Case("spf", ["_dmarc.all-of-it.org"], {"spf": "v=spf1", "others": 0}),
    "dmarc.org": Case(
        "dmarc",
        ["_dmarc.dmarc.org"],
        {
            "others": 0,
            "dmarc": "v = DMARC1 ; P = Quarantine",
            "dmarc_at": "_dmarc.dmarc.org",
            "p": "quarantine",
        },
    ),
    "wrong-p.org": Case(
        "dmarc",
        ["_dmarc.wrong-p.org"],
        {"others": 0, "dmarc": "v=DMARC1; p=maybe", "dmarc_at": "_dmarc.wrong-p.org"},
    ),
    "neither.org": Case("neither", ["_dmarc.neither.org"], {"others": 2}),
    "empty.org": Case("neither", ["_dmarc.empty.org"], {"others": 0}),
    "co.uk": Case("neither", ["_dmarc.co.uk"], {"others": 0}),
    "two-spf.org": Case(
        "invalid",
        ["_dmarc.two-spf.org"],
        {"spf": SPF, "others": 0, **BOTH, "dmarc_at": "_dmarc.two-spf.org"},
    ),
    "two-dmarc.org": Case(
        "invalid",
        ["_dmarc.two-dmarc.org"],
        {
            "others": 0,
            "dmarc": "v=DMARC1; p=none",
            "dmarc_at": "_dmarc.two-dmarc.org",
            "p": "none",
        },
    ),
    "sub.two-dmarc.org": Case(
        "invalid",
        ["_dmarc.sub.two-dmarc.org", "_dmarc.two-dmarc.org"],
        {
            "spf": SPF,
            "others": 0,
            "dmarc": "v=DMARC1; p=none",
            "dmarc_at": "_dmarc.two-dmarc.org",
            "p": "none",
        },
    ),
    "bytes.org": Case("spf", ["_dmarc.bytes.org"], {"spf": "v=spf1 exp=\ufffd -all", "others": 0}),
    "missing.org": Case("nxdomain", []),
    "servfail.org": Case("servfail", []),
    "dmarc-fails.org": Case("servfail", ["_dmarc.dmarc-fails.org"]),
    "sub.dmarc-fails.org": Case(
        "servfail", ["_dmarc.sub.dmarc-fails.org", "_dmarc.dmarc-fails.org"]
    ),
    "own-fails.both.org": Case("refused", ["_dmarc.own-fails.both.org"]),
}


@dataclass(frozen=True, slots=True)
class Pass:
    """All cases, checked."""

    server: NameServer
    checked: Checked


@pytest.fixture(scope="module")
def done() -> Iterator[Pass]:
    """Check all cases."""
    with running_nameserver(SCRIPT) as server:
        yield Pass(server, check(CASES, Environment(nameservers=(server.address,)), command="txt"))


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_name_has_its_status(done: Pass, name: str) -> None:
    """Status and answer are what the records mean together."""
    case, outcome = CASES[name], done.checked.outcomes[name]
    assert (outcome.status, outcome.answer) == (case.status, case.answer)
    assert bool(outcome.error) == (case.status in {"invalid", "servfail", "refused"})


@pytest.mark.parametrize("name", CASES)
def test_no_more_is_asked_than_needed(name: str) -> None:
    """The name is asked, then `_dmarc` below it and below its registrable domain, until found."""
    with running_nameserver(SCRIPT) as server:
        checked = check([name], Environment(nameservers=(server.address,)), command="txt")
        udp = {seen for seen, kind, how in server.queries if (kind, how) == _UDP}
        # As it counts itself: where this machine is busy c-ares repeats a question.
        assert checked.asked() == {server.address: len(udp)}
    assert udp == {name, *CASES[name].asked}


_UDP = ("TXT", "udp")


@pytest.mark.parametrize(("name", "kind"), [("two-spf.org", "SPF"), ("two-dmarc.org", "DMARC")])
def test_an_invalid_name_says_of_what_there_are_two(done: Pass, name: str, kind: str) -> None:
    """Several records of one kind are named with their number."""
    assert done.checked.outcomes[name].error == f"2 {kind} records, of which none counts"
