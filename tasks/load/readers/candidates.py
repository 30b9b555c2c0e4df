"""What a reader finds, and the reader of formats in which each line stands for itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tasks.load.blocks import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Text that a reader could make no candidate of."""

    line: int  #: From 1.
    ordinal: int  #: Within the line, from 0.
    raw: bytes
    reason: str  #: An identifier of `reasons.REASONS`.


@dataclass(slots=True, kw_only=True)
class Candidates:
    """
    What was found in a block.

    `data` holds the candidates joined by LF, `lines` the number of the line of each (n,) and
    `ordinals` its place within the line, or None when no line has more than one.
    """

    data: bytes = b""
    lines: Sequence[int] = ()
    ordinals: Sequence[int] | None = None
    #: The candidates are lines as they are: some may be blank or a comment.
    whole_lines: bool = False
    blank: int = 0
    comment: int = 0
    #: Lines with at least one candidate or rejection; None when each is a candidate of its own.
    lines_with_names: int | None = None
    rejections: list[Rejection] = field(default_factory=list)


class Reader(Protocol):
    """Reads the blocks of one stream in their order; may keep a state."""

    def read(self, block: Block) -> Candidates:
        """Find the candidates of a block."""

    def finish(self) -> Candidates:
        """Find what was held back at the end of the stream."""


class LineReader(ABC):
    """A reader for formats in which no record goes over several lines, or by a state only."""

    def __init__(self, *, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes

    @abstractmethod
    def parse(self, line: bytes) -> Sequence[bytes] | str:
        """
        Read a line that is not blank.

        Returns:
            Its candidates, none for a comment; or the reason to reject the line.
        """

    def read(self, block: Block) -> Candidates:
        """Find the candidates of a block, line by line."""
        found: list[bytes] = []
        lines: list[int] = []
        ordinals: list[int] = []
        result = Candidates(lines=lines, ordinals=ordinals)
        with_names = 0
        for number, line in zip(block.numbers, block.data.split(b"\n"), strict=True):
            parsed = self._parse(line)
            if parsed is None:
                result.blank += 1
            elif isinstance(parsed, str):
                rejection = Rejection(line=number, ordinal=0, raw=line, reason=parsed)
                result.rejections.append(rejection)
            elif parsed:
                found += parsed
                lines += [number] * len(parsed)
                ordinals += range(len(parsed))
                with_names += 1
            else:
                result.comment += 1
        result.data = b"\n".join(found)
        result.lines_with_names = with_names + len(result.rejections)
        return result

    def finish(self) -> Candidates:
        """Nothing is ever held back."""
        return Candidates()

    def _parse(self, line: bytes) -> Sequence[bytes] | str | None:
        if len(line) > self._max_line_bytes:
            return "line_too_long"
        return self.parse(line) if line and not line.isspace() else None
