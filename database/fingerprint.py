"""A short number for an answer, by which two answers are compared without reading them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Any

#: A column's integer has 8 bytes: of a million answers that changed, one is overlooked with a
#: probability of 5e-14.
BYTES = 8
_as_json = json.JSONEncoder(sort_keys=True).encode


def answer_fingerprint(answer: Mapping[str, Any] | None, volatile: AbstractSet[str]) -> int | None:
    """
    Return an answer's fingerprint, None of none.

    Args:
        answer: As the command gave it.
        volatile: The fields that change without meaning.
    """
    if answer is None:
        return None
    lasting = {key: value for key, value in answer.items() if key not in volatile}
    digest = blake2b(_as_json(lasting).encode(), digest_size=BYTES).digest()
    return int.from_bytes(digest, signed=True)
