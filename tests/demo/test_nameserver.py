"""The scripted name server answers as its script says, over both protocols, whatever comes in."""

import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo.behaviours import (
    alias,
    answers,
    fails,
    nodata,
    nxdomain,
    silent,
    slow,
    then,
    truncated,
)
from demo.nameserver import NameServer, running_nameserver
from demo.replies import form_error, read_query, reply, write
from demo.script import Script
from tests.services.processes import find_program, free_port

ROOT = Path(__file__).parents[2]
ADDRESS = "192.0.2.1"
#: Seconds; more than anything else here takes on a busy machine.
SLOW = 1.5
SCRIPT = Script(
    {
        "a.org": answers(A=ADDRESS),
        "aaaa.org": answers(AAAA="2001:db8::1"),
        "mx.org": answers(MX=("10 a.org.", "20 b.org.")),
        "nodata.org": nodata(),
        "gone.org": nxdomain("away.net"),
        "servfail.org": fails("SERVFAIL"),
        "refused.org": fails("REFUSED"),
        "silent.org": silent(),
        "silent-once.org": silent(times=1),
        "servfail-once.org": fails("SERVFAIL", times=1),
        "truncated.org": truncated(answers(A=ADDRESS)),
        "many.org": answers(A=tuple(f"192.0.2.{host}" for host in range(100))),
        "*.wild.org": answers(A=ADDRESS),
        "listed.wild.org": nodata(),
        "slow.org": slow(answers(A=ADDRESS), milliseconds=SLOW * 1000),
        "then.org": then(answers(A=ADDRESS, AAAA="2001:db8::1"), answers(A="192.0.2.9"), times=2),
        "www.chain.org": alias("b.chain.org", "c.chain.org", A=ADDRESS),
    }
)


@pytest.fixture
def server() -> Iterator[NameServer]:
    """Give a running name server."""
    with running_nameserver(SCRIPT) as running:
        yield running


def ask(
    server: NameServer, name: str, kind: str = "A", *, tcp: bool = False
) -> dns.message.Message:
    """Ask one question."""
    query = dns.message.make_query(name, kind)
    if tcp:
        return dns.query.tcp(query, "127.0.0.1", timeout=5, port=server.port)
    return dns.query.udp(query, "127.0.0.1", timeout=5, port=server.port)


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize(
    ("name", "kind", "rcode", "records"),
    [
        ("a.org", "A", "NOERROR", 1),
        ("A.oRg", "A", "NOERROR", 1),
        ("a.org", "AAAA", "NOERROR", 0),
        ("aaaa.org", "AAAA", "NOERROR", 1),
        ("mx.org", "A", "NOERROR", 0),
        ("mx.org", "MX", "NOERROR", 2),
        ("nodata.org", "A", "NOERROR", 0),
        ("chain.org", "A", "NOERROR", 0),
        ("not-listed.org", "A", "NXDOMAIN", 0),
        ("gone.org", "A", "NXDOMAIN", 1),
        ("servfail.org", "A", "SERVFAIL", 0),
        ("refused.org", "A", "REFUSED", 0),
        ("x.y.wild.org", "A", "NOERROR", 1),
        ("listed.wild.org", "A", "NOERROR", 0),
        ("under.listed.wild.org", "A", "NXDOMAIN", 0),
        ("www.chain.org", "A", "NOERROR", 3),
        ("www.chain.org", "AAAA", "NOERROR", 2),
        ("b.chain.org", "A", "NOERROR", 2),
        ("a.org", "AXFR", "REFUSED", 0),
    ],
)
def test_answers_follow_the_script(
    server: NameServer, name: str, kind: str, rcode: str, records: int, *, tcp: bool
) -> None:
    """Code and records of an answer are those of the script, over UDP and TCP alike."""
    if kind == "AXFR" and not tcp:
        kind = "IXFR"
    query = dns.message.make_query(name, kind)
    sent = dns.query.tcp if tcp else dns.query.udp
    answer = sent(query, "127.0.0.1", timeout=5, port=server.port)
    assert (rcode, records) == (
        dns.rcode.to_text(answer.rcode()),
        sum(len(rrset) for rrset in answer.answer),
    )


def test_a_no_says_how_long_it_holds(server: NameServer) -> None:
    """Answers without data carry the SOA that caches need."""
    for name in ("nodata.org", "not-listed.org"):
        assert "SOA" in str(ask(server, name).authority[0])


def test_silence_is_silence(server: NameServer) -> None:
    """A silent name is never answered, yet counted."""
    with pytest.raises(dns.exception.Timeout):
        ask(server, "silent.org")
    assert Counter({("silent.org", "A", "udp"): 1}) == server.queries


def test_an_answer_changes(server: NameServer) -> None:
    """After its first queries of a type a name has another answer, and nobody may keep either."""
    for expected in (ADDRESS, ADDRESS, "192.0.2.9", "192.0.2.9"):
        (found,) = ask(server, "then.org").answer
        assert found.ttl == 0
        assert [record.to_text() for record in found] == [expected]
    assert ask(server, "then.org", "AAAA").answer
    assert ask(server, "then.org", "AAAA", tcp=True).answer
    assert not ask(server, "then.org", "AAAA").answer


