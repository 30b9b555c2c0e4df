"""Names of every kind: how a scripted server answers, and what that makes of them."""

from collections import Counter
from dataclasses import dataclass

from demo.behaviours import (
    ADDRESS,
    Behaviour,
    alias,
    answers,
    fails,
    nodata,
    nxdomain,
    silent,
    slow,
    truncated,
)
from demo.nameserver import NameServer
from demo.script import Script

__all__ = ["CASES", "LONGEST", "A", "Case", "questions", "script"]

IPV6 = "2001:db8::1"
#: 253 bytes, the most that a name may have.
LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
A, BOTH = {("A", "udp"): 1}, {("A", "udp"): 1, ("AAAA", "udp"): 1}
BY_TCP = {("A", "udp"): 1, ("A", "tcp"): 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One name."""

    #: None where the name is not in the script.
    behaviour: Behaviour | None = None
    #: The status after the first pass, and after the second where that is another one.
    status: str
    later: str | None = None
    #: Type and protocol of each question in the first pass, to how often; None where that depends
    #: on the pace of the server.
    questions: dict[tuple[str, str], int] | None
    #: What is to be learned.
    addresses: dict[str, list[str]] | None = None
    cname: list[str] | None = None

    @property
    def final(self) -> str:
        """The status in the end."""
        return self.later or self.status


V4, V6 = {"a": [ADDRESS]}, {"aaaa": [IPV6]}
MANY = tuple(f"198.51.100.{host}" for host in range(100))
CASES = {
    "a.org": Case(behaviour=answers(A=ADDRESS), status="resolves", questions=A, addresses=V4),
    "both.org": Case(
        behaviour=answers(A=ADDRESS, AAAA=IPV6), status="resolves", questions=A, addresses=V4
    ),
    "aaaa.org": Case(behaviour=answers(AAAA=IPV6), status="resolves", questions=BOTH, addresses=V6),
    "alias.org": Case(
        behaviour=alias("b.net", "c.net", A=ADDRESS),
        status="resolves",
        questions=A,
        addresses=V4,
        cname=["b.net", "c.net"],
    ),
    "alias-aaaa.org": Case(
        behaviour=alias("d.net", AAAA=IPV6),
        status="resolves",
        questions=BOTH,
        addresses=V6,
        cname=["d.net"],
    ),
    "any.wild.org": Case(status="resolves", questions=A, addresses=V4),
    "listed.wild.org": Case(behaviour=nodata(), status="nodata", questions=BOTH),
    LONGEST: Case(behaviour=answers(A=ADDRESS), status="resolves", questions=A, addresses=V4),
    "_dmarc._under.org": Case(
        behaviour=answers(A=ADDRESS), status="resolves", questions=A, addresses=V4
    ),
    "xn--mnchen-3ya.de": Case(
        behaviour=answers(A=ADDRESS), status="resolves", questions=A, addresses=V4
    ),
    "single": Case(behaviour=answers(A=ADDRESS), status="resolves", questions=A, addresses=V4),
    "slow.org": Case(
        behaviour=slow(answers(A=ADDRESS), milliseconds=80),
        status="resolves",
        questions=A,
        addresses=V4,
    ),
    "truncated.org": Case(
        behaviour=truncated(answers(A=ADDRESS)), status="resolves", questions=BY_TCP, addresses=V4
    ),
    # More than the 512 bytes of plain DNS, less than the 1,232 of EDNS.
    "some.org": Case(
        behaviour=answers(A=MANY[:40]),
        status="resolves",
        questions=A,
        addresses={"a": [*MANY[:40]]},
    ),
    "many.org": Case(
        behaviour=answers(A=MANY), status="resolves", questions=BY_TCP, addresses={"a": [*MANY]}
    ),
    "nodata.org": Case(behaviour=nodata(), status="nodata", questions=BOTH),
    "mx.org": Case(behaviour=answers(MX="10 a.org."), status="nodata", questions=BOTH),
    "alias-nodata.org": Case(behaviour=alias("e.net"), status="nodata", questions=BOTH),
    "wild.org": Case(status="nodata", questions=BOTH),
    "missing.org": Case(status="nxdomain", questions=A),
    "alias-missing.org": Case(behaviour=nxdomain("gone.net"), status="nxdomain", questions=A),
    "servfail.org": Case(behaviour=fails("SERVFAIL"), status="servfail", questions=A),
    "refused.org": Case(behaviour=fails("REFUSED"), status="refused", questions=A),
    "notimp.org": Case(behaviour=fails("NOTIMP"), status="error", questions=A),
    "servfail-once.org": Case(
        behaviour=fails("SERVFAIL", times=1), status="servfail", later="resolves", questions=A
    ),
    "silent-once.org": Case(
        behaviour=silent(times=1), status="resolves", questions={("A", "udp"): 2}, addresses=V4
    ),
    "silent.org": Case(behaviour=silent(), status="timeout", questions=None),
}


def script() -> Script:
    """Make the script of all cases."""
    listed = {name: case.behaviour for name, case in CASES.items() if case.behaviour}
    return Script({**listed, "*.wild.org": answers(A=ADDRESS)})


def questions(server: NameServer, name: str) -> Counter[tuple[str, str]]:
    """Count a server's questions for one name, by type and protocol."""
    asked = server.queries.items()
    return Counter({(kind, how): n for (seen, kind, how), n in asked if seen == name})
