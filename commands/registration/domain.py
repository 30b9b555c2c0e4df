"""
What an RDAP server's answer says.

It comes from a stranger: any field may be missing, of another type, or as long as it likes.

Source:
    RFC 9083; RFC 7095 for jCard
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

#: A text is cut to this many characters: names have 253, and so much of anything else is enough.
MAX_TEXT = 253
#: A list to this many entries: there are 17 EPP statuses, and 13 name servers fit a reply.
MAX_ENTRIES = 32
#: Events, and the field of our answer that tells when they were.
_EVENTS = {"registration": "created", "expiration": "expires", "last changed": "changed"}
#: How servers say that there were too many questions, where they do not say it by HTTP.
_QUOTA = re.compile(
    r"quota|rate.?limit|too (?:many|fast)|(?:limit|queries|requests) exceeded|exceeded the",
    re.IGNORECASE,
)


def parse_object(body: bytes) -> dict[str, Any] | None:
    """Return the object that a body holds; None if it holds none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def is_domain(found: dict[str, Any]) -> bool:
    """Say whether an object is about a domain."""
    return found.get("objectClassName") == "domain" or (
        "objectClassName" not in found and isinstance(found.get("ldhName"), str)
    )


def error_code(found: dict[str, Any]) -> int | None:
    """Return the error code of an error object; some servers send one with HTTP 200."""
    code = str(found.get("errorCode", ""))
    return int(code) if re.fullmatch(r"[1-5][0-9]{2}", code) else None


def tells_of_quota(found: dict[str, Any]) -> bool:
    """Say whether an object that is about no domain says that there were too many questions."""
    # One server gives a single notice instead of a list.
    notices = found.get("notices")
    parts = [found, *_objects([notices] if isinstance(notices, dict) else notices)]
    texts = (part.get(key) for part in parts for key in ("title", "description"))
    return any(_QUOTA.search(json.dumps(text)) for text in texts if text)


def explanation(found: dict[str, Any] | None) -> str:
    """Return an error object's own words, without which there are none."""
    texts = [_text(found.get("title")), *_texts(found.get("description"))] if found else []
    return " ".join(text for text in texts if text)[:MAX_TEXT]


def domain_facts(found: dict[str, Any]) -> dict[str, Any]:
    """Return what is of use in a domain object; a field that it does not have is left out."""
    events = {
        _EVENTS[event["eventAction"]]: _text(event.get("eventDate"))
        for event in _objects(found.get("events"))
        if isinstance(event.get("eventAction"), str) and event["eventAction"] in _EVENTS
    }
    nameservers = (_text(one.get("ldhName")) for one in _objects(found.get("nameservers")))
    facts: dict[str, Any] = {
        "handle": _text(found.get("handle")),
        "registrar": _registrar(found),
        **{key: events.get(key) for key in _EVENTS.values()},
        # In any order, from question to question.
        "status": _sorted(_texts(found.get("status"))),
        "nameservers": _sorted(name.lower().rstrip(".") for name in nameservers if name),
    }
    return {key: value for key, value in facts.items() if value}


def _registrar(found: dict[str, Any]) -> str | None:
    for entity in _objects(found.get("entities")):
        if "registrar" in _texts(entity.get("roles")):
            return _full_name(entity.get("vcardArray")) or _text(entity.get("handle"))
    return None


def _full_name(card: Any) -> str | None:
    """Return the name on a jCard: ``["vcard", [["fn", {}, "text", "A Registrar"], ...]]``."""
    properties = card[1] if isinstance(card, list) and len(card) > 1 else None
    for one in properties if isinstance(properties, list) else ():
        if isinstance(one, list) and len(one) > 3 and one[0] == "fn":
            return _text(one[3])
    return None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def _texts(value: Any) -> list[str]:
    return [text for text in map(_text, value if isinstance(value, list) else [value]) if text]


def _sorted(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts))[:MAX_ENTRIES]


def _text(value: Any) -> str | None:
    return value.strip()[:MAX_TEXT] or None if isinstance(value, str) else None
