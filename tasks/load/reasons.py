"""
Why a name was rejected, and what was rewritten in one that was not: all identifiers in one place.

`REASONS` and `FLAGS` map an identifier to the words that a user reads.
"""

from __future__ import annotations

from typing import Final

#: Reason of a rejected name -> words for the user.
REASONS: Final[dict[str, str]] = {
    "bad_csv": "the CSV record cannot be read",
    "bad_idn": "not a valid internationalised name",
    "cut_off": "the archive ends in the middle of this line",
    "empty_label": "an empty part between two dots",
    "exception_rule": "an exception rule of an ad blocker",
    "forbidden_char": "a character that no name may have",
    "hyphen": "a part begins or ends with a hyphen",
    "ip_address": "an IP address",
    "label_too_long": "a part longer than 63 bytes",
    "line_too_long": "a line longer than the bound",
    "name_too_long": "longer than 253 bytes",
    "no_name": "no name in it",
    "not_utf8": "bytes that are not valid in the file's encoding",
    "numeric_tld": "the last part is a number",
    "pattern": "a rule that does not stand for one name",
    "single_label": "no dot in it",
    "special_use": "a suffix that the public DNS does not serve",
}

#: Flag of an accepted name -> words for the user.
FLAGS: Final[dict[str, str]] = {
    "bad_punycode": "an xn-- part that cannot be decoded",
    "defanged": "written so that it is no link, as in hxxp or [.]",
    "from_email": "taken from an e-mail address",
    "from_url": "taken from a URL, or with a port or path",
    "idn": "converted from Unicode",
    "idna_nonstandard": "converted from symbols that IDNA 2008 does not allow",
    "underscore": "with an underscore: no host name",
    "wildcard_stripped": "a leading *. or dot was taken off",
}

#: Top-level domains that are not in the public DNS and must not be queried there.
#: Source: RFC 6761 (test, example, invalid, localhost), RFC 6762 (local), RFC 7686 (onion),
#: RFC 9476 (alt), RFC 3172 (arpa: infrastructure only), ICANN Board 2024.07.29.06 (internal).
SPECIAL_USE: Final = frozenset(
    {"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"}
)
