"""The error of an expression that cannot be compiled."""

from __future__ import annotations

from typing import Self


class ExpressionInvalid(ValueError):
    """An expression that cannot be compiled; ``line`` and ``column`` count from 1 inside its text."""

    def __init__(self, message: str, *, line: int = 1, column: int = 1) -> None:
        self.message, self.line, self.column = message, line, column
        super().__init__(message)

    @classmethod
    def at(cls, index: int, text: str, message: str) -> Self:
        """The error at an index into ``text``."""
        line, column = position(text, index)
        return cls(message, line=line, column=column)


def position(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of an index into ``text``."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
