"""The registrable domain of a name, by the Public Suffix List that is bundled with a library."""

from __future__ import annotations

from functools import cache

from publicsuffixlist import PublicSuffixList


@cache
def _public_suffixes() -> PublicSuffixList:
    # Reading the list takes a tenth of a second: once a process, at first use, not at import.
    return PublicSuffixList(accept_unknown=True)


def registrable_domain(name: str) -> str:
    """
    Return the part of a name that somebody registered; of a public suffix, the name itself.

    Source:
        https://publicsuffix.org/list/ with its rule `*` for unknown suffixes
    """
    return _public_suffixes().privatesuffix(name) or name
