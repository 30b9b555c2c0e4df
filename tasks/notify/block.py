"""Prefect's notification blocks, which hold their secrets on Prefect's server."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# The blocks that Prefect brings are known to `Block.load` once they are imported.
import prefect.blocks.notifications  # noqa: F401
from prefect.blocks.abstract import NotificationBlock, NotificationError
from prefect.blocks.core import Block
from pydantic import Secret

from commands.masking import masked, pieces
from tasks.errors import InputError
from tasks.notify.message import Message, Notice
from tasks.notify.problem import NotSent
from tasks.settings import Settings

_NAME = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class PrefectBlock:
    """A target: a block by its type's slug and its name."""

    name: str

    @property
    def shown(self) -> str:
        """The target as it may be logged."""
        return f"block:{self.name}"

    @classmethod
    def parse(cls, name: str) -> PrefectBlock:
        """
        Read `<type-slug>/<name>`; whether there is such a block is seen when it is used.

        Raises:
            InputError: It is not of this form.
        """
        if not _NAME.fullmatch(name):
            raise InputError(
                f"block:{name[:100]} is no block: write block:<type>/<name>, "
                "e.g. block:slack-webhook/operators"
            )
        return cls(name)

    def send(self, message: Message, _notice: Notice, _settings: Settings) -> None:
        """
        Load it and let it send.

        Raises:
            NotSent: There is no such block, or it could not.
        """
        block = self._loaded()
        try:
            with block.raise_on_failure():
                _awaited(block.notify(message.text, subject=message.subject))
        except Exception as error:
            # The code of a block is anybody's.
            said = error.log if isinstance(error, NotificationError) else str(error)
            words = f"{type(error).__name__}: {said}"
            raise NotSent(masked(words, _secrets(block))) from error

    def _loaded(self) -> NotificationBlock:
        try:
            block = _awaited(Block.load(self.name))
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            raise NotSent(masked(words, []), again=not isinstance(error, ValueError)) from error
        if not isinstance(block, NotificationBlock):
            raise NotSent(f"a {type(block).__name__} is no notification block", again=False)
        return block


def _awaited(result: Any) -> Any:
    """Wait for what some blocks give outright and others as a coroutine; no loop runs here."""
    return asyncio.run(_value(result)) if inspect.isawaitable(result) else result


async def _value(result: Any) -> Any:
    return await result


def _secrets(block: Block) -> set[str]:
    """List what of a block must not be logged: its secrets, and its URLs, which often are some."""
    found: set[str] = set()
    for text in _texts(dict(block)):
        found |= {text} | pieces(text)
    return found


def _texts(value: Any, *, secret: bool = False) -> Iterator[str]:
    if isinstance(value, Secret) or hasattr(value, "get_secret_value"):
        yield from _texts(value.get_secret_value(), secret=True)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one, secret=secret)
    elif isinstance(value, str) and (secret or "://" in value):
        yield value