def test_trouble_goes_away(server: NameServer) -> None:
    """A name with trouble once is answered at the second query."""
    with pytest.raises(dns.exception.Timeout):
        ask(server, "silent-once.org")
    assert ask(server, "silent-once.org").answer
    codes = [ask(server, "servfail-once.org").rcode() for _ in range(2)]
    assert codes == [dns.rcode.SERVFAIL, dns.rcode.NOERROR]


@pytest.mark.parametrize(("name", "records"), [("truncated.org", 1), ("many.org", 100)])
def test_truncation_sends_to_tcp(server: NameServer, name: str, records: int) -> None:
    """What is scripted as truncated, or too big for a packet, comes whole over TCP only."""
    assert ask(server, name).flags & dns.flags.TC
    answer = ask(server, name, tcp=True)
    assert not answer.flags & dns.flags.TC
    assert len(answer.answer[0]) == records
    assert {(name, "A", "udp"): 1, (name, "A", "tcp"): 1} == server.queries


def test_slow_names_take_their_time_alone(server: NameServer) -> None:
    """A slow answer comes late and holds nobody else up."""
    queries = [dns.message.make_query(name, "A") for name in ("slow.org", "a.org")]
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        # In one piece, so that both come in at the same moment.
        connection.sendall(b"".join(len(w).to_bytes(2) + w for w in (q.to_wire() for q in queries)))
        found = [dns.query.receive_tcp(connection, time.time() + 30)[0] for _ in queries]
    assert all(answer.answer for answer in found)
    assert [answer.id for answer in found] == [query.id for query in reversed(queries)]
    assert time.monotonic() - began >= SLOW


def test_messages_may_come_in_pieces(server: NameServer) -> None:
    """Over TCP, several queries at once and a query byte by byte are both answered."""
    wire = dns.message.make_query("a.org", "A").to_wire()
    framed = len(wire).to_bytes(2) + wire
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(framed + framed)
        for byte in framed:
            connection.sendall(bytes([byte]))
        for _ in range(3):
            assert dns.query.receive_tcp(connection, time.time() + 5)[0].answer


def test_broken_packets_do_not_stop_it(server: NameServer) -> None:
    """Rubbish gets FORMERR or nothing, and the next query its answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.1", server.port))
        client.send(b"x")
        client.send(b"\x12\x34" + b"\x01\x00" + b"\xff" * 20)
        assert dns.message.from_wire(client.recv(512)).rcode() == dns.rcode.FORMERR
    assert ask(server, "a.org").answer


def respond(wire: bytes) -> bytes | None:
    """Do what the server does with a packet, without the sockets."""
    query = read_query(wire)
    if query is None:
        return form_error(wire)
    message = reply(query, SCRIPT.behaviour(query.name))
    return write(message, protocol="udp", cut=False)


@given(st.binary(max_size=80))
def test_no_bytes_are_a_crash(wire: bytes) -> None:
    """Any bytes are answered with a DNS message of the same id, or not at all."""
    answer = respond(wire)
    assert answer is None or answer[:2] == wire[:2]


@given(
    name=st.sampled_from(["a.org", "www.chain.org", "many.org", "nodata.org", "x.wild.org"]),
    kind=st.sampled_from(["A", "ANY", "CNAME", "TYPE65280", "OPT", "TSIG", "AXFR", "SIG"]),
    opcode=st.sampled_from(list(dns.opcode.Opcode)),
    position=st.integers(0, 60),
    byte=st.integers(0, 255),
    edns=st.booleans(),
)
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
def test_no_bent_query_is_a_crash(
    *, name: str, kind: str, opcode: int, position: int, byte: int, edns: bool
) -> None:
    """A query with one wrong byte is answered with its own id, or not at all."""
    query = dns.message.make_query(name, kind, use_edns=edns)
    query.set_opcode(dns.opcode.Opcode(opcode))
    wire = bytearray(query.to_wire())
    wire[position % len(wire)] = byte
    answer = respond(bytes(wire))
    assert answer is None or answer[:2] == bytes(wire[:2])


def test_answers_are_never_answered() -> None:
    """Two servers do not keep each other busy."""
    message = dns.message.make_response(dns.message.make_query("a.org", "A"))
    assert respond(message.to_wire()) is None


def test_a_packet_that_comes_again_is_one_lookup(server: NameServer) -> None:
    """Queries count packets; lookups count what a client has decided to ask."""
    before, question = server.lookups, ("www.python.org", "A", "udp")
    query = dns.message.make_query("www.python.org", "A")
    for _ in range(2):
        dns.query.udp(query, "127.0.0.1", timeout=5, port=server.port)
    assert server.lookups[question] - before[question] == 1
    ask(server, "www.python.org")
    assert server.lookups[question] - before[question] == 2
    assert server.queries[question] >= 3


def test_the_command_serves_the_demo() -> None:
    """`python -m demo.nameserver` serves the demo's zone to `host`, and ends when interrupted."""
    port = free_port()
    command = [sys.executable, "-m", "demo.nameserver", "--port", str(port)]
    host = find_program("host", package="bind9-host")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert str(port) in process.stdout.readline()
        asked = [host, "-p", str(port), "www.python.org", "127.0.0.1"]
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        process.send_signal(2)
        assert process.wait(timeout=60) == 0
    assert "has IPv6 address" in said


def test_a_taken_port_is_one_clear_line(server: NameServer) -> None:
    """The command says that its port is taken, and fails."""
    command = [sys.executable, "-m", "demo.nameserver", "--port", str(server.port)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert str(server.port) in result.stderr
