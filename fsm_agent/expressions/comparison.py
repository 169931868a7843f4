"""Comparisons of two integers: most guards are one, and Python evaluates it in a fifth of the time that CEL needs.

Python decides only where it cannot differ from CEL: each side is a literal, or a name that is declared as an integer
without null, and the value found there is an integer of 64 bits. CEL evaluates all else, and reports errors.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from fsm_agent.domain.json import INT64_MAX, INT64_MIN
from fsm_agent.domain.kinds import INTEGER
from fsm_agent.expressions.literal import SPACE, read_literal
from fsm_agent.expressions.scope import Read, Scope, Values

#: an operator that begins with another one stands before it: `<=` before `<`
_OPERATORS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


class Comparison(NamedTuple):
    """A comparison of two values; ``left`` and ``right`` read them."""

    left: Read
    right: Read
    compare: Callable[[int, int], bool]
    #: the names that it mentions
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str, scope: Scope) -> Comparison | None:
        """The comparison in ``text``; ``None`` if it is another kind of expression."""
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
        """The result; ``None`` if CEL must evaluate the expression."""
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
    """How to read an operand; ``None`` if it is not certainly an integer."""
    kind = scope.kinds.get(operand) or scope.lengths.get(operand)
    if kind is not None:
        return scope.reader(operand) if kind == INTEGER else None
    literal = read_literal(operand)
    if literal is None or literal.kind != INTEGER:
        return None
    number = literal.value
    return lambda _, __, ___, ____: number
