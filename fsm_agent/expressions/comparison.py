"""Comparisons of two integers: most guards are one, and Python makes it in a fifth of the time that CEL needs.

Python decides only where it cannot differ from CEL: both sides are names that are declared as integers and cannot be
null, or literals, and what is found there are integers of 64 bits. For all else CEL is asked, and says what is wrong.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from fsm_agent.domain.json import INT64_MAX, INT64_MIN
from fsm_agent.domain.kinds import INTEGER
from fsm_agent.expressions.literal import SPACE, read_literal
from fsm_agent.expressions.scope import Read, Scope, Values

#: none that is a part of another stands before it
_OPERATORS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


class Comparison(NamedTuple):
    """Compare what ``left`` and ``right`` read."""

    left: Read
    right: Read
    compare: Callable[[int, int], bool]
    #: what it mentions
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str, scope: Scope) -> Comparison | None:
        """The comparison that ``text`` is; ``None`` if it is another expression."""
        sign = next((each for each in _OPERATORS if each in text), None)
        if sign is None:
            return None
        first, _, second = text.partition(sign)
        operands = first.strip(SPACE), second.strip(SPACE)
        left, right = (_reader(operand, scope) for operand in operands)
        if left is None or right is None:
            return None
        names = tuple(dict.fromkeys(each for each in operands if read_literal(each) is None))
        return cls(left, right, _OPERATORS[sign], names)

    def outcome(self, data: Values, event: Values, visits: Mapping[str, int], recalled: Values) -> bool | None:
        """``None`` if CEL has to be asked."""
        read_left, read_right, compare, _ = self
        try:
            left = read_left(data, event, visits, recalled)
            right = read_right(data, event, visits, recalled)
        except (LookupError, TypeError, AttributeError):
            return None
        if type(left) is not int or not INT64_MIN <= left <= INT64_MAX:
            return None
        if type(right) is not int or not INT64_MIN <= right <= INT64_MAX:
            return None
        return compare(left, right)


def _reader(operand: str, scope: Scope) -> Read | None:
    """How to get at an operand that is surely an integer."""
    kind = scope.kinds.get(operand) or scope.lengths.get(operand)
    if kind is not None:
        return scope.reader(operand) if kind == INTEGER else None
    literal = read_literal(operand)
    if literal is None or literal.kind != INTEGER:
        return None
    number = literal.value
    return lambda _, __, ___, ____: number
