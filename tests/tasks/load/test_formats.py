from dataclasses import replace

import pytest

from tasks.load import Ledger, LoadOptions, LoadReport, load_text
from tasks.load.reasons import REASONS
from tests.tasks.load.sink import ListSink

#: Valid names around the line of a test, so that there is always something to load.
KEPT = "kept.com"


def load_lines(text: str, **options: object) -> tuple[LoadReport, ListSink]:
    """Load text with options."""
    sink = ListSink()
    return load_text(text, sink, replace(LoadOptions(), **options)), sink  # type: ignore[arg-type]


def buckets(ledger: Ledger) -> dict[str, int]:
    """Return the non-zero buckets of a ledger."""
    figures = {
        name: getattr(ledger, name)
        for name in ("blank", "comment", "invalid", "duplicate", "unique")
    }
    return {name: count for name, count in figures.items() if count}


@pytest.mark.parametrize(
    ("file_format", "line", "outcome"),
    [
        ("names", "example.com # note", "example.com"),
        ("names", "example.com\t#note", "example.com"),
        ("names", "https://example.com/#top", "example.com"),
        ("names", "//example.com/x", "example.com"),
        ("names", "# comment", "comment"),
        ("names", "  # comment", "comment"),
        ("names", "#example.com", "comment"),
        ("names", "; c", "comment"),
        ("names", "// c", "comment"),
        ("names", "! c", "comment"),
        ("names", "[Adblock Plus]", "comment"),
        ("names", "", "blank"),
        ("names", " \t", "blank"),
        ("names", "\u00a0\u200b", "blank"),
        ("names", "[2001:db8::1]", "ip_address"),
        ("names", "a,b.com", "forbidden_char"),
        ("names", "a\x0bb.com", "forbidden_char"),
        ("names", "a\u2028b.com", "bad_idn"),
        ("names", "b\udcfccher.de", "not_utf8"),
        ("names", "x" * 70_000, "line_too_long"),
        ("csv", "1,google.com", "google.com"),
        ("csv", '"2","a.com"', "a.com"),
        ("csv", "3,https://a.com:8443/x", "a.com"),
        ("csv", "3,", "no_name"),
        ("csv", "3", "no_name"),
        ("csv", "3,router", "single_label"),
        ("csv", "3,b\udcfccher.de", "not_utf8"),
        ("csv", '"3,a.com', "a.com"),
        ("csv", '3,"a.com', "a.com"),
        ("csv", '3," a.com "', "a.com"),
        ("csv", "# 3,a.com", "comment"),
        ("csv", "3," + "x" * 70_000, "line_too_long"),
        ("hosts", "0.0.0.0 a.com", "a.com"),
        ("hosts", "127.0.0.1\ta.com", "a.com"),
        ("hosts", "  ::1 a.com # why", "a.com"),
        ("hosts", "a.com", "a.com"),
        ("hosts", "127.0.0.1 localhost", "comment"),
        ("hosts", "127.0.0.1 localhost.localdomain", "comment"),
        ("hosts", "::1 ip6-localhost ip6-loopback", "comment"),
        ("hosts", "255.255.255.255 broadcasthost", "comment"),
        ("hosts", "fe80::1%lo0 localhost", "comment"),
        ("hosts", "0.0.0.0 0.0.0.0", "comment"),
        ("hosts", "0.0.0.0 # nothing", "ip_address"),
        ("hosts", "# 0.0.0.0 a.com", "comment"),
        ("hosts", "0.0.0.0 router", "single_label"),
        ("adblock", "||example.com^", "example.com"),
        ("adblock", "||example.com^$third-party", "example.com"),
        ("adblock", "||example.com", "example.com"),
        ("adblock", "example.com", "example.com"),
        ("adblock", "0.0.0.0 a.com", "a.com"),
        ("adblock", "0.0.0.0 a.com b.com", "pattern"),
        ("adblock", "@@||example.com^", "exception_rule"),
        ("adblock", "example.com##.ad", "pattern"),
        ("adblock", "example.com#@#.ad", "pattern"),
        ("adblock", "##.ad", "pattern"),
        ("adblock", "/regex/", "pattern"),
        ("adblock", "||*.example.com^", "pattern"),
        ("adblock", "||example.com/path", "pattern"),
        ("adblock", "||192.0.2.1^", "ip_address"),
        ("adblock", "! comment", "comment"),
        ("adblock", "[Adblock Plus 2.0]", "comment"),
        ("adblock", "# comment", "comment"),
        ("zone", "example.com. 86400 in ns ns1.other.", "example.com"),
        ("zone", "example.com.\t3600\tIN\tA\t192.0.2.1 ; note", "example.com"),
        ("zone", 'example.com. IN TXT "a;b(" ; note', "example.com"),
        ("zone", "*.example.com CNAME .", "example.com"),
        ("zone", "com. 900 in soa a. b. 1 2 3 4 5", "single_label"),
        ("zone", "@ IN A 192.0.2.1", "no_name"),
        ("zone", "\tIN A 192.0.2.1", "duplicate"),
        ("zone", "; comment", "comment"),
        ("zone", "$TTL 3600", "comment"),
        ("zone", "HASH.com. 900 in nsec3 1 0 0 - HASH2 NS", "comment"),
        ("zone", "HASH.com. 900 in rrsig nsec3 8 2 900 x", "comment"),
        ("zone", ". 900 in ns a.root.", "empty_label"),
    ],
)
def test_line(file_format: str, line: str, outcome: str) -> None:
    """Every line goes to the one bucket that its format asks for."""
    kept = {"csv": f"1,{KEPT}", "zone": f"{KEPT}. in ns a."}.get(file_format, KEPT)
    column = 2 if file_format == "csv" else None
    report, sink = load_lines(f"{kept}\n{line}\n{kept}", format=file_format, column=column)
    got = buckets(report.ledger)
    if outcome in ("comment", "blank"):
        assert got == {outcome: 1, "duplicate": 1, "unique": 1}
    elif outcome == "duplicate":
        assert got == {"duplicate": 2, "unique": 1}
    elif outcome in REASONS:
        assert got == {"invalid": 1, "duplicate": 1, "unique": 1}
        assert report.reasons == {outcome: 1}
        assert [(row[0], row[1], row[3]) for row in sink.rejected] == [(2, 0, outcome)]
    else:
        assert sink.names == {KEPT: 1, outcome: 2}


