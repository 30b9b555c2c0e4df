"""Reading the TOML file: one frame of it, with the variables filled in."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from commands.cron_frame.configuration import Frame, Shop

#: `${NAME}`: a variable of the environment.
VARIABLE = re.compile(r"\$\{(\w+)\}")
#: In a query, PostgreSQL's quotes look the same.
LITERAL = frozenset({"query"})

Model = TypeVar("Model", bound=BaseModel)


class Mistakes(ValueError):
    """What is wrong with the file: one sentence for each, with file, frame and field."""

    def __init__(self, mistakes: list[str]) -> None:
        """Take the sentences."""
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A frame that is to be exported."""

    number: int
    shop: Shop
    frame: Frame
    #: The destination as a person may see it.
    shown: str
    #: Values of variables, which no message may repeat.
    secrets: tuple[str, ...] = field(repr=False)
    #: Another one when anything that is configured is another.
    fingerprint: str


def read(path: Path, number: int, variables: Mapping[str, str]) -> Order:
    """
    Read what is said of a frame. Mistakes in other frames do no harm to this one.

    Args:
        path: The TOML file.
        number: The frame's.
        variables: Those that `${NAME}` may name.

    Raises:
        Mistakes: The file or the frame is of no use.
    """
    document = _document(path)
    written = _frames(path, document)
    if number not in written:
        known = ", ".join(map(str, sorted(written))) or "none"
        _refuse(f"{path.name} has no frame {number}; there are: {known}")
    shop = _with_default_source(document["shop"], written[number])
    filled = _Filled(path, variables)
    shop_values = filled.fill(shop, "shop", LITERAL)
    frame_values = filled.fill(written[number], f"frame {number}", LITERAL)
    mistakes = [*filled.mistakes, *_clashes(path, number, written)]
    parts = (Shop, shop_values, "shop"), (Frame, frame_values, f"frame {number}")
    if not mistakes:
        mistakes = [line for part in parts for line in _mistakes(path, *part)]
    if mistakes:
        raise Mistakes(_once(mistakes, document["shop"]))
    frame = Frame.model_validate(frame_values)
    if not frame.to_web:
        frame = frame.model_copy(update={"destination": str(path.parent / frame.destination)})
    return Order(
        number=number,
        shop=Shop.model_validate(shop_values),
        frame=frame,
        shown=_shown(str(written[number]["destination"])),
        secrets=tuple(sorted(filled.used, key=len, reverse=True)),
        fingerprint=_fingerprint(shop_values, frame_values),
    )


def _refuse(line: str) -> NoReturn:
    raise Mistakes([line])


def _document(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Mistakes([f"ROLLCALL_FEEDS: {path} cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Mistakes([f"{path.name} is no TOML: {error}"]) from error
    unknown = sorted(document.keys() - {"shop", "frames"})
    if unknown:
        _refuse(f"{path.name}, field {unknown[0]}: there are only the tables shop and frames")
    for name in ("shop", "frames"):
        if not isinstance(document.get(name), dict):
            _refuse(f"{path.name}, field {name}: there must be a table of this name")
    return document


def _frames(path: Path, document: dict[str, Any]) -> dict[int, dict[str, Any]]:
    for name, frame in document["frames"].items():
        if not re.fullmatch("0|[1-9][0-9]{0,8}", name):
            _refuse(f"{path.name}, frame {name[:50]}: a frame is known by a number: [frames.5]")
        if not isinstance(frame, dict):
            _refuse(f"{path.name}, frame {name}: must be a table: [frames.{name}]")
    return {int(name): frame for name, frame in document["frames"].items()}


def _with_default_source(shop: dict[str, Any], frame: dict[str, Any]) -> dict[str, Any]:
    """Let the categories come from the frame's database where the shop names none."""
    categories = shop.get("categories")
    if isinstance(categories, dict) and "source" in frame:
        return {**shop, "categories": {"source": frame["source"], **categories}}
    return shop


def _once(mistakes: list[str], shop: dict[str, Any]) -> list[str]:
    """Leave out what is wrong about the categories' database where that is the frame's."""
    categories = shop.get("categories")
    if not isinstance(categories, dict) or "source" in categories:
        return mistakes
    return [line for line in mistakes if ", shop, field categories.source:" not in line]


class _Filled:
    """Puts variables in; what is missing is a mistake."""

    def __init__(self, path: Path, variables: Mapping[str, str]) -> None:
        self._path = path
        self._variables = variables
        self.used: set[str] = set()
        self.mistakes: list[str] = []

    def fill(self, value: Any, where: str, literal: frozenset[str], name: str = "") -> Any:
        """Return a value with all variables in it replaced, at any depth."""
        if isinstance(value, dict):
            below = {key: f"{name}.{key}" if name else key for key in value}
            return {
                key: one if key in literal else self.fill(one, where, literal, below[key])
                for key, one in value.items()
            }
        if not isinstance(value, str):
            return value

        def replace(found: re.Match[str]) -> str:
            text = self._variables.get(found[1])
            if text is None:
                self.mistakes.append(
                    f"{self._path.name}, {where}, field {name}: "
                    f"the environment has no variable {found[1]}"
                )
                return ""
            self.used.add(text)
            return text

        return VARIABLE.sub(replace, value)


def _clashes(path: Path, number: int, written: dict[int, dict[str, Any]]) -> Iterator[str]:
    """Find another frame that goes to the same place: the two would overwrite each other."""
    own = written[number].get("destination")
    for other, frame in written.items():
        if other != number and own is not None and frame.get("destination") == own:
            where = f"{path.name}, frame {number}, field destination"
            yield f"{where}: is that of frame {other}, too; they would overwrite each other"


def _mistakes(path: Path, model: type[BaseModel], values: Any, where: str) -> Iterator[str]:
    try:
        model.model_validate(values)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            words = one["msg"].removeprefix("Value error, ")
            name = ".".join(str(part) for part in one["loc"] if part != "[key]")
            if not name and (found := re.match(r"(\w+): (.*)", words)):
                name, words = found.groups()
            if one["type"] == "extra_forbidden":
                words = "there is no such field"
            yield f"{path.name}, {where}, field {name or 'table'}: {words}"


def _shown(written: str) -> str:
    """Return a destination with variables by their names, and without what may be secret."""
    if "://" not in written:
        return written
    return re.sub(r"^(\w+://)[^/]*@", r"\1", written.partition("?")[0].partition("#")[0])


def _fingerprint(*values: Any) -> str:
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def hide(order: Order, words: str) -> str:
    """Return somebody's words without what is secret."""
    for secret in order.secrets:
        # A short one is no secret, and would tear the words to pieces.
        if len(secret) >= 4:
            words = words.replace(secret, "…")
    password = httpx.URL(order.frame.destination).password if order.frame.to_web else ""
    return words.replace(password, "…") if password else words
