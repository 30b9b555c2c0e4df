import gzip
import os
import random
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from tasks.load import (
    ArchiveDamaged,
    ArchiveEncrypted,
    ArchiveNested,
    FileEmpty,
    FileMissing,
    FileUnreadable,
    Ledger,
    LedgerBroken,
    LoadError,
    LoadOptions,
    NotAFile,
    NothingValid,
    NotText,
    NoUsableMember,
    TooLarge,
    UnknownEncoding,
    load_file,
    load_text,
)
from tests.tasks.load.sink import ListSink, load_bytes
from tests.tasks.load.test_wrappings import TEXT, zipped

NOBODY = 65534  #: User id without any right. Source: Debian Policy 9.2.2.


def sentence_of(path: Path, options: LoadOptions | None = None) -> LoadError:
    """Load what cannot be loaded; the sink must hear nothing of it."""
    sink = ListSink()
    with pytest.raises(LoadError) as caught:
        load_file(path, sink, options or LoadOptions())
    assert sink.calls == 0
    message = str(caught.value)
    assert message.count("\n") == 0
    assert message.endswith(".")
    return caught.value


@contextmanager
def rights_of_nobody() -> Iterator[None]:
    """Give up root's rights, which no permission binds, for a while."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_missing_file(tmp_path: Path) -> None:
    """A path without a file says so."""
    error = sentence_of(tmp_path / "missing.txt")
    assert isinstance(error, FileMissing)
    assert "missing.txt" in str(error)


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_not_a_file(kind: str, tmp_path: Path) -> None:
    """A directory or a pipe is not read, not even waited for."""
    path = tmp_path
    if kind == "pipe":
        path = tmp_path / "pipe"
        os.mkfifo(path)
    assert isinstance(sentence_of(path), NotAFile)


def test_no_permission(tmp_path: Path) -> None:
    """A file that the system keeps closed is named with the system's words."""
    path = tmp_path / "closed.txt"
    path.write_text("a.com\n")
    path.chmod(0)
    with rights_of_nobody():
        error = sentence_of(path)
    assert isinstance(error, FileUnreadable)
    assert "Permission denied" in str(error)


def test_disk_fault() -> None:
    """A file that opens and cannot be read is named with the system's words."""
    error = sentence_of(Path("/proc/self/mem"))  # Nothing is mapped at its beginning.
    assert isinstance(error, FileUnreadable)
    assert "Input/output error" in str(error)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
def test_impossible_path(path: str) -> None:
    """A path that the system does not even take is an error like the others."""
    assert isinstance(sentence_of(Path(path)), FileUnreadable)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xef\xbb\xbf", gzip.compress(b""), zipped(("a.txt", b"")), zstandard.compress(b"")],
    ids=["plain", "bom", "gzip", "zip", "zstd"],
)
def test_empty(data: bytes, tmp_path: Path) -> None:
    """A file without a byte in it, also when it is packed, is empty."""
    path = tmp_path / "empty"
    path.write_bytes(data)
    assert isinstance(sentence_of(path), FileEmpty)


def test_nothing_valid(tmp_path: Path) -> None:
    """A file without a valid name gives its ledger and the first reasons."""
    path = tmp_path / "bad.txt"
    path.write_bytes(b"\n# x\nrouter\n192.0.2.1\nprinter\n")
    error = sentence_of(path)
    assert isinstance(error, NothingValid)
    assert "5 lines (1 blank, 1 comments, 3 invalid: 2 no dot in it, 1 an IP address)" in str(error)
    assert error.report.reasons == {"single_label": 2, "ip_address": 1}


