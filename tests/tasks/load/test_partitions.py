import random
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest

from tasks.load.errors import TemporaryDirectoryFull
from tasks.load.partitions import Partitions, Row


def deduplicated(names: list[bytes], partitions: Partitions, *, chunk: int = 97) -> list[Row]:
    """Run names, the first on line 1, through partitions."""
    with closing(partitions):
        for start in range(0, len(names), chunk):
            part = names[start : start + chunk]
            partitions.add(part, range(start + 1, start + 1 + len(part)))
        return [row for rows in partitions.rows() for row in rows]


def expected(names: list[bytes]) -> list[Row]:
    """Do the same with a dictionary."""
    first = {name: line for line, name in reversed(list(enumerate(names, 1)))}
    return sorted((crc32(name), name.decode(), line) for name, line in first.items())


@pytest.mark.parametrize("max_buffered", [10, 1000, 100_000])
@pytest.mark.parametrize("max_unique", [3, 50, 100_000])
def test_same_as_a_dictionary(max_buffered: int, max_unique: int, tmp_path: Path) -> None:
    """However little memory there is, each name comes once, in order, with its first line."""
    rng = random.Random(max_buffered * max_unique)
    names = [b"n%d.example.com" % rng.randrange(3000) for _ in range(8000)]
    partitions = Partitions(tmp_path, max_buffered=max_buffered, max_unique=max_unique)
    assert deduplicated(names, partitions) == expected(names)
    assert not list(tmp_path.iterdir())


def test_names_with_one_slot(tmp_path: Path) -> None:
    """Names that all collide in the slot are still told apart, in bounded dictionaries."""
    names = colliding_names(300) * 2
    assert len({crc32(name) for name in names}) == 1
    partitions = Partitions(tmp_path, max_buffered=50, max_unique=20)
    assert sorted(deduplicated(names, partitions)) == expected(names)


def test_many_copies_of_one_name(tmp_path: Path) -> None:
    """A partition that is large because of duplicates is not taken for a large one."""
    partitions = Partitions(tmp_path, max_buffered=1000, max_unique=1)
    assert deduplicated([b"a.com"] * 5000, partitions) == [(crc32(b"a.com"), "a.com", 1)]


def test_directory_is_missing(tmp_path: Path) -> None:
    """A temporary directory that cannot be used is named in the error."""
    partitions = Partitions(tmp_path / "missing", max_buffered=1)
    with pytest.raises(TemporaryDirectoryFull, match="missing"):
        partitions.add([b"a.com", b"b.com"], [1, 2])


def colliding_names(count: int) -> list[bytes]:
    """
    Make names of one slot.

    CRC-32 is affine: XOR with a multiple of its polynomial does not change it. A bit set of
    letters that differ in one bit (`a`/`c`, `e`/`g`) makes such multiples by elimination.
    """
    width = 32 + count.bit_length()
    base = bytearray(b"a" * width + b".com")
    zero = crc32(base)
    basis: dict[int, tuple[int, int]] = {}
    free: list[int] = []
    for position in range(width):
        flipped = bytearray(base)
        flipped[position] ^= 2
        value, mask = crc32(flipped) ^ zero, 1 << position
        while value and value.bit_length() in basis:
            other, other_mask = basis[value.bit_length()]
            value, mask = value ^ other, mask ^ other_mask
        if value:
            basis[value.bit_length()] = (value, mask)
        else:
            free.append(mask)
    return [_flipped(base, free, number) for number in range(count)]


def _flipped(base: bytearray, free: list[int], number: int) -> bytes:
    mask = 0
    for bit, combination in enumerate(free):
        if number >> bit & 1:
            mask ^= combination
    return bytes(byte ^ (2 if mask >> position & 1 else 0) for position, byte in enumerate(base))
