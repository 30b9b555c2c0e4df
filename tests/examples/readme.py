"""The commands that a README shows."""

import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Readme"]

#: Its language and its text.
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Readme:
    """
    A README whose sections begin with `## ` or `### `.

    Args:
        path: The file.
        replaced: What stands there, and what is said in its place.
    """

    def __init__(self, path: Path, replaced: Mapping[str, str] | None = None) -> None:
        text = path.read_text(encoding="utf-8")
        for shown, real in (replaced or {}).items():
            assert shown in text, f"{path.name} does not mention {shown}"
            text = text.replace(shown, real)
        parts = re.split(r"^##+ (.+)\n", text, flags=re.MULTILINE)
        self._sections = dict(zip(parts[1::2], parts[2::2], strict=True))

    def commands(self, section: str) -> list[str]:
        """Return the commands of a section, which are indented; some go on in the next line."""
        text = BLOCK.sub("", self._sections[section])
        lines = re.findall(r"^    ((?:.*\\\n)*.*)$", text, re.MULTILINE)
        assert lines, f"no commands below {section}"
        return lines

    def code(self, section: str, language: str = "python") -> str:
        """Return the one block of a section that is in a language; what is shown has none."""
        blocks = BLOCK.findall(self._sections[section])
        [block] = [text for of, text in blocks if of == language]
        return str(block)