def test_only_blanks(tmp_path: Path) -> None:
    """A file of blanks holds nothing valid."""
    path = tmp_path / "blank.txt"
    path.write_bytes(b"\n \n\t\n")
    assert isinstance(sentence_of(path), NothingValid)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (Path(sys.executable).resolve().read_bytes()[:100_000], "a Linux program"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF document"),
        (zipped(("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")), "an Excel"),
        (zipped(("[Content_Types].xml", b"<x/>"), ("word/document.xml", b"<x/>")), "a Word"),
        (zipped(("mimetype", b"x"), ("META-INF/manifest.xml", b"<x/>")), "an OpenDocument"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "an old Office document"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7-Zip archive"),
        (b"SQLite format 3\0" + bytes(100), "an SQLite database"),
        (gzip.compress(b"GIF89a" + bytes(100)), "a GIF picture"),
        (random.Random(1).randbytes(5000), "binary data"),
    ],
    # Not the data: a packed file holds the time, and each process of the tests would have its own.
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_binary(data: bytes, what: str, tmp_path: Path) -> None:
    """A file that is no text is called what it is."""
    path = tmp_path / "binary"
    path.write_bytes(data)
    error = sentence_of(path)
    assert isinstance(error, NotText)
    assert what in str(error)


def test_encrypted_zip(tmp_path: Path) -> None:
    """An encrypted zip asks for one without a password."""
    data = bytearray(zipped(("a.txt", b"a.com\n")))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # APPNOTE.TXT 4.3.7 and 4.3.12.
        data[data.index(signature) + offset] |= 1
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    error = sentence_of(path)
    assert isinstance(error, ArchiveEncrypted)
    assert "password" in str(error)


@pytest.mark.parametrize(
    "members",
    [
        (),
        (("logo.png", b"\x89PNG\r\n\x1a\n"),),
        (("__MACOSX/a.txt", b"x.com"),),
        (("d/", b""),),
    ],
)
def test_zip_without_text(members: tuple[tuple[str, bytes], ...], tmp_path: Path) -> None:
    """A zip without a text file says what is in it."""
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(*members))
    error = sentence_of(path)
    assert isinstance(error, NoUsableMember)
    assert (members[0][0] if members else "nothing") in str(error)


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"a.com\n".ljust(257, b"\0") + b"ustar  \0" + bytes(300)),
        gzip.compress(zipped(("a.txt", TEXT))),
        gzip.compress(gzip.compress(gzip.compress(TEXT))),
    ],
    ids=["tar.gz", "zip.gz", "gz.gz.gz"],
)
def test_nested_archive(data: bytes, tmp_path: Path) -> None:
    """An archive in an archive asks for the file inside."""
    path = tmp_path / "nested"
    path.write_bytes(data)
    error = sentence_of(path)
    assert isinstance(error, ArchiveNested)
    assert "upload the file inside" in str(error)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_archive_that_ends_early(pack: object, tmp_path: Path) -> None:
    """What came before the end is kept, except for the line in the middle of which it ends."""
    whole = pack(TEXT)  # type: ignore[operator]
    report, sink = load_bytes(tmp_path, whole[: len(whole) // 2])
    lines = report.ledger.lines
    names = TEXT.decode().split("\n")
    assert report.truncated == f"The archive ends early: the {lines:,} lines before that were kept."
    assert 1000 < lines < len(names)
    assert set(sink.names) == set(names[: lines - 1])
    assert [(row[0], row[3]) for row in sink.rejected] == [(lines, "cut_off")]
    assert names[lines - 1].startswith(sink.rejected[0][2])


def test_archive_followed_by_garbage(tmp_path: Path) -> None:
    """Garbage after an archive is said, and costs nothing of what was before it."""
    report, sink = load_bytes(tmp_path, gzip.compress(b"a.com\nb.com\n") + b"garbage")
    assert set(sink.names) == {"a.com", "b.com"}
    assert report.truncated is not None


@pytest.mark.parametrize("size", [3, 10, 15])
def test_archive_with_nothing_in_it(size: int, tmp_path: Path) -> None:
    """An archive of which nothing came is an error."""
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(TEXT)[:size])
    assert isinstance(sentence_of(path), ArchiveDamaged)


def test_zip_without_its_directory(tmp_path: Path) -> None:
    """Half of a zip cannot be opened: its directory is at the end."""
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(("a.txt", TEXT))[:1000])
    assert isinstance(sentence_of(path), ArchiveDamaged)


