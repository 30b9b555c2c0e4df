"""What a channel raises."""

from __future__ import annotations


class NotSent(Exception):
    """
    A notification did not get out; says why in words that show no secret.

    Args:
        words: For the log.
        again: Whether it may go better at once.
    """

    def __init__(self, words: str, *, again: bool = True) -> None:
        super().__init__(words)
        self.again = again
