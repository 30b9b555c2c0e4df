"""
What a scripted name server does with a name, in words.

A behaviour is made by one of the functions below and put into a `demo.script.Script`:

    answers(A="192.0.2.1")                      an address
    answers(MX="10 mail.python.org.")           mail only: no data for A and AAAA
    nodata(), nxdomain(), fails("SERVFAIL")     the other answers
    alias("cdn.python.org", A="192.0.2.1")      a chain of CNAMEs that ends in an address
    silent(), silent(times=1)                   no answer: for ever, or to the first query only
    slow(answers(A="192.0.2.1"), milliseconds=300)
    truncated(answers(A="192.0.2.1"))           TC over UDP, the whole answer over TCP
    then(answers(A="9.9.9.9"), answers(A="127.0.0.1"))    another answer the second time
"""

from dataclasses import dataclass, field, replace

__all__ = [
    "ADDRESS",
    "SILENCE",
    "Behaviour",
    "alias",
    "answers",
    "fails",
    "nodata",
    "nxdomain",
    "silent",
    "slow",
    "then",
    "truncated",
]

#: For those who do not care which; 192.0.2.0/24 is set aside for documentation (RFC 5737).
ADDRESS = "192.0.2.1"
#: In the place of a response code: no answer at all.
SILENCE = "SILENCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How every query for one name is answered; make one with the functions of this module."""

    #: The response code, as DNS writes it: NOERROR, NXDOMAIN, SERVFAIL, REFUSED, …
    rcode: str = "NOERROR"
    #: Record type to its records in zone file notation.
    records: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: The names that the name asked leads to, one CNAME after the other.
    aliases: tuple[str, ...] = ()
    #: Before it answers as above: `SILENCE` or a response code; empty for neither …
    trouble: str = ""
    #: … so many times over all types and protocols; -1 is for ever.
    trouble_times: int = 0
    #: The record types that have this trouble; empty for all.
    trouble_types: frozenset[str] = frozenset()
    #: Over UDP only a header that says "truncated", so that the client comes back over TCP.
    truncated: bool = False
    #: How long to think before an answer, in milliseconds.
    milliseconds: float = 0
    #: How long an answer may be kept, in seconds. Short enough to change the script under a
    #: resolver that caches, long enough to be cached.
    ttl_seconds: int = 60
    #: What is done instead, once so many queries of a type have come.
    later: "Behaviour | None" = None
    times: int = 0


def answers(**records: str | tuple[str, ...]) -> Behaviour:
    """
    Answer with records; a type that is not given has no data.

    Args:
        records: Record type to one record or several, in zone file notation with absolute names:
            `A="192.0.2.1"`, `MX=("10 a.python.org.", "20 b.python.org.")`.
    """
    return Behaviour(records={kind: _tuple(texts) for kind, texts in records.items()})


def nodata() -> Behaviour:
    """Say that the name exists, without a record of the type asked, whatever that type."""
    return Behaviour()


def nxdomain(*aliases: str) -> Behaviour:
    """
    Say that the name does not exist.

    Args:
        aliases: CNAMEs in the answer: the name exists, what it leads to does not (RFC 6604).
    """
    return Behaviour(rcode="NXDOMAIN", aliases=aliases)


def fails(
    rcode: str, *, times: int = -1, types: tuple[str, ...] = (), then: Behaviour | None = None
) -> Behaviour:
    """
    Answer with an error.

    Args:
        rcode: SERVFAIL, REFUSED, NOTIMP, FORMERR, …
        times: How often before it answers; -1 is for ever.
        types: The record types for which it does; by default all.
        then: What it does otherwise; by default it gives an address.
    """
    otherwise = then or answers(A=ADDRESS)
    return replace(otherwise, trouble=rcode, trouble_times=times, trouble_types=frozenset(types))


def silent(*, times: int = -1) -> Behaviour:
    """
    Do not answer.

    Args:
        times: How many queries before an address is given; -1 is for ever.
    """
    return fails(SILENCE, times=times)


def alias(*aliases: str, **records: str | tuple[str, ...]) -> Behaviour:
    """
    Lead to other names.

    Args:
        aliases: The names on the way; the last one has the records.
        records: As for `answers`; none makes a chain that ends in no data.
    """
    return replace(answers(**records), aliases=aliases)


def slow(behaviour: Behaviour, *, milliseconds: float) -> Behaviour:
    """Do the same, that many milliseconds after the query came in."""
    return replace(behaviour, milliseconds=milliseconds)


def then(first: Behaviour, later: Behaviour, *, times: int = 1) -> Behaviour:
    """
    Do one thing and later another, which nobody is to keep: DNS rebinding.

    Args:
        first: For the first queries ...
        later: ... and for all that follow.
        times: How many queries of each type are the first ones.
    """
    return replace(first, ttl_seconds=0, later=replace(later, ttl_seconds=0), times=times)


def truncated(behaviour: Behaviour) -> Behaviour:
    """Do the same over TCP only; over UDP ask the client to come back over TCP."""
    return replace(behaviour, truncated=True)


def _tuple(texts: str | tuple[str, ...]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else texts