def test_zip_with_a_wrong_checksum(tmp_path: Path) -> None:
    """A broken member is kept as far as it was read, and the report says so."""
    data = bytearray(zipped(("a.txt", (TEXT + b"\n") * 3), method=zipfile.ZIP_STORED))
    data[-1000] ^= 1
    report, sink = load_bytes(tmp_path, bytes(data))
    assert set(sink.names) <= set(TEXT.decode().split("\n"))
    assert len(sink.names) > 10_000
    assert report.truncated is not None


def bomb(size: int) -> bytes:
    """Write a valid name, then `size` bytes of comment, in one line."""
    return b"a.com\n#" + b"x" * size


@pytest.mark.parametrize(
    "pack",
    [
        lambda data: data,
        gzip.compress,
        zstandard.compress,
        lambda data: zipped(("a.txt", data)),
        lambda data: zipped(("a.txt", data[: len(data) // 2]), ("b.txt", data[len(data) // 2 :])),
        lambda data: gzip.compress(gzip.compress(data)),
    ],
    ids=["plain", "gzip", "zstd", "zip", "zip-members", "gzip-gzip"],
)
def test_bound_on_size(pack: object, tmp_path: Path) -> None:
    """A bomb is an error as soon as the bound is passed, in little memory, with nothing kept."""
    path = tmp_path / "bomb"
    path.write_bytes(pack(bomb(50_000_000)))  # type: ignore[operator]
    tracemalloc.start()
    error = sentence_of(path, LoadOptions(max_bytes=10_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(error, TooLarge)
    assert "10,000,000" in str(error)
    assert peak < 40_000_000


def test_line_of_ten_megabytes(tmp_path: Path) -> None:
    """A line without an end is one rejected line, in bounded memory."""
    data = b"a.com\n" + b"x" * 10_000_000 + b".com\nb.com\n" + b"y" * 10_000_000
    tracemalloc.start()
    report, sink = load_bytes(tmp_path, data)
    tracemalloc.stop()
    assert sink.names == {"a.com": 1, "b.com": 3}
    assert report.reasons == {"line_too_long": 2}
    assert report.ledger.lines == 4
    assert all(len(raw) <= 201 for _, _, raw, _ in sink.rejected)


@pytest.mark.parametrize("encoding", ["klingon", "base64", "idna", "undefined", "utf-8\0", ""])
def test_unknown_encoding(encoding: str, tmp_path: Path) -> None:
    """An encoding that reads no text file is an error."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"a.com\n")
    if encoding:
        assert isinstance(sentence_of(path, LoadOptions(encoding=encoding)), UnknownEncoding)
    else:  # A form that was left empty asks for nothing.
        assert load_file(path, ListSink(), LoadOptions(encoding="")).detected.encoding == "utf-8"


def test_encoding_override(tmp_path: Path) -> None:
    """The user's encoding wins; without it Latin-1 costs the lines that it is in."""
    data = "bücher.de\na.com\n".encode("latin-1")
    report, sink = load_bytes(tmp_path, data)
    assert (set(sink.names), report.reasons) == ({"a.com"}, {"not_utf8": 1})
    assert sink.rejected[0][2] == r"b\xfccher.de"
    report, sink = load_bytes(tmp_path, data, LoadOptions(encoding="latin-1"))
    assert set(sink.names) == {"a.com", "xn--bcher-kva.de"}


def test_temporary_directory_is_full(tmp_path: Path) -> None:
    """Names that do not fit on the disk are a clear error; a limit of the system causes it."""
    path = tmp_path / "many.txt"
    path.write_text("".join(f"{number}.example.com\n" for number in range(600_000)))
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from tasks.load import TemporaryDirectoryFull, load_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "directory = Path(sys.argv[2])\n"
        "try:\n"
        "    load_file(Path(sys.argv[1]), None, temporary_directory=directory)\n"
        "except TemporaryDirectoryFull as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", script, str(path), str(tmp_path)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ran.stdout.startswith(f"There is no room in the temporary directory {tmp_path}")


def test_report(tmp_path: Path) -> None:
    """The report counts what was rewritten."""
    data = gzip.compress("*.a.com\nhttp://b.com\nx@c.com\nbücher.de\na_b.com\na.com\n".encode())
    report, sink = load_bytes(tmp_path, data)
    assert report.ledger == Ledger(
        lines=6, blank=0, comment=0, lines_with_names=6, names=6, invalid=0, duplicate=1, unique=5,
        flags={"from_email": 1, "from_url": 1, "idn": 1, "underscore": 1, "wildcard_stripped": 1},
    )  # fmt: skip
    assert sink.domains == sorted(sink.domains)


def test_rejected_text_can_be_stored_anywhere(tmp_path: Path) -> None:
    """NUL and broken bytes become readable, long text is cut."""
    _, sink = load_bytes(tmp_path, b"a.com\na\0b.com\n\xff.com\n" + b"-" * 300 + b"\n")
    raw = [row[2] for row in sink.rejected]
    assert raw == [r"a\x00b.com", r"\xff.com", "-" * 200 + "…"]


def test_batches_and_progress(tmp_path: Path) -> None:
    """Rows come in batches of 10,000 in increasing order, and progress in growing line counts."""

    class Batches(ListSink):
        def add_domains(self, rows: Sequence[tuple[int, str, int]]) -> None:
            super().add_domains(rows)
            sizes.append(len(rows))

    sizes: list[int] = []
    seen: list[int] = []
    path = tmp_path / "many.txt"
    path.write_text("".join(f"{n % 700_000:06}.many.example.com\n" for n in range(1_000_000)))
    sink = Batches()
    report = load_file(path, sink, progress=seen.append, temporary_directory=tmp_path)
    assert sizes == [10_000] * 70
    assert sink.domains == sorted(sink.domains)
    assert all(name == f"{line - 1:06}.many.example.com" for name, line in sink.names.items())
    assert report.ledger.duplicate == 300_000
    assert seen == sorted(set(seen))
    assert seen[-1] == 1_000_000


@pytest.mark.parametrize("field", ["lines", "blank", "names", "invalid", "unique"])
def test_ledger_that_does_not_balance(field: str) -> None:
    """A ledger with one wrong figure is an internal error."""
    report = load_text("a.com\na.com\n\nx\n", ListSink())
    report.ledger.check(one_name_a_line=True)
    wrong = replace(report.ledger, **{field: getattr(report.ledger, field) + 1})
    with pytest.raises(LedgerBroken):
        wrong.check(one_name_a_line=True)


def test_error_of_the_sink_passes_through(tmp_path: Path) -> None:
    """What the database raises is not taken for a fault of the file."""

    class Broken(ListSink):
        def add_domains(self, rows: Sequence[tuple[int, str, int]]) -> None:
            raise BrokenPipeError(len(rows))

    path = tmp_path / "a.txt"
    path.write_bytes(b"a.com\n")
    with pytest.raises(BrokenPipeError):
        load_file(path, Broken())


def test_text_is_bounded_and_never_empty() -> None:
    """Pasted text has the same errors as a file."""
    with pytest.raises(FileEmpty):
        load_text(" ", ListSink())
    with pytest.raises(TooLarge):
        load_text("a.com\n" * 10, ListSink(), LoadOptions(max_bytes=20))
    with pytest.raises(NothingValid):
        load_text("x\ny", ListSink())


def test_zip_with_a_huge_directory(tmp_path: Path) -> None:
    """A list of members that would not fit into memory is not read."""
    data = bytearray(zipped(("a.txt", TEXT)))
    offset = data.index(b"PK\5\6") + 12  # Size of the directory. Source: APPNOTE.TXT 4.3.16.
    data[offset : offset + 4] = (20_000_000).to_bytes(4, "little")
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    error = sentence_of(path)
    assert isinstance(error, TooLarge)
    assert "too many files" in str(error)


@pytest.mark.parametrize("claim", [10, 2**31 - 1])
def test_zip_whose_header_lies(claim: int, tmp_path: Path) -> None:
    """The size in a zip's header is the sender's claim: a false one does no harm."""
    data = bytearray(zipped(("a.txt", TEXT * 10)))
    offset = data.index(b"PK\1\2") + 24  # Uncompressed size. Source: APPNOTE.TXT 4.3.12.
    data[offset : offset + 4] = claim.to_bytes(4, "little")
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    assert isinstance(sentence_of(path, LoadOptions(max_bytes=len(TEXT) * 9)), LoadError)
