"""One piece of text to one domain name: lower-case ASCII, without URL, port, wildcard or dot."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from tasks.load.idn import MAX_LABEL, LabelTooLong, punycode_is_bad, to_ascii
from tasks.load.reasons import SPECIAL_USE

MAX_NAME = 253  #: Bytes of a name as text, without the root's dot. Source: RFC 1035, 2.3.4.
MAX_HOST_TEXT = 1024  #: Characters of a host that is still converted; A-labels are no shorter.

#: What people and spreadsheets leave around a name: blanks, no-break and zero-width spaces.
EDGES = " \t\n\r\v\f\x85\xa0\u200b\u200e\u200f\u2028\u2029\u202a\u202c\u2060\u3000\ufeff"
_QUOTES = "\"'`"
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_MAILTO = re.compile(r"mailto:", re.IGNORECASE)
_BRACKETED = re.compile(r"[^<>]*<([^<>]+)>")
_AFTER_HOST = re.compile(r"[/?#]")
_PORT = re.compile(r":\d{0,5}\Z")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_ADDRESS_LIKE = re.compile(r"[\d.]+|[^:]*:.*:.*", re.DOTALL)
_LOCAL_PART = re.compile(r"[^\s,;<>()\[\]\\|@]+")
_FORBIDDEN = re.compile(r"[^a-z0-9._-]")
_DEFANG_HINT = re.compile(r"[\[({]|\Ah(?:xx|\*\*|xt|tx)", re.IGNORECASE)
_DEFANGED = (
    (re.compile(r"[\[({](?:\.|dot)[\])}]", re.IGNORECASE), "."),
    (re.compile(r"[\[({](?:@|at)[\])}]", re.IGNORECASE), "@"),
    (re.compile(r"\[(:|://|/)\]"), r"\1"),
    (re.compile(r"\A(?:hxxp|h\*\*p|hxtp|htxp)(s?)(?=:)", re.IGNORECASE), r"http\1"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalised:
    """A name that may be queried."""

    #: Legal, lower case, A-labels, at least two of them, at most 253 bytes, no final dot.
    name: str
    #: What was rewritten, identifiers of `reasons.FLAGS`, sorted.
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Text that holds no name."""

    #: An identifier of `reasons.REASONS`.
    reason: str


class _NoName(Exception):
    """Raised with the reason, from any step."""


def normalise(text: str) -> Normalised | Rejected:
    """
    Find the one domain name in a piece of text.

    Never raises, whatever the text; a name that it returned comes back unchanged.

    Args:
        text: A name, URL, e-mail address or anything else, without its comment.

    Source:
        RFC 1035, RFC 2181 (underscores), RFC 3986 (authority), UTS 46
    """
    flags: set[str] = set()
    try:
        host = _host_of(_refang(_trim(text), flags), flags)
        name = _ascii(_strip_wildcard(_strip_port(host, flags), flags), flags)
        _check(name)
    except _NoName as fault:
        return Rejected(reason=str(fault))
    _flag_labels(name, flags)
    return Normalised(name=name, flags=tuple(sorted(flags)))


def _trim(text: str) -> str:
    """Take off blanks, then quotes and a list's final comma, as in a line of JSON."""
    trimmed = text.strip(EDGES).rstrip(",;").strip(EDGES + _QUOTES)
    if bracketed := _BRACKETED.fullmatch(trimmed):
        return bracketed[1].strip(EDGES)
    return trimmed


def _refang(text: str, flags: set[str]) -> str:
    if not _DEFANG_HINT.search(text):
        return text
    plain = text
    for pattern, replacement in _DEFANGED:
        plain = pattern.sub(replacement, plain)
    if plain != text:
        flags.add("defanged")
    return plain


def _host_of(text: str, flags: set[str]) -> str:
    """Return the host, perhaps with a port, of a URL, an e-mail address or a bare host."""
    if scheme := _SCHEME.match(text):
        flags.add("from_url")
        host = _AFTER_HOST.split(text[scheme.end() :], maxsplit=1)[0].rpartition("@")[2]
    else:
        address = _MAILTO.sub("", text, count=1) if _MAILTO.match(text) else text
        head = _AFTER_HOST.split(address, maxsplit=1)[0]
        local_part, at, host = head.rpartition("@")
        if at and not _LOCAL_PART.fullmatch(local_part.strip(_QUOTES)):
            raise _NoName("forbidden_char")
        if at:
            flags.add("from_email")
        elif head != text:
            flags.add("from_url")
    if text and not host:
        raise _NoName("no_name")
    return host


def _strip_port(host: str, flags: set[str]) -> str:
    bare = _PORT.sub("", host)
    if _is_ip_address(host) or _is_ip_address(bare):
        raise _NoName("ip_address")
    if bare != host:
        flags.add("from_url")
    return bare


def _is_ip_address(host: str) -> bool:
    if not _ADDRESS_LIKE.fullmatch(host):  # The library needs a microsecond to say no.
        return False
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _strip_wildcard(host: str, flags: set[str]) -> str:
    bare = host.removeprefix("*") if host.startswith("*.") else host
    bare = bare.removeprefix(".") if bare != "." else bare
    if bare != host:
        flags.add("wildcard_stripped")
    return bare


def _ascii(host: str, flags: set[str]) -> str:
    """Lower the case, convert what is not ASCII, take off the root's dot."""
    if host.isascii():
        return host.lower().removesuffix(".")
    if len(host) > MAX_HOST_TEXT:
        raise _NoName("name_too_long")
    if "\ufffd" in host:
        raise _NoName("not_utf8")
    try:
        name, idn_flags = to_ascii(host)
    except LabelTooLong:
        raise _NoName("label_too_long") from None
    except ValueError:
        raise _NoName("bad_idn") from None
    flags.update(idn_flags)
    return name.lower().removesuffix(".")


def _check(name: str) -> None:
    """Raise the first reason for which a name is not legal in the public DNS."""
    if _FORBIDDEN.search(name):
        raise _NoName("forbidden_char")
    labels = name.split(".")
    if not all(labels):
        raise _NoName("empty_label")
    if max(map(len, labels)) > MAX_LABEL:
        raise _NoName("label_too_long")
    if len(name) > MAX_NAME:
        raise _NoName("name_too_long")
    if ".-" in f".{name}" or "-." in f"{name}.":
        raise _NoName("hyphen")
    if _is_ip_address(name):
        raise _NoName("ip_address")
    if _NUMBER.fullmatch(labels[-1]):
        raise _NoName("numeric_tld")
    if len(labels) == 1:
        raise _NoName("single_label")
    if labels[-1] in SPECIAL_USE:
        raise _NoName("special_use")


def _flag_labels(name: str, flags: set[str]) -> None:
    if "_" in name:
        flags.add("underscore")
    if "xn--" in name and "idn" not in flags:
        labels = [label for label in name.split(".") if label.startswith("xn--")]
        if any(map(punycode_is_bad, labels)):
            flags.add("bad_punycode")
