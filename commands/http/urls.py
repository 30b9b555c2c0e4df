"""Which URLs are asked for: the first ones of a name, and those that redirects lead to."""

from __future__ import annotations

import re

import httpx

from commands.http.options import HttpOptions

DEFAULT_PORTS = {"http": 80, "https": 443}
#: Characters that answers keep of a URL, which may have 65,536 (httpx); a result has six of them.
MAX_URL_LENGTH = 500
#: Those of which `Location` is a promise to find there what was asked for (RFC 9110, 15.4).
REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: httpx takes anything for a host, and writes most of it with per cent signs.
_HOST = re.compile(r"[a-z0-9_.:-]+")


class UrlBlocked(Exception):
    """A URL that is not asked for on behalf of a stranger: its scheme or its port."""


def first_url(scheme: str, name: str, options: HttpOptions) -> httpx.URL:
    """
    Return the URL that a name's check begins with.

    Raises:
        ValueError: It is no name of a host, but has a port, a path, a user, a blank, ...
    """
    port = options.http_port if scheme == "http" else options.https_port
    try:
        url = httpx.URL(f"{scheme}://{name}:{port}{options.path}")
    except httpx.InvalidURL as error:
        raise ValueError(f"{name!r} is no host: {error}") from error
    if host_of(url) != name.lower() or not _HOST.fullmatch(host_of(url)) or url.userinfo:
        raise ValueError(f"{name!r} is no host")
    return url


def next_url(url: httpx.URL, location: str) -> httpx.URL | None:
    """Return where a redirect leads to, or None where it leads nowhere that could be asked."""
    try:
        target = url.join(location.strip())
    except (httpx.InvalidURL, ValueError):
        return None
    # As in a certificate, and as it was looked up: a name here is absolute in any case.
    host = host_of(target).removesuffix(".")
    if target.scheme in DEFAULT_PORTS and not _HOST.fullmatch(host):
        return None
    # A stranger's words for a user are not passed on; a fragment is the browser's affair.
    return target.copy_with(host=host, username=None, password=None, fragment=None)


def check(url: httpx.URL, options: HttpOptions) -> None:
    """
    Refuse what may not be asked for.

    Raises:
        UrlBlocked: Another scheme than HTTP's, or a port that is not allowed.
    """
    if url.scheme not in DEFAULT_PORTS:
        raise UrlBlocked(f"the scheme '{url.scheme}' is not allowed")
    if port_of(url) not in options.allowed_ports:
        raise UrlBlocked(f"port {port_of(url)} is not allowed; the option 'ports' allows more")


def host_of(url: httpx.URL) -> str:
    """Return the host as DNS has it, in ASCII; `httpx.URL.host` may fail to decode it."""
    return url.raw_host.decode("ascii")


def port_of(url: httpx.URL) -> int:
    """Return the port, the scheme's own where the URL names none."""
    return DEFAULT_PORTS[url.scheme] if url.port is None else url.port


def shown(url: httpx.URL) -> str:
    """Return a URL for an answer, cut."""
    return str(url)[:MAX_URL_LENGTH]
