"""What guards make of masks: each condition splits what is known into the ways in which it can come out.

A way out is a truth (true, false, or ``None`` for an error) and what is known then. CEL's own rules hold: of ``&&`` and
``||`` either side can decide alone, even if the other is an error.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.expressions.tree import Call, Constant, ListOf, Name, Node
from fsm_agent.proof.slots import Cell, Gap, Mask, Slot, Special, is_same

#: one mask for each slot of a space
Masks: TypeAlias = tuple[Mask, ...]
#: ``None`` is an error
Truth: TypeAlias = bool | None
Split: TypeAlias = Callable[[Masks], Iterator[tuple[Truth, Masks]]]

_MIRRORED: Final[Mapping[str, str]] = {
    "_==_": "_==_",
    "_!=_": "_!=_",
    "_<_": "_>_",
    "_<=_": "_>=_",
    "_>_": "_<_",
    "_>=_": "_<=_",
}
_ORDER: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "_<_": operator.lt,
    "_<=_": operator.le,
    "_>_": operator.gt,
    "_>=_": operator.ge,
}
_PLAIN: Final = frozenset({"null", "bool", "int", "double", "string"})


class Comparison(NamedTuple):
    """A thing, compared with literals by an operator; alone, if the operator is empty."""

    subject: Node
    operator: str
    literals: tuple[Json, ...]


def atoms(node: Node) -> Iterator[Node]:
    """The conditions that ``&&``, ``||``, ``!`` and ``? :`` join."""
    match node:
        case Call("_&&_" | "_||_" | "!_" | "_?_:_", arguments):
            for each in arguments:
                yield from atoms(each)
        case Constant():
            pass
        case _:
            yield node


def comparison(atom: Node) -> Comparison | None:
    """What an atom compares, if one side of it is literals."""
    match atom:
        case Name():
            return Comparison(atom, "", ())
        case Call("@in", (subject, ListOf(items))) if all(map(_is_literal, items)):
            return Comparison(_spelt(subject), "@in", tuple(each.value for each in items if isinstance(each, Constant)))
        case Call(sign, (subject, Constant(kind, value))) if sign in _MIRRORED and kind in _PLAIN:
            return Comparison(_spelt(subject), sign, (value,))
        case Call(sign, (Constant(kind, value), subject)) if sign in _MIRRORED and kind in _PLAIN:
            return Comparison(_spelt(subject), _MIRRORED[sign], (value,))
    return None


def _spelt(subject: Node) -> Node:
    """``data.items.size()`` is ``size(data.items)``."""
    return Call("size", subject.arguments) if isinstance(subject, Call) and subject.function == "size" else subject


def _is_literal(node: Node) -> bool:
    return isinstance(node, Constant) and node.kind in _PLAIN


def truths(compared: Comparison, cell: Cell) -> tuple[Truth, ...]:
    """How a comparison can come out for the values of a cell."""
    _, sign, literals = compared
    if cell is Special.INVALID:
        return (True, False, None)
    if not sign:
        return (cell,)  # a boolean as it is; null is no truth
    if sign in _ORDER:
        return (None,) if cell is None else (_in_order(sign, cell, literals[0]),)
    return (any(is_same(cell, each) for each in literals) is not (sign == "_!=_"),)


def _in_order(sign: str, cell: Cell, literal: float) -> bool:
    """Gaps end at literals, so all of a gap lies on one side."""
    if isinstance(cell, Gap):
        is_above = cell.low is not None and cell.low >= literal
        cell = literal + 1 if is_above else literal - 1
    return _ORDER[sign](cell, literal)


# --------------------------------------------------------------------------- splits


def compiled(node: Node, atom: Callable[[Node], Split]) -> Split:
    """The split of a condition; ``atom`` gives those of its atoms."""
    match node:
        case Constant(_, value):
            return _fixed(value if isinstance(value, bool) else None)
        case Call("!_", (inner,)):
            return _negation(compiled(inner, atom))
        case Call("_&&_" | "_||_" as sign, (left, right)):
            return _junction(compiled(left, atom), compiled(right, atom), decides=sign == "_||_")
        case Call("_?_:_", (test, yes, no)):
            return _choice(compiled(test, atom), compiled(yes, atom), compiled(no, atom))
    return atom(node)


def unknown(masks: Masks) -> Iterator[tuple[Truth, Masks]]:
    """A condition of which nothing is known."""
    yield True, masks
    yield False, masks
    yield None, masks


def always(masks: Masks) -> Iterator[tuple[Truth, Masks]]:
    yield True, masks


def on_slot(place: int, slot: Slot, compared: Comparison | None) -> Split:
    """The split of a comparison that a slot decides, or of the condition that is a slot."""
    found: dict[Truth, Mask] = {True: 0, False: 0, None: 0}
    for at, cell in enumerate(slot.cells):
        of_condition = (None,) if cell is Special.ERROR else (cell,)
        for truth in of_condition if compared is None else truths(compared, cell):
            found[truth] |= 1 << at
    parts = tuple(found.items())

    def split(masks: Masks) -> Iterator[tuple[Truth, Masks]]:
        mask = masks[place]
        for truth, part in parts:
            left = mask & part
            if left == mask:
                yield truth, masks
            elif left:
                yield truth, (*masks[:place], left, *masks[place + 1 :])

    return split


def _fixed(truth: Truth) -> Split:
    def split(masks: Masks) -> Iterator[tuple[Truth, Masks]]:
        yield truth, masks

    return split


def _negation(inner: Split) -> Split:
    def split(masks: Masks) -> Iterator[tuple[Truth, Masks]]:
        for truth, known in inner(masks):
            yield (None if truth is None else not truth), known

    return split


def _junction(left: Split, right: Split, *, decides: bool) -> Split:
    """``&&`` is decided by a side that is false, ``||`` by one that is true."""

    def split(masks: Masks) -> Iterator[tuple[Truth, Masks]]:
        for first, known in left(masks):
            if first is decides:
                yield first, known
                continue
            for second, more in right(known):
                if second is decides:
                    yield second, more
                else:
                    yield (None if first is None or second is None else not decides), more

    return split


def _choice(test: Split, yes: Split, no: Split) -> Split:
    def split(masks: Masks) -> Iterator[tuple[Truth, Masks]]:
        for truth, known in test(masks):
            if truth is None:
                yield None, known
            else:
                yield from (yes if truth else no)(known)

    return split
