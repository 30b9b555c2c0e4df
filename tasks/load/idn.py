"""Internationalised names to ASCII: UTS 46 and IDNA 2008, with plain Punycode for symbols."""

from __future__ import annotations

import unicodedata

import idna

MAX_LABEL = 63  #: Bytes. Source: RFC 1035, 2.3.4.


class LabelTooLong(ValueError):
    """Raised when the A-label would be longer than 63 bytes."""


def to_ascii(host: str) -> tuple[str, tuple[str, ...]]:
    """
    Write a name with A-labels.

    IDNA runs over the labels that are not ASCII only, because it refuses names that exist
    (`_dmarc.x`, `r3---sn-a5m.googlevideo.com`).

    Args:
        host: A name with at least one character outside ASCII, at most about 1,000 characters.

    Returns:
        The name, and the flags `idn`, perhaps `idna_nonstandard`.

    Raises:
        LabelTooLong: A label does not fit.
        ValueError: The name is not valid (`idna.IDNAError` is one).

    Source:
        UTS 46, non-transitional; RFC 5891
    """
    mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
    pairs = [_label_to_ascii(label) for label in mapped.split(".")]
    standard = all(is_standard for _, is_standard in pairs)
    flags = ("idn",) if standard else ("idn", "idna_nonstandard")
    return ".".join(label for label, _ in pairs), flags


def punycode_is_bad(label: str) -> bool:
    """Say whether an `xn--` label, in lower case, stands for nothing that could be registered."""
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
        return _label_to_ascii(decoded)[0] != label
    except (ValueError, OverflowError):
        return True


def _label_to_ascii(label: str) -> tuple[str, bool]:
    if label.isascii():
        return label, True
    if len(label) > MAX_LABEL:  # Punycode is never shorter, and encoding takes quadratic time.
        raise LabelTooLong
    try:
        return idna.alabel(label).decode("ascii"), True
    except idna.IDNAError:
        return _symbols_to_ascii(label), False


def _symbols_to_ascii(label: str) -> str:
    """Encode a label whose only fault is its symbols: such names are registered and resolve."""
    symbols = {char for char in label if unicodedata.category(char).startswith("S")}
    rest = "".join(char for char in label if char not in symbols)
    encoded = "xn--" + label.encode("punycode").decode("ascii")
    if len(encoded) > MAX_LABEL:
        raise LabelTooLong
    if not symbols:
        raise ValueError("IDNA 2008 does not allow this label")
    if not rest.isascii():
        idna.alabel(rest)
    return encoded
