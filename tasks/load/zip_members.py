"""The text files in a zip archive, one after another."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final, cast

from tasks.load.binaries import office_name, safe_name
from tasks.load.decompress import PIECE_BYTES, Damaged
from tasks.load.errors import ArchiveDamaged, ArchiveEncrypted, NotText, NoUsableMember
from tasks.load.streams import Stream

ENCRYPTED: Final = 0x1  #: Bit 0 of the flags. Source: APPNOTE.TXT 4.4.4.
HEAD_BYTES: Final = 4096
#: What zipfile raises on archives that it cannot read.
FAULTS: Final = (
    zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, zlib.error,
    lzma.LZMAError, struct.error, OSError, EOFError, ValueError, LookupError, OverflowError,
)  # fmt: skip


def zip_streams(file: IO[bytes], is_text: Callable[[bytes], bool]) -> Iterator[Stream]:
    """
    Open every usable member in the order of the archive.

    Folders, hidden files, what macOS adds and what is not text are left out. The sizes in the
    archive are the sender's claim: nothing relies on them.

    Args:
        file: The archive, seekable.
        is_text: Tells by the first bytes of a member whether it is one to read.

    Raises:
        ArchiveDamaged, ArchiveEncrypted, NotText, NoUsableMember: As they say.
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
    try:
        archive = zipfile.ZipFile(file)
    except FAULTS as fault:
        raise ArchiveDamaged(f"The zip cannot be opened ({fault}): upload it again.") from fault
    with archive:
        yield archive


def _is_candidate(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.split("/")
    return not (member.is_dir() or "__MACOSX" in parts or parts[-1].startswith("."))


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        # Not `read`: it would lose what it had when it meets the fault.
        with cast(zipfile.ZipExtFile, archive.open(member)) as unpacked:
            while piece := unpacked.read1(PIECE_BYTES):
                yield piece
    except FAULTS as fault:
        raise Damaged("a file in the zip is broken") from fault
