"""Bytes that come in pieces, can be looked at ahead of time, and may end too early."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.load.decompress import Damaged
from tasks.load.errors import TooLarge


class Stream:
    """
    The bytes of one file, archive member or layer of compression.

    Attributes:
        container: How it was packed: none, gzip, zip, `gzip in zip` ...
        member: Its name in a zip, else None.
        damage: Why it ended early, once it was read to that point; None while it is complete.
    """

    def __init__(
        self, pieces: Iterator[bytes], *, container: str = "none", member: str | None = None
    ) -> None:
        self.container = container
        self.member = member
        self.damage: str | None = None
        self._pieces = pieces
        self._ahead: list[bytes] = []

    def peek(self, size: int) -> bytes:
        """Return the first bytes, `size` or more if there are so many, without using them up."""
        while sum(map(len, self._ahead)) < size:
            piece = self._next()
            if piece is None:
                break
            self._ahead.append(piece)
        return b"".join(self._ahead)

    def __iter__(self) -> Iterator[bytes]:
        while self._ahead:
            yield self._ahead.pop(0)
        while (piece := self._next()) is not None:
            yield piece

    def decoded(self, pieces: Iterator[bytes], container: str) -> Stream:
        """Return another layer of the same file: what `pieces`, read from this one, decode to."""
        return Stream(self._with_damage(pieces), container=container, member=self.member)

    def _with_damage(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        yield from pieces
        if self.damage:
            raise Damaged(self.damage)

    def _next(self) -> bytes | None:
        try:
            return next(self._pieces, None)
        except Damaged as fault:
            self.damage = str(fault)
            return None


class Budget:
    """The bytes that may still be read."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._left = max_bytes

    def spend(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """
        Pass pieces on, without the empty ones, as long as they are within the bound.

        Raises:
            TooLarge: They are not.
        """
        for piece in pieces:
            self._left -= len(piece)
            if self._left < 0:
                raise TooLarge(
                    f"The file holds more than {self.max_bytes:,} bytes (counted after"
                    " unpacking): split it and upload the parts."
                )
            if piece:
                yield piece
