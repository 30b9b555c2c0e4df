"""The plain list: one name a line."""

from __future__ import annotations

from tasks.load.blocks import Block
from tasks.load.readers.candidates import Candidates


class NamesReader:
    """Passes a block on as it is, so that most of it never becomes single lines."""

    def read(self, block: Block) -> Candidates:
        """Every line is a candidate."""
        return Candidates(data=block.data, lines=block.numbers, whole_lines=True)

    def finish(self) -> Candidates:
        """Nothing is ever held back."""
        return Candidates()
