import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.load.encodings import sniff_encoding, to_utf8

WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


def pieces_of(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces."""
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("encoding", ["utf-8", *WIDE])
@given(text=st.text(min_size=1).filter(lambda text: text[0] != "\ufeff"), size=st.integers(1, 9))
def test_marked_text(encoding: str, text: str, size: int) -> None:
    """Text with a byte-order mark is found out and comes back, in whatever pieces."""
    data = ("\ufeff" + text).encode(encoding)
    if encoding == "utf-16-le" and text[0] == "\0":
        return  # The mark of UTF-32-LE: no text begins so.
    assert sniff_encoding(data) == encoding
    assert b"".join(to_utf8(iter(pieces_of(data, size)), encoding)) == text.encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_unmarked_text(encoding: str) -> None:
    """ASCII in UTF-16 is found out by its NULs, also with some other letters in it."""
    assert sniff_encoding("example.com\nbücher.de\n名.com\n".encode(encoding)) == encoding


@pytest.mark.parametrize("encoding", [*WIDE, "cp1252", "shift_jis"])
@given(data=st.binary(), size=st.integers(1, 9))
def test_any_bytes(encoding: str, data: bytes, size: int) -> None:
    """No bytes raise, whatever encoding they are said to be in."""
    b"".join(to_utf8(iter(pieces_of(data, size)), encoding))


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("utf-16-le", "a.com\n".encode("utf-16-le") + b"\x00\xd8\n\x00b"),
        ("utf-32-le", b"a\0\0\0\xff\xff\xff\xff"),
        ("cp1252", b"\x81.com"),
        ("utf-8", b"\xfc.com"),
    ],
)
def test_faults_stay_faults(encoding: str, data: bytes) -> None:
    """What is invalid in its encoding does not become a valid name."""
    converted = b"".join(to_utf8(iter([data]), encoding))
    assert "\ufffd" in converted.decode("utf-8", "replace")
