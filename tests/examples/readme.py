"""The commands that a README shows."""

import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Readme"]


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
        text = re.sub(r"```.*?```", "", self._sections[section], flags=re.DOTALL)
        lines = re.findall(r"^    ((?:.*\\\n)*.*)$", text, re.MULTILINE)
        assert lines, f"no commands below {section}"
        return lines

    def code(self, section: str, language: str = "python") -> str:
        """Return the one block of a section that is in a language."""
        [block] = re.findall(
            rf"^```{language}\n(.*?)^```$", self._sections[section], re.DOTALL | re.MULTILINE
        )
        return str(block)