def test_hosts_with_several_names() -> None:
    """Each name of a line counts; the lines balance by those that hold names."""
    report, sink = load_lines(
        "# head\n0.0.0.0 a.com b.com router # x\n\n0.0.0.0 a.com localhost\n", format="hosts"
    )
    ledger = report.ledger
    assert (ledger.lines, ledger.lines_with_names, ledger.names) == (4, 2, 4)
    assert buckets(ledger) == {"blank": 1, "comment": 1, "invalid": 1, "duplicate": 1, "unique": 2}
    assert sink.names == {"a.com": 2, "b.com": 2}
    assert sink.rejected == [(2, 2, "router", "single_label")]


def test_zone_file() -> None:
    """Owners are names: origin, relative names, repeated owners, records over several lines."""
    zone = """$ORIGIN example.com.
$TTL 1h
@       IN SOA ns1 admin (
            2024010101 ; serial
            3600 )     ; refresh
        IN NS  ns1
www     300 IN A 192.0.2.1
*.wild  A 192.0.2.1
abs.example.net. IN A 192.0.2.1
$ORIGIN sub
host    IN AAAA 2001:db8::1
"""
    report, sink = load_lines(zone)
    assert report.detected.format == "zone"
    assert sink.names == {
        "example.com": 3,
        "www.example.com": 7,
        "wild.example.com": 8,
        "abs.example.net": 9,
        "host.sub.example.com": 11,
    }
    assert buckets(report.ledger) == {"comment": 5, "duplicate": 1, "unique": 5}


def test_quoted_field_over_several_lines() -> None:
    """A record with newlines in it is one name; its further lines are comments."""
    text = 'Domain,Note\na.com,"one\ntwo\n\nfour"\nb.com,x\n'
    report, sink = load_lines(text)
    assert sink.names == {"a.com": 2, "b.com": 6}
    assert buckets(report.ledger) == {"blank": 1, "comment": 3, "unique": 2}


@pytest.mark.parametrize("rows", [3, 100])
def test_stray_quote_costs_one_line(rows: int) -> None:
    """A quote that never closes does not swallow the rest of the file."""
    text = 'Domain,Note\na.com,"open\n' + "".join(f"n{i}.com,x\n" for i in range(rows))
    report, sink = load_lines(text)
    assert len(sink.names) == rows + 1
    assert buckets(report.ledger) == {"comment": 1, "unique": rows + 1}


@pytest.mark.parametrize(
    "text",
    ["a.com, b.com;c.com d.com", "a.com b.com\tc.com,d.com\n", " a.com;b.com;;c.com,,d.com;"],
)
def test_names_pasted_on_one_line(text: str) -> None:
    """One pasted line holds several names; commas, semicolons and blanks are between them."""
    _, sink = load_lines(text)
    assert set(sink.names) == {"a.com", "b.com", "c.com", "d.com"}


def test_text_with_a_lone_surrogate() -> None:
    """Text that is no Unicode costs its own line only, and what is kept of it can be stored."""
    report, sink = load_lines("a.com\nb\ud800.com\n")
    assert report.reasons == {"not_utf8": 1}
    sink.rejected[0][2].encode("utf-8")
