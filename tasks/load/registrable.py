"""The registrable domain of a name, by the Public Suffix List that is bundled with a library."""

from __future__ import annotations

from functools import cache

from publicsuffixlist import PublicSuffixList


@cache
def _public_suffixes() -> PublicSuffixList:
    # Reading the list takes a tenth of a second: at first use, not at import.
    return PublicSuffixList(accept_unknown=True)


def registrable_domain(name: str) -> str | None:
    """
    Return the part of a name that somebody registered, or None for a public suffix.

    Works without any network.

    Args:
        name: A name as `normalise` returns it.

    Source:
        https://publicsuffix.org/list/ with its rule `*` for unknown suffixes
    """
    registrable: str | None = _public_suffixes().privatesuffix(name)
    return registrable
