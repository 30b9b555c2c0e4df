"""A file on the disk to the plain bytes in it: which container it is goes by its first bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, Final

from tasks.load.binaries import archive_name, binary_name
from tasks.load.decompress import DECODERS, decompress
from tasks.load.encodings import sniff_encoding
from tasks.load.errors import (
    ArchiveNested,
    FileMissing,
    FileUnreadable,
    NotAFile,
    NotText,
    SourceUnusable,
)
from tasks.load.streams import Budget, Stream
from tasks.load.zip_members import zip_streams

READ_BYTES: Final = 1024 * 1024  #: Bytes read from the disk at once.
HEAD_BYTES: Final = 4096  #: Looked at to tell text from what is none; tar's signature is at 257.
MAX_LAYERS: Final = 2  #: Such as a gzip in a zip, or a download that was packed once more.

#: bzip2 alone begins with letters that a name might have, hence its longer signature.
_CONTAINERS: Final = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip"),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bzip2"),
    (re.compile(rb"\xfd7zXZ\0"), "xz"),
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), "zstd"),
    (re.compile(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"), "zip"),
)


def open_file(path: Path) -> BufferedReader:
    """
    Open a regular file.

    Raises:
        FileMissing, NotAFile, FileUnreadable: As they say.
    """
    try:
        if path.exists() and not path.is_file():
            raise NotAFile(f"{path} is not a file: name the file with the domain names itself.")
        return path.open("rb")
    except (OSError, ValueError) as fault:
        raise unreadable(path, fault) from fault


def unreadable(path: Path, fault: Exception) -> SourceUnusable:
    """Word a refusal of the system for the user."""
    if isinstance(fault, FileNotFoundError):
        return FileMissing(f"There is no file {path}: check the path.")
    why = getattr(fault, "strerror", None) or fault
    return FileUnreadable(f"{path} cannot be read ({why}): check its permissions and its disk.")


def open_streams(file: IO[bytes], max_bytes: int) -> Iterator[Stream]:
    """
    Unpack a file, one layer of compression within another at most.

    Args:
        file: Open at its beginning, seekable.
        max_bytes: Bound on the bytes that come out of all streams together.

    Returns:
        One stream for each text file of a zip, else one; its `container` says how it was packed.

    Raises:
        ContentUnusable: There is no text in it.
        FileUnreadable: The disk refuses.
    """
    budget = Budget(max_bytes)
    raw = Stream(_read(file))
    if container_of(raw.peek(HEAD_BYTES)) != "zip":
        yield _unpack(raw, budget)
        return
    for member in zip_streams(file, is_text):
        yield _unpack(member, budget)


def container_of(head: bytes) -> str:
    """Return gzip, bzip2, xz, zstd, zip or none, by the first bytes."""
    return next((name for magic, name in _CONTAINERS if magic.match(head)), "none")


def is_text(head: bytes) -> bool:
    """Say whether a member of a zip is worth reading: text, or a compressed stream."""
    if container_of(head) in DECODERS:
        return True
    return sniff_encoding(head) != "utf-8" or not (archive_name(head) or binary_name(head))


def _read(file: IO[bytes]) -> Iterator[bytes]:
    try:
        while data := file.read(READ_BYTES):
            yield data
    except OSError as fault:
        raise unreadable(Path(file.name), fault) from fault


def _unpack(stream: Stream, budget: Budget) -> Stream:
    layers = [] if stream.container == "none" else [stream.container]
    while (container := container_of(stream.peek(HEAD_BYTES))) in DECODERS:
        if len(layers) == MAX_LAYERS:
            raise ArchiveNested("The archive is packed more than twice: upload the file inside.")
        layers.insert(0, container)
        # Each layer has a bound of its own: the outer one may be the bomb.
        packed = Budget(budget.max_bytes).spend(iter(stream))
        stream = stream.decoded(decompress(packed, container), " in ".join(layers))
    _check_text(stream.peek(HEAD_BYTES), layers)
    return stream.decoded(budget.spend(iter(stream)), " in ".join(layers) or "none")


def _check_text(head: bytes, layers: list[str]) -> None:
    archive = archive_name(head)
    if archive and layers:
        raise ArchiveNested(
            f"The {layers[0]} file holds {archive}: unpack it and upload the file inside."
        )
    if archive:
        raise NotText(f"This is {archive}: unpack it and upload the text file inside.")
    binary = binary_name(head) if sniff_encoding(head) == "utf-8" else None
    if binary:
        raise NotText(f"This is {binary}: save the names as a text or CSV file and upload that.")
