"""From the bytes of a query and a script to the bytes of the answer."""

from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from demo.behaviours import Behaviour

__all__ = ["Query", "form_error", "read_query", "reply", "write"]

#: The largest answer over UDP: 512 without EDNS (RFC 1035), else what fits into one packet
#: on every path (https://www.dnsflagday.net/2020/).
PLAIN_BYTES, EDNS_BYTES, TCP_BYTES = 512, 1232, 65535
HEADER_BYTES = 12


@dataclass(frozen=True, slots=True)
class Query:
    """One well-formed query."""

    message: dns.message.Message
    name: dns.name.Name
    #: The record type asked: A, AAAA, MX, …
    type: str


def read_query(wire: bytes) -> Query | None:
    """
    Read a query.

    Returns:
        None for what is no query: too short, broken, an answer, no or several questions.
    """
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
    except dns.exception.DNSException:
        return None
    if message.flags & dns.flags.QR or len(message.question) != 1:
        return None
    question = message.question[0]
    return Query(message, question.name, dns.rdatatype.to_text(question.rdtype))


def form_error(wire: bytes) -> bytes | None:
    """
    Answer something that is no query with FORMERR.

    Returns:
        None if not even that is possible, or if it was an answer: two servers must never
        answer each other's answers.
    """
    if len(wire) < HEADER_BYTES or wire[2] & 0x80:
        return None
    opcode_and_rd = wire[2] & 0x79
    return bytes([*wire[:2], 0x80 | opcode_and_rd, dns.rcode.FORMERR]) + bytes(8)


def reply(query: Query, behaviour: Behaviour, *, trouble: str = "") -> dns.message.Message:
    """
    Build the answer to a query.

    Args:
        query: What was asked.
        behaviour: What to answer; when, and whether at all, is the caller's affair.
        trouble: The response code of an error to answer instead.
    """
    message = dns.message.make_response(query.message, recursion_available=True)
    message.flags |= dns.flags.AA
    message.set_rcode(_rcode(query, trouble or behaviour.rcode))
    if message.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        _fill(message, query, behaviour)
    return message


def write(message: dns.message.Message, *, protocol: str, cut: bool) -> bytes:
    """
    Turn an answer into bytes.

    Args:
        message: The answer.
        protocol: `udp` or `tcp`.
        cut: Over UDP, leave the sections out and say so (TC).
    """
    if protocol == "tcp":
        return message.to_wire(max_size=TCP_BYTES)
    if cut:
        message.flags |= dns.flags.TC
        message.answer, message.authority = [], []
    limit = min(message.request_payload, EDNS_BYTES) if message.edns >= 0 else 0
    return message.to_wire(max_size=max(limit, PLAIN_BYTES), prefer_truncation=True)


def _rcode(query: Query, scripted: str) -> dns.rcode.Rcode:
    if query.message.opcode() != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    if query.message.question[0].rdclass != dns.rdataclass.IN or query.type in {"AXFR", "IXFR"}:
        return dns.rcode.REFUSED
    return dns.rcode.from_text(scripted)


def _fill(message: dns.message.Message, query: Query, behaviour: Behaviour) -> None:
    """Add the chain of aliases and the records at its end, or the SOA that says how long not."""
    owner, ttl = query.name, behaviour.ttl_seconds
    for target in behaviour.aliases if query.type != "CNAME" else behaviour.aliases[:1]:
        message.answer.append(_rrset(owner, ttl, "CNAME", f"{target.rstrip('.')}."))
        owner = dns.name.from_text(target)
    wanted = behaviour.records if query.type == "ANY" else {query.type}
    found = {kind: behaviour.records[kind] for kind in wanted if kind in behaviour.records}
    if message.rcode() == dns.rcode.NOERROR:
        message.answer += [_rrset(owner, ttl, kind, *texts) for kind, texts in found.items()]
    if not found or message.rcode() != dns.rcode.NOERROR:
        message.authority.append(_soa(owner, ttl))


def _rrset(owner: dns.name.Name, ttl: int, kind: str, *texts: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(owner, ttl, "IN", kind, *texts)


def _soa(owner: dns.name.Name, ttl: int) -> dns.rrset.RRset:
    """Make the record whose presence tells a resolver how long to remember a no (RFC 2308)."""
    zone = dns.name.Name(owner.labels[-2:])
    return _rrset(zone, ttl, "SOA", f"ns.invalid. hostmaster.invalid. 1 3600 600 86400 {ttl}")
