"""`tls` says what a certificate is worth."""

import asyncio
import json
import ssl
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from commands.dns.channel import Reply
from commands.dns.resolver import AAAA, A, Resolver
from commands.environment import Environment
from commands.errors import NoAuthorities, UnknownOption
from commands.net.certificate import MAX_NAMES, MAX_TEXT, certificate_fields
from tests.commands.checking import check
from tests.commands.tls.servers import CASES, HOST, PAST, Authorities, issued, look, made, serving
from tests.services import listening

#: A certificate, DER.
WHOLE = ssl.PEM_cert_to_DER_cert(made().certificates[0].decode())


@pytest.mark.parametrize("case", CASES)
def test_certificates(
    authorities: Authorities, ca_file: Path, environment: Environment, case: str
) -> None:
    """Each kind of certificate has its status, and its fields are told whatever it is worth."""
    expected = CASES[case]
    with serving(expected.chain(authorities)) as server:
        outcome = look(environment, server.port, ca_file=str(ca_file))
    answer = dict(outcome.answer or {})
    assert outcome.status == expected.status
    assert (expected.reason or "") in answer.get("reason", "")
    assert answer.get("reason") == outcome.error
    assert (expected.reason is None) == (outcome.error is None)
    assert answer["names"] == [*expected.names]
    assert answer["names_count"] == len(expected.names)
    assert expected.days_left in {None, answer["days_left"]}
    assert (answer["address"], answer["protocol"]) == ("127.0.0.1", "TLSv1.3")
    assert answer["cipher"].startswith("TLS_")
    assert outcome.decided_by == "127.0.0.1"


def test_the_fields_are_those_of_the_certificate(environment: Environment) -> None:
    """Issuer, subject, dates, serial number and key are what was put into it."""
    with serving(made()) as server:
        answer = dict(look(environment, server.port).answer or {})
    assert answer["issuer"] == answer["subject"] == f"CN={HOST}"
    assert (answer["serial"], answer["key"]) == ("c0ffee", {"type": "RSA", "bits": 2048})
    assert answer["not_before"].endswith("+00:00")
    assert answer["not_before"] < answer["not_after"]


@pytest.mark.parametrize(("warn_days", "status"), [(0, "valid"), (5, "valid"), (6, "expiring")])
def test_the_user_says_what_is_soon(
    authorities: Authorities, ca_file: Path, environment: Environment, warn_days: int, status: str
) -> None:
    """A certificate with five days left is expiring to who wants to be warned six days before."""
    with serving(CASES["short"].chain(authorities)) as server:
        outcome = look(environment, server.port, ca_file=str(ca_file), warn_days=warn_days)
    assert outcome.status == status


