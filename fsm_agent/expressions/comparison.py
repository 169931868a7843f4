"""Comparisons of two integers: most guards are one, and Python makes it in a fifth of the time that CEL needs.

Python decides only where it cannot differ from CEL: both sides are names that are declared as integers and cannot be
null, or literals, and what is found there are integers of 64 bits. For all else CEL is asked, and says what is wrong.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fsm_agent.expressions.kinds import Kind
from fsm_agent.expressions.scope import Read, Scope, Values
from fsm_agent.jsontypes import INT64_MAX, INT64_MIN

_OPERATORS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_COMPARISON: Final = re.compile(
    r"""\s* (?P<left> -?[0-9]+ | [A-Za-z_][\w.]* )
        \s* (?P<operator> [<>]=? | [=!]= )
        \s* (?P<right> -?[0-9]+ | [A-Za-z_][\w.]* ) \s*""",
    re.ASCII | re.VERBOSE,
)
_INTEGER: Final = Kind("int")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of what ``left`` and ``right`` read."""

    left: Read
    right: Read
    compare: Callable[[int, int], bool]

    @classmethod
    def of(cls, text: str, scope: Scope) -> Comparison | None:
        """The comparison that ``text``, which was checked, is; ``None`` if it is another expression."""
        found = _COMPARISON.fullmatch(text)
        if found is None:
            return None
        left, right = _reader(found["left"], scope), _reader(found["right"], scope)
        if left is None or right is None:
            return None
        return cls(left, right, _OPERATORS[found["operator"]])

    def outcome(self, data: Values, event: Values, visits: Mapping[str, int], recalled: Values) -> bool | None:
        """``None`` if CEL has to be asked."""
        try:
            left = self.left(data, event, visits, recalled)
            right = self.right(data, event, visits, recalled)
        except (LookupError, TypeError, AttributeError):
            return None
        if type(left) is not int or not INT64_MIN <= left <= INT64_MAX:
            return None
        if type(right) is not int or not INT64_MIN <= right <= INT64_MAX:
            return None
        return self.compare(left, right)


def _reader(operand: str, scope: Scope) -> Read | None:
    """How to get at an operand that is surely an integer."""
    kind = scope.kinds.get(operand) or scope.lengths.get(operand)
    if kind is not None:
        return scope.reader(operand) if kind == _INTEGER else None
    if operand.lstrip("-").isdigit():
        number = int(operand)
        return lambda _, __, ___, ____: number
    return None
