"""The beginning of a file, for finding out how to read the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tasks.load.blocks import with_lf
from tasks.load.comments import is_comment
from tasks.load.encodings import to_utf8
from tasks.load.normalise import EDGES, Normalised, normalise
from tasks.load.plain import plain_names
from tasks.load.streams import Stream

SAMPLE_BYTES: Final = 256 * 1024
SAMPLE_LINES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The first lines of a stream."""

    #: Lines that are neither blank nor, by the marks of plain lists, comments.
    content: list[str]
    #: All of them.
    lines: list[str]
    #: LF, CRLF, CR, mixed or none.
    newline: str


def take_sample(stream: Stream, encoding: str) -> Sample:
    """Look at the first 1,000 lines or 256 KiB of a stream without using them up."""
    head = stream.peek(SAMPLE_BYTES)
    raw = b"".join(to_utf8(iter([head]), encoding))
    lines = b"".join(with_lf(iter([raw]))).decode("utf-8", "replace").split("\n")
    # The last line may be cut: it counts only when it is all there is.
    lines = lines[:-1][:SAMPLE_LINES] if len(head) >= SAMPLE_BYTES and len(lines) > 1 else lines
    lines = lines[:SAMPLE_LINES]
    stripped = (line.strip(EDGES) for line in lines)
    content = [line for line in stripped if line and not is_comment(line)]
    return Sample(content=content, lines=lines, newline=_newline(raw))


def valid_share(texts: list[str]) -> float:
    """Return the share of texts that hold a valid name, 0 to 1; 0 for none at all."""
    if not texts:
        return 0.0
    found = plain_names("\n".join(text.replace("\n", " ") for text in texts).encode())
    valid = sum(
        bool(name) or isinstance(normalise(text), Normalised)
        for name, text in zip(found, texts, strict=True)
    )
    return valid / len(texts)


def _newline(raw: bytes) -> str:
    crlf = raw.count(b"\r\n")
    counts = {"CRLF": crlf, "LF": raw.count(b"\n") - crlf, "CR": raw.count(b"\r") - crlf}
    kinds = [name for name, count in counts.items() if count]
    return "mixed" if len(kinds) > 1 else kinds[0] if kinds else "none"
