"""
What can go wrong while a file of domain names is loaded, split by what the caller can do.

```
LoadError                       one sentence for the user, which says what to do
  SourceUnusable                point at another file
    FileMissing
    NotAFile                    a directory, a pipe, a device
    FileUnreadable              no permission, or the disk cannot be read
    FileEmpty
  ContentUnusable               change the file
    NotText                     a picture, a program, a spreadsheet
    ArchiveEncrypted
    ArchiveDamaged              nothing usable came out of it
    ArchiveNested               an archive in an archive: upload the inner file
    NoUsableMember              a zip without a text file
    TooLarge                    more bytes than the bound, packed or unpacked
    NothingValid                carries the `report`
  OptionInvalid                 change the option
    UnknownEncoding
    UnknownFormat
    UnknownColumn
  TemporaryDirectoryFull        make room, try again
  FetchError                    the address, not the file
    AddressInvalid              not an http(s) address
    AddressRefused              it leads to a private network
    FetchFailed                 no answer, or not a good one
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.load.report import LoadReport


class LoadError(Exception):
    """Raised when a file of names cannot be used; the message is one sentence for its user."""


class SourceUnusable(LoadError):
    """Raised when there is no file to read."""


class FileMissing(SourceUnusable):
    """Raised when the path does not exist."""


class NotAFile(SourceUnusable):
    """Raised when the path is a directory, a pipe or a device."""


class FileUnreadable(SourceUnusable):
    """Raised when the system refuses to read the file."""


class FileEmpty(SourceUnusable):
    """Raised when the file, or what it unpacks to, has no byte."""


class ContentUnusable(LoadError):
    """Raised when the file was read and holds no list of names."""


class NotText(ContentUnusable):
    """Raised when the content is binary; the message names what it is."""


class ArchiveEncrypted(ContentUnusable):
    """Raised when an archive asks for a password."""


class ArchiveDamaged(ContentUnusable):
    """Raised when nothing usable came out of a broken archive."""


class ArchiveNested(ContentUnusable):
    """Raised when an archive holds another archive."""


class NoUsableMember(ContentUnusable):
    """Raised when a zip has no text file in it."""


class TooLarge(ContentUnusable):
    """Raised when the content passes the bound on its size in bytes."""


class NothingValid(ContentUnusable):
    """
    Raised when no line holds a valid name.

    Attributes:
        report: The complete report, with the ledger and the reasons.
    """

    def __init__(self, message: str, report: LoadReport) -> None:
        super().__init__(message)
        self.report = report


class OptionInvalid(LoadError):
    """Raised when an option names something that does not exist."""


class UnknownEncoding(OptionInvalid):
    """Raised when the encoding is none that reads text."""


class UnknownFormat(OptionInvalid):
    """Raised when the format is not one of the five."""


class UnknownColumn(OptionInvalid):
    """Raised when the file has no such column."""


class TemporaryDirectoryFull(LoadError):
    """Raised when names that do not fit into memory do not fit on the disk either."""


class FetchError(LoadError):
    """Raised when a file cannot be fetched from its address."""


class AddressInvalid(FetchError):
    """Raised when the address is not one of http or https."""


class AddressRefused(FetchError):
    """Raised when the address leads to a private network."""


class FetchFailed(FetchError):
    """Raised when the server does not answer, or answers with an error."""
