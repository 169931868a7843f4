"""Which data fields an expression must not find null, and which it has shown not to be."""

from __future__ import annotations

from typing import Final

from fsm_agent.expressions.tree import Call, Constant, ListOf, Name, Node, Select, names_in

_LAZY: Final = frozenset({"_&&_", "_||_", "_?_:_"})
_NONE: Final[frozenset[str]] = frozenset()


def needed(tree: Node, given: frozenset[str] = _NONE) -> frozenset[str]:
    """The fields whose null would be an error in an expression; ``given`` are known not to be null. Of ``&&`` and
    ``||`` either side protects the other, since it can decide alone."""
    match tree:
        case Call("_&&_" | "_||_" as sign, (left, right)):
            is_and = sign == "_&&_"
            parts = [(left, shown(right, is_true=is_and)), (right, shown(left, is_true=is_and))]
        case Call("_?_:_", (test, yes, no)):
            parts = [(test, _NONE), (yes, shown(test, is_true=True)), (no, shown(test, is_true=False))]
        case Call("_==_" | "_!=_", arguments):
            parts = [(each, _NONE) for each in arguments if not isinstance(each, Name)]
        case Call("@in", (Name(), items)):
            parts = [(items, _NONE)]
        case Call(_, arguments):
            parts = [(each, _NONE) for each in arguments]
        case _:
            return frozenset(name.split(".")[1] for name in names_in(tree) if name.startswith("data.")) - given
    return frozenset().union(*(needed(part, given | more) for part, more in parts))


def shown(tree: Node, *, is_true: bool) -> frozenset[str]:
    """The fields that are surely not null where a condition has come out like this."""
    match tree:
        case Call("!_", (inner,)):
            return shown(inner, is_true=not is_true)
        case Call("_&&_" | "_||_" as sign, (left, right)):
            one, other = shown(left, is_true=is_true), shown(right, is_true=is_true)
            return one | other if (sign == "_&&_") is is_true else one & other
        case Call("_==_" | "_!=_" as sign, (Name(path), Constant("null")) | (Constant("null"), Name(path))):
            return _field(path) if (sign == "_!=_") is is_true else _NONE
        case Call("_==_", (Name(path), Constant()) | (Constant(), Name(path))):
            return _field(path) if is_true else _NONE
        case Call() if _is_strict(tree):
            return needed(tree)  # or it would be an error
    return _NONE


def _is_strict(tree: Node) -> bool:
    """Whether all of an expression is always evaluated."""
    match tree:
        case Call(function, arguments):
            return function not in _LAZY and all(map(_is_strict, arguments))
        case ListOf(items):
            return all(map(_is_strict, items))
        case Select(operand):
            return _is_strict(operand)
    return isinstance(tree, Name | Constant)


def _field(path: str) -> frozenset[str]:
    return frozenset({path.split(".")[1]}) if path.startswith("data.") else _NONE
