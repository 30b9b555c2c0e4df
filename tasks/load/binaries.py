"""What a file is that is no text, by its first bytes."""

from __future__ import annotations

import re
from typing import Final

#: Share of control characters from which on a file is called binary: random bytes have 0.105,
#: text has next to none.
CONTROL_SHARE: Final = 0.10

_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"
#: Offset, bytes, name. Source: https://en.wikipedia.org/wiki/List_of_file_signatures
_SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF87a", "a GIF picture"),
    (0, b"GIF89a", "a GIF picture"),
    (8, b"WEBP", "a WebP picture"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"\x7fELF", "a Linux program (ELF)"),
    (0, b"MZ\x90\0", "a Windows program"),
    (0, b"\xcf\xfa\xed\xfe", "a macOS program"),
    (0, b"\xca\xfe\xba\xbe", "a Java class or macOS program"),
    (0, b"\0asm", "a WebAssembly program"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (.xls, .doc)"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"{\\rtf", "an RTF document"),
    (4, b"ftyp", "a video"),
    (0, b"ID3", "an MP3 file"),
    (0, b"OggS", "an Ogg file"),
)
#: Archives that are not unpacked.
_ARCHIVES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (257, b"ustar", "a tar archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"!<arch>\n", "an ar archive"),
    (0, b"PK\x03\x04", "a zip archive"),
)
#: Member whose name begins so -> what a zip really is.
_OFFICE: Final[tuple[tuple[str, str], ...]] = (
    ("xl/", "an Excel workbook (.xlsx)"),
    ("word/", "a Word document (.docx)"),
    ("ppt/", "a PowerPoint presentation (.pptx)"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
    ("AndroidManifest.xml", "an Android app"),
    ("META-INF/manifest.xml", "an OpenDocument file (.ods, .odt)"),
)


def archive_name(head: bytes) -> str | None:
    """Name an archive that is not unpacked, by the first 512 bytes."""
    return _by_signature(head, _ARCHIVES)


def binary_name(head: bytes) -> str | None:
    """
    Name what is no text, or return None for text.

    Args:
        head: The first bytes, 512 or more if there are so many, in UTF-8 or an 8-bit encoding.
    """
    named = _by_signature(head, _SIGNATURES)
    if named:
        return named
    controls = len(head) - len(head.translate(None, _CONTROL))
    return "binary data" if controls > CONTROL_SHARE * len(head) else None


def office_name(members: list[str]) -> str | None:
    """Name the document that a zip with these members is, or return None for a plain zip."""
    for prefix, name in _OFFICE:
        if any(member.startswith(prefix) for member in members):
            return name
    return None


def safe_name(member: str) -> str:
    """Make a file name from an archive fit for a sentence: printable, at most 80 characters."""
    return re.sub(r"[^\w .()/+@-]", "?", member)[:80]


def _by_signature(head: bytes, table: tuple[tuple[int, bytes, str], ...]) -> str | None:
    for offset, signature, name in table:
        if head.startswith(signature, offset):
            return name
    return None
