"""The title is read from whatever bytes a page has."""

import gzip
import time
import zlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.http.title import MAX_TITLE_LENGTH, title_of

CAP = 65_536


def title(page: bytes, **headers: str) -> str | None:
    """Read it."""
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    return title_of(page, httpx.Headers(given), most_bytes=CAP)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<title>A page</title>", "A page"),
        (b"<HTML><TITLE lang='en'>\r\n A\tpage \n</TITLE>", "A page"),
        (b"<title>A &amp; B &lt;C&gt; &#x41;</title>", "A & B <C> A"),
        (b"<title>cut off", "cut off"),
        ("<title>Grüße</title>".encode(), "Grüße"),
        ("<meta charset=latin-1><title>Grüße</title>".encode("latin-1"), "Grüße"),
        ('<meta content="text/html; charset=koi8-r"><title>Привет'.encode("koi8-r"), "Привет"),
        (b"<title>\xff</title>", "\ufffd"),
        (b"<meta charset=nonsense><title>A page</title>", "A page"),
        (b"<meta charset=hex><title>A page</title>", "A page"),
        (b"<meta charset=undefined><title>A page</title>", "A page"),
        (b"<titles>No</titles><title >Yes</title >", "Yes"),
        (b"<title></title>", None),
        (b"<title> &nbsp; </title>", None),
        (b"no page", None),
        (b"", None),
        (b"<title>" + b"x" * 10_000, "x" * MAX_TITLE_LENGTH),
        (b"<title>" + b"&#x1f600;" * 10_000, "\U0001f600" * MAX_TITLE_LENGTH),
    ],
)
def test_a_title_is_read(page: bytes, expected: str | None) -> None:
    """It is found however it is written, in its charset, on one line and cut."""
    assert title(page) == expected


def test_a_long_header_is_not_searched() -> None:
    """Only the header's beginning is: the time to search it grows with the square."""
    page, latin = b"<title>\xe4</title>", "charset=latin-1"
    assert title(page, content_type=f"text/html;{' ' * 200}{latin}") == "ä"
    assert title(page, content_type=f"text/html;{' ' * 300}{latin}") == "\ufffd"
    assert title(page, content_type=f"text/html; charset={' ' * 90_000};") == "\ufffd"


def test_the_header_knows_the_charset_better() -> None:
    """The charset of the header comes before the page's own word."""
    page = "<meta charset=utf-8><title>Grüße</title>".encode("latin-1")
    assert title(page, content_type='text/html; charset="ISO-8859-1"') == "Grüße"


PAGE = b"<title>A page</title>" + b"." * 10_000


@pytest.mark.parametrize(
    ("coding", "page", "expected"),
    [
        ("gzip", gzip.compress(PAGE, mtime=0), "A page"),
        ("GZIP ", gzip.compress(PAGE, mtime=0)[:-20], "A page"),
        ("deflate", zlib.compress(PAGE), "A page"),
        ("identity", PAGE, "A page"),
        ("gzip", PAGE, None),
        ("br", PAGE, None),
        ("gzip, gzip", gzip.compress(gzip.compress(PAGE, mtime=0), mtime=0), None),
    ],
    # Not the bytes themselves.
    ids=["gzip", "cut", "deflate", "identity", "not-gzip", "unknown", "twice"],
)
def test_a_compressed_page_is_read(coding: str, page: bytes, expected: str | None) -> None:
    """What a server compresses without being asked is read, as far as it came."""
    assert title(page, content_encoding=coding) == expected


def test_a_bomb_is_not_expanded() -> None:
    """A title that lies behind more bytes than are wanted is not looked for."""
    behind = b"." * CAP + b"<title>A page</title>"
    assert title(gzip.compress(behind, mtime=0), content_encoding="gzip") is None
    assert title(gzip.compress(behind[21:], mtime=0), content_encoding="gzip") == "A page"


@pytest.mark.parametrize(
    "part",
    [b"<title", b"<title ", b"<title>", b"<meta ", b"<meta charset", b"<meta charset="],
)
def test_no_page_takes_long(part: bytes) -> None:
    """Sixteen times as long a page takes no more than in proportion longer."""

    def seconds(size: int) -> float:
        page = (part * size)[:size]
        began = time.thread_time()
        for _ in range(CAP * 16 // size):
            title(page)
        return time.thread_time() - began

    seconds(CAP)
    # The square would be 16 times as much for the same number of bytes.
    assert seconds(CAP) < 8 * seconds(CAP // 16) + 0.1


@given(st.binary(max_size=300), st.text(max_size=50), st.sampled_from([b"", b"gzip"]))
def test_nothing_breaks_it(noise: bytes, charset: str, coding: bytes) -> None:
    """No bytes and no charset make it fail."""
    told = [(b"content-type", f"charset={charset}".encode()), (b"content-encoding", coding)]
    found = title_of(b"<title>" + noise, httpx.Headers(told), most_bytes=CAP)
    assert found is None or 0 < len(found) <= MAX_TITLE_LENGTH
