from hypothesis import given
from hypothesis import strategies as st

from tasks.load.blocks import BlockCutter
from tasks.load.sample import take_sample
from tasks.load.streams import Stream

PIECES = st.lists(st.text("ab\r\n.", max_size=6).map(str.encode), max_size=8)


def cut(pieces: list[bytes], *, max_line_bytes: int = 100) -> tuple[list[bytes], int]:
    """Return the lines of a stream and their count."""
    cutter = BlockCutter(max_line_bytes=max_line_bytes)
    lines: list[bytes] = []
    for block in cutter.cut(Stream(iter(pieces)), "utf-8"):
        assert block.first_line == len(lines) + 1
        lines += block.data.split(b"\n")
        assert block.count == len(block.numbers)
    return lines, cutter.lines


def universal(data: bytes) -> list[bytes]:
    """Split with LF, CRLF and lone CR as ends of lines; the last end begins no line."""
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return lines if lines[-1] else lines[:-1]


@given(PIECES)
def test_any_pieces(pieces: list[bytes]) -> None:
    """However a stream is cut into pieces, its lines are the same."""
    expected = universal(b"".join(pieces))
    assert cut(pieces) == (expected, len(expected))


@given(PIECES, st.integers(0, 4))
def test_overlong_lines(pieces: list[bytes], bound: int) -> None:
    """Overlong lines stay single lines, seen to be too long; the others stay as they are."""
    expected = universal(b"".join(pieces))
    lines, count = cut(pieces, max_line_bytes=bound)
    assert count == len(expected)
    for line, whole in zip(lines, expected, strict=True):
        assert line == whole or (len(line) > bound and whole.startswith(line))


def test_blocks_are_bounded() -> None:
    """A long stream comes in several blocks, and their lines are numbered through."""
    pieces = [b"%07d.example.com\n" % number for number in range(1_000_000)]
    cutter = BlockCutter(max_line_bytes=100)
    blocks = list(cutter.cut(Stream(iter(pieces)), "utf-8"))
    assert max(len(block.data) for block in blocks) < 5 * 1024 * 1024
    assert sum(block.count for block in blocks) == cutter.lines == 1_000_000
    assert [block.data[:7] for block in blocks] == [b"%07d" % (b.first_line - 1) for b in blocks]


def test_sample_leaves_the_stream_as_it_was() -> None:
    """What was looked at is read again."""
    stream = Stream(iter([b"a.com\r\n", b"# x\r\n", b"b.com\r\n" * 100_000]))
    sample = take_sample(stream, "utf-8")
    assert (sample.newline, sample.content[:2]) == ("CRLF", ["a.com", "b.com"])
    assert len(sample.lines) == 1000
    assert len(b"".join(stream)) == 7 + 5 + 700_000