def test_the_name_is_told_to_the_server(
    authorities: Authorities,
    ca_file: Path,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both handshakes carry the name, and the name server is asked for the address only once."""
    told: list[str | None] = []
    asked: list[tuple[str, int]] = []
    ask = Resolver.ask

    async def noted(resolver: Resolver, name: str, record_type: int) -> Reply:
        asked.append((name, record_type))
        return await ask(resolver, name, record_type)

    # Not the server's count: where this machine is busy c-ares repeats a question.
    monkeypatch.setattr(Resolver, "ask", noted)
    context = issued(authorities.known, HOST, days=PAST).context()
    context.sni_callback = lambda _object, name, _context: told.append(name)
    with listening.listening(listening.silent, context=context) as server:
        assert look(environment, server.port, ca_file=str(ca_file)).status == "expired"
    assert told == [HOST, HOST]
    assert sorted(asked) == [(HOST, A), (HOST, AAAA)]


def test_what_both_sides_speak_is_told(
    authorities: Authorities, ca_file: Path, environment: Environment
) -> None:
    """An older protocol and the application protocol are those that the server chose."""
    context = issued(authorities.known, HOST).context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with listening.listening(listening.silent, context=context) as server:
        batch = partial(look, environment, server.port, ca_file=str(ca_file))
        found = [dict(outcome.answer or {}) for outcome in (batch(), batch(alpn=[]))]
    assert [one["protocol"] for one in found] == ["TLSv1.2", "TLSv1.2"]
    assert [one["alpn"] for one in found] == ["http/1.1", None]


def test_an_address_is_a_name_too(
    authorities: Authorities, ca_file: Path, environment: Environment
) -> None:
    """A certificate for an IP address is held against the address."""
    with serving(issued(authorities.known, "127.0.0.1")) as server:
        found = [
            look(environment, server.port, host, ca_file=str(ca_file)).status
            for host in ("127.0.0.1", HOST)
        ]
    assert found == ["valid", "wrong-name"]


def test_a_certificate_with_many_names_is_cut(environment: Environment) -> None:
    """Of 1,000 names and of an endless subject the beginning is told, and how many there are."""
    names = [HOST, *(f"{n}.{'a' * 60}.org" for n in range(999))]
    with pytest.warns(UserWarning, match="length"):
        chain = made(names=names, subject="\x1b<b>" * 2_000)
    with serving(chain) as server:
        answer = dict(look(environment, server.port).answer or {})
    assert answer["names"] == names[:MAX_NAMES]
    assert answer["names_count"] == 1000
    assert len(answer["subject"]) == len(answer["issuer"]) == MAX_TEXT


@settings(max_examples=1000)
@given(data=st.data())
def test_a_spoilt_certificate_is_read_as_far_as_it_goes(data: st.DataObject) -> None:
    """Whatever bytes of a certificate are others, what is told of it is bounded, and JSON."""
    spoilt = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(0, len(WHOLE) - 1))] = data.draw(st.integers(0, 255))
    fields = certificate_fields(bytes(spoilt), datetime.now(UTC))
    assert set(fields) <= set(certificate_fields(WHOLE, datetime.now(UTC)))
    assert len(json.dumps(fields)) < 4 * MAX_TEXT + MAX_NAMES * MAX_TEXT


def test_a_huge_certificate_is_not_read(environment: Environment) -> None:
    """Of more than OpenSSL's 100 kB of certificate nothing is taken in."""
    with serving(made(names=[f"{n}.{'a' * 60}.org" for n in range(2_000)])) as server:
        outcome = look(environment, server.port)
    assert (outcome.status, outcome.error) == ("no-tls", "no TLS: excessive message size")


def test_what_cannot_be_read_a_second_time(
    authorities: Authorities, ca_file: Path, environment: Environment
) -> None:
    """The verdict stands when the server is gone before its certificate could be read."""
    context = issued(authorities.known, HOST, days=PAST).context()
    seen: list[asyncio.StreamWriter] = []

    async def once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer)
        if len(seen) == 1:
            await writer.start_tls(context)

    with listening.listening(once) as server:
        outcome = look(environment, server.port, ca_file=str(ca_file))
    assert outcome.status == "expired"
    assert outcome.answer == {"address": "127.0.0.1", "reason": "certificate has expired"}


def test_without_authorities_there_is_no_verdict(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file without certificates, and a machine without any, stop the batch before it begins."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing in here\n")
    with pytest.raises(NoAuthorities, match=r"empty\.pem"):
        check([HOST], environment, command="tls", options={"ca_file": str(empty)})
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with pytest.raises(NoAuthorities, match="ca-certificates"):
        check([HOST], environment, command="tls")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("port", 0),
        ("port", 65_536),
        ("warn_days", -1),
        ("ca_file", "/no/such/file.pem"),
        ("alpn", ["h2"] * 9),
    ],
)
def test_wrong_options_are_refused(environment: Environment, option: str, value: object) -> None:
    """An option that cannot be is named before anything is asked."""
    with pytest.raises(UnknownOption, match=f"'{option}'"):
        check([HOST], environment, command="tls", options={option: value})
