"""The text files in a zip archive, one after another."""

from __future__ import annotations

import lzma
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final, cast

from tasks.load.binaries import office_name, safe_name
from tasks.load.decompress import PIECE_BYTES, Damaged
from tasks.load.errors import ArchiveDamaged, ArchiveEncrypted, NotText, NoUsableMember, TooLarge
from tasks.load.streams import Stream

ENCRYPTED: Final = 0x1  #: Bit 0 of the flags. Source: APPNOTE.TXT 4.4.4.
HEAD_BYTES: Final = 4096
NOT_HERE: Final = 0xFFFF_FFFF  #: The figure is in the Zip64 record instead, 4.4.1.4.
#: Bound on the list of members, which zipfile reads as a whole: some 100,000 names.
DIRECTORY_BYTES: Final = 16 * 1024 * 1024
#: The end of an archive: its record and a comment of up to 64 KiB. Source: APPNOTE.TXT 4.3.16.
TAIL_BYTES: Final = 22 + 65_535
#: What zipfile raises on archives that it cannot read.
FAULTS: Final = (
    zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, zlib.error,
    lzma.LZMAError, struct.error, OSError, EOFError, ValueError, LookupError, OverflowError,
)  # fmt: skip

_END: Final = re.compile(rb"PK\x05\x06")
_END64: Final = re.compile(rb"PK\x06\x06")


def zip_streams(file: IO[bytes], is_text: Callable[[bytes], bool]) -> Iterator[Stream]:
    """
    Open every usable member in the order of the archive.

    Folders, hidden files, what macOS adds and what is not text are left out. The sizes in the
    archive are the sender's claim: nothing relies on them.

    Args:
        file: The archive, seekable.
        is_text: Tells by the first bytes of a member whether it is one to read.

    Raises:
        ArchiveDamaged, ArchiveEncrypted, NotText, NoUsableMember, TooLarge: As they say.
    """
    with _directory(file) as archive:
        members = [member for member in archive.infolist() if _is_candidate(member)]
        names = [member.filename for member in archive.infolist()]
        if document := office_name(names):
            raise NotText(f"This is {document}: save the sheet as a CSV file and upload that.")
        if any(member.flag_bits & ENCRYPTED for member in members):
            raise ArchiveEncrypted("The zip is encrypted: upload it without a password.")
        found = False
        for member in members:
            stream = Stream(
                _pieces(archive, member), container="zip", member=safe_name(member.filename)
            )
            if is_text(stream.peek(HEAD_BYTES)):
                found = True
                yield stream
        if not found:
            inside = ", ".join(map(safe_name, names[:3])) or "nothing"
            raise NoUsableMember(f"The zip has no text file in it (but {inside}): add one.")


@contextmanager
def _directory(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    if _directory_bytes(file) > DIRECTORY_BYTES:
        raise TooLarge("The zip has too many files in it: join them to one.")
    try:
        archive = zipfile.ZipFile(file)
    except FAULTS as fault:
        raise ArchiveDamaged(f"The zip cannot be opened ({fault}): upload it again.") from fault
    with archive:
        yield archive


def _directory_bytes(file: IO[bytes]) -> int:
    """Return the largest size of the directory that the end of an archive may be read to claim."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL_BYTES - 76))  # Zip64 has 76 bytes more before it, 4.3.14.
    tail = file.read()
    claims = [int.from_bytes(tail[end.start() + 12 :][:4], "little") for end in _END.finditer(tail)]
    claims += [
        int.from_bytes(tail[end.start() + 40 :][:8], "little") for end in _END64.finditer(tail)
    ]
    return max((claim for claim in claims if claim != NOT_HERE), default=0)


def _is_candidate(member: zipfile.ZipInfo) -> bool:
    *folders, name = member.filename.split("/")  # No name: a folder.
    return bool(name) and not name.startswith(".") and "__MACOSX" not in folders


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        # Not `read`: it would lose what it had when it meets the fault.
        with cast(zipfile.ZipExtFile, archive.open(member)) as unpacked:
            while piece := unpacked.read1(PIECE_BYTES):
                yield piece
    except FAULTS as fault:
        raise Damaged("a file in the zip is broken") from fault
