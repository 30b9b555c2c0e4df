import bz2
import gzip
import lzma
import random
import time
from collections.abc import Callable
from pathlib import Path

import zstandard

from tasks.load import LoadError, LoadOptions, load_file
from tasks.load.reasons import REASONS
from tests.tasks.load.sink import ListSink
from tests.tasks.load.test_wrappings import zipped

FILES = 10_000
SEEDS = [
    b"a.com\nWWW.B.com.\n\nhttps://c.com/x\nx\nb\xc3\xbccher.de\n",
    b"# c\r\n*.a.com\r\nb@c.de\r\n192.0.2.1\r\n" * 3,
    b'rank,domain\n1,a.com\n2,b.com\n3,"c\nd",x\n4,e.com\n',
    b'"Domain";"Note"\n"a.com";"x;y"\n"b.com";"""q"""\n',
    b"127.0.0.1 localhost\n0.0.0.0 a.com b.com # x\n::1 ip6-all\n",
    b"[Adblock Plus]\n! c\n||a.com^\n@@||b.com^\n/x/\n##.ad\n||c.com^$important\n",
    b"$ORIGIN a.com.\n@ 1 in soa a b (\n 1 2\n 3 )\nwww in a 192.0.2.1\n\tin ns b.\nx in nsec3 1\n",
    "a.com\nbücher.de\n💩.la\n".encode("utf-16"),
    "a.com\nb.com\nc.com\nd.com\n".encode("utf-16-be"),
    b"\xef\xbb\xbfa.com\rb.com\rc.com",
    b"",
    b"\0\1\2",
]
PACKERS: list[Callable[[bytes], bytes]] = [
    lambda data: data,
    lambda data: data,
    lambda data: gzip.compress(data, mtime=0),
    lambda data: gzip.compress(data, mtime=0) * 2,
    lambda data: gzip.compress(gzip.compress(data, mtime=0), mtime=0),
    bz2.compress,
    lambda data: lzma.compress(data, preset=0),
    zstandard.compress,
    lambda data: zipped(("a.txt", data), ("b.csv", data[::2])),
    lambda data: zipped(("a.gz", gzip.compress(data))),
]
FORMATS = [None, None, None, "names", "csv", "hosts", "adblock", "zone"]


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Change, drop, double or cut some bytes."""
    soup = bytearray(data)
    for _ in range(rng.choice([0, 1, 1, 2, 5, 20])):
        at = rng.randrange(len(soup) + 1)
        match rng.randrange(5):
            case 0 if soup:
                soup[at % len(soup)] = rng.randrange(256)
            case 1:
                soup[at:at] = rng.choice([b"\n", b"\r", b"\0", b'"', b",", b"\xff", b"(", b"\t"])
            case 2:
                del soup[at : at + rng.randrange(8)]
            case 3:
                soup[at:at] = soup[: rng.randrange(40)]
            case _ if not rng.randrange(4):
                del soup[at:]
    return bytes(soup)


def fuzzed_file(rng: random.Random) -> bytes:
    """Make a file: a seed or noise, mutated, packed, mutated again."""
    inner = rng.choice(SEEDS) if rng.randrange(10) else rng.randbytes(rng.randrange(300))
    packed = rng.choice(PACKERS)(mutated(rng, inner))
    return packed if rng.randrange(3) else mutated(rng, packed)


def test_no_file_breaks_the_loader(tmp_path: Path) -> None:
    """Of 10,000 broken files each loads with a balanced ledger, or is a `LoadError`."""
    rng = random.Random(1)  # Has a zip with a nameless member in it, among others.
    path = tmp_path / "fuzzed"
    started = time.process_time()
    loaded = 0
    for number in range(FILES):
        data = fuzzed_file(rng)
        path.write_bytes(data)
        options = LoadOptions(
            format=rng.choice(FORMATS),
            column=rng.choice([None, None, None, 1, 2, "domain"]),
            encoding=rng.choice([None, None, None, "utf-8", "utf-16", "cp1252"]),
            max_line_bytes=rng.choice([64 * 1024, 20]),
        )
        sink = ListSink()
        try:
            report = load_file(path, sink, options)
        except LoadError:
            assert sink.calls == 0, f"file {number}"
            continue
        loaded += 1
        ledger = report.ledger
        assert len(set(sink.names)) == len(sink.domains) == ledger.unique, f"file {number}"
        assert len({row[:2] for row in sink.rejected}) == ledger.invalid, f"file {number}"
        assert ledger.invalid == sum(report.reasons.values()), f"file {number}"
        assert {row[3] for row in sink.rejected} <= set(REASONS), f"file {number}"
        assert all(1 <= line <= ledger.lines for line in sink.names.values()), f"file {number}"
    assert loaded > FILES / 6
    assert time.process_time() - started < 120  # A few seconds; more hints at quadratic time.
