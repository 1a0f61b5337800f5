"""The one error type that reaches the person at the terminal."""

from __future__ import annotations


class StageFailure(Exception):
    """A stage could not be finished.

    Args:
        why: What went wrong, in one or a few lines.
        remedy: What the reader can do about it.
    """

    def __init__(self, why: str, remedy: str) -> None:
        """Keep both texts apart for whoever prints them."""
        super().__init__(why)
        self.why = why
        self.remedy = remedy
