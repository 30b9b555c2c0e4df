import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
import zstandard

from tests.tasks.load.sink import load_bytes

NAMES = files("disposable_email").joinpath("domains.txt").read_text().split()
TEXT = "\n".join(NAMES).encode()


def rows(form: str) -> bytes:
    """Write each name with its rank in a form."""
    return "".join(form.format(rank=rank, name=name) for rank, name in enumerate(NAMES, 1)).encode()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Pack files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return target.getvalue()


def halves(pack: Callable[[bytes], bytes]) -> bytes:
    """Pack two parts one after the other, cut in the middle of a line."""
    middle = len(TEXT) // 2
    return pack(TEXT[:middle]) + pack(TEXT[middle:])


def zstd_stream(data: bytes) -> bytes:
    """Pack without the size in the header, as a pipe does."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


WRAPPINGS: dict[str, tuple[Callable[[], bytes], str]] = {
    "txt": (lambda: TEXT, "UTF-8, one name a line"),
    "crlf": (lambda: TEXT.replace(b"\n", b"\r\n"), "UTF-8, one name a line"),
    "lone-cr": (lambda: TEXT.replace(b"\n", b"\r"), "UTF-8, one name a line"),
    "blank-lines": (lambda: TEXT.replace(b"\n", b"\n\r\n"), "UTF-8, one name a line"),
    "upper-case": (lambda: TEXT.upper() + b"\n", "UTF-8, one name a line"),
    "twice": (lambda: TEXT + b"\n" + TEXT, "UTF-8, one name a line"),
    "urls": (lambda: rows("https://{name}/{rank}\n"), "UTF-8, one name a line"),
    "utf-8-bom": (lambda: b"\xef\xbb\xbf" + TEXT, "UTF-8, one name a line"),
    "utf-16-le": (lambda: TEXT.decode().encode("utf-16"), "UTF-16 LE, one name a line"),
    "utf-16-be": (
        lambda: b"\xfe\xff" + TEXT.decode().encode("utf-16-be"),
        "UTF-16 BE, one name a line",
    ),
    "utf-16-le-no-bom": (lambda: TEXT.decode().encode("utf-16-le"), "UTF-16 LE, one name a line"),
    "utf-16-be-no-bom": (lambda: TEXT.decode().encode("utf-16-be"), "UTF-16 BE, one name a line"),
    "utf-32": (lambda: TEXT.decode().encode("utf-32"), "UTF-32-LE, one name a line"),
    "gz": (lambda: gzip.compress(TEXT), "gzip, UTF-8, one name a line"),
    "gz-members": (lambda: halves(gzip.compress), "gzip, UTF-8, one name a line"),
    "gz-padded": (lambda: gzip.compress(TEXT) + bytes(512), "gzip, UTF-8, one name a line"),
    "gz-twice": (
        lambda: gzip.compress(gzip.compress(TEXT)), "gzip in gzip, UTF-8, one name a line"
    ),
    "bz2": (lambda: bz2.compress(TEXT), "bzip2, UTF-8, one name a line"),
    "bz2-streams": (lambda: halves(bz2.compress), "bzip2, UTF-8, one name a line"),
    "xz": (lambda: lzma.compress(TEXT), "xz, UTF-8, one name a line"),
    "xz-streams": (lambda: halves(lzma.compress), "xz, UTF-8, one name a line"),
    "zstd": (lambda: zstandard.compress(TEXT), "zstd, UTF-8, one name a line"),
    "zstd-frames": (lambda: halves(zstandard.compress), "zstd, UTF-8, one name a line"),
    "zstd-no-size": (lambda: zstd_stream(TEXT), "zstd, UTF-8, one name a line"),
    "zip": (lambda: zipped(("top.txt", TEXT)), "zip, top.txt, UTF-8, one name a line"),
    "zip-bzip2": (
        lambda: zipped(("top.txt", TEXT), method=zipfile.ZIP_BZIP2),
        "zip, top.txt, UTF-8, one name a line",
    ),
    "zip-clutter": (
        lambda: zipped(
            ("lists/", b""),
            ("__MACOSX/lists/._a.txt", b"\0\5\x16\7"),
            ("lists/.DS_Store", b"\0\0\0\1Bud1"),
            ("lists/logo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
            ("lists/a.txt", TEXT),
        ),
        "zip, lists/a.txt, UTF-8, one name a line",
    ),
    "zip-members": (
        lambda: zipped(
            ("a.csv", b"Domain,Rank\n" + b"".join(b"%s,1\n" % n.encode() for n in NAMES[:40_000])),
            ("b.txt", "\n".join(NAMES[40_000:]).encode("utf-16")),
        ),
        "zip, a.csv and 1 more, UTF-8, CSV with ',' and a header, names in column 1 (Domain)",
    ),
    "gz-in-zip": (
        lambda: zipped(("top.txt.gz", gzip.compress(TEXT))),
        "gzip in zip, top.txt.gz, UTF-8, one name a line",
    ),
    "tranco": (
        lambda: zipped(("top-1m.csv", rows("{rank},{name}\r\n"))),
        "zip, top-1m.csv, UTF-8, CSV with ',' and no header, names in column 2",
    ),
    "quoted-csv": (
        lambda: b'"Rank","Domain"\n' + rows('"{rank}","{name}"\n'),
        "UTF-8, CSV with ',' and a header, names in column 2 (Domain)",
    ),
    "excel": (
        lambda: ("Nr;Domain\r\n" + rows("{rank};{name}\r\n").decode()).encode("utf-16"),
        "UTF-16 LE, CSV with ';' and a header, names in column 2 (Domain)",
    ),
    "hosts": (lambda: b"127.0.0.1 localhost\n" + rows("0.0.0.0 {name}\n"), "UTF-8, hosts file"),
    "adblock": (lambda: b"! x\n" + rows("||{name}^\n"), "UTF-8, ad blocker's filter list"),
    "zone": (lambda: rows("{name}.\t172800\tin\tns\tns1.x.\n"), "UTF-8, zone file"),
}  # fmt: skip


@pytest.fixture(scope="module")
def expected() -> set[str]:
    """Give the names of the package: all of them are valid and different."""
    assert len(set(NAMES)) == 74_558
    return set(NAMES)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_same_names_in_every_wrapping(wrapping: str, expected: set[str], tmp_path: Path) -> None:
    """However a list is packed, encoded and written, the same names come out of it."""
    make, words = WRAPPINGS[wrapping]
    report, sink = load_bytes(tmp_path, make())
    assert set(sink.names) == expected
    assert report.ledger.unique == len(sink.domains) == len(expected)
    assert (report.ledger.invalid, report.truncated) == (0, None)
    assert report.detected.describe() == words
    assert sink.domains == sorted(sink.domains)
    first = NAMES[0]
    assert sink.names[first] == 1 + report.ledger.comment


def test_lines_go_on_over_the_files_of_a_zip(tmp_path: Path) -> None:
    """Lines of several files in a zip are numbered through; the first file has no final LF."""
    data = zipped(("a.txt", b"a.com\nb.com"), ("b.txt", b"c.com\na.com\nx"))
    report, sink = load_bytes(tmp_path, data)
    assert sink.names == {"a.com": 1, "b.com": 2, "c.com": 3}
    assert sink.rejected == [(5, 0, "x", "single_label")]
    assert report.ledger.lines == 5
