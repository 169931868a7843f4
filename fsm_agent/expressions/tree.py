"""The syntax tree of an expression, as the CEL library has checked it; ``tree_decoder`` reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal. ``kind`` is part of it, since Python says that 1, 1.0 and true are equal."""

    #: null, bool, int, uint, double, string or bytes
    kind: str
    value: bool | int | float | str | bytes | None


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, with its dots: ``data.total``; or a type, such as ``int``."""

    path: str


@dataclass(frozen=True, slots=True)
class Select:
    """A field of a value; with ``is_test`` the question whether it is there."""

    operand: Node
    field: str
    is_test: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator (``_&&_``, ``_[_]``, ``@in``). The value that a method is called on is the first
    argument."""

    function: str
    arguments: tuple[Node, ...]
    is_method: bool = False


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """What ``all``, ``exists``, ``exists_one``, ``filter`` and ``map`` become: ``result`` of ``@result``, which begins
    as ``initial`` and becomes ``step`` for each item."""

    variable: str
    items: Node
    initial: Node
    step: Node
    result: Node


Node: TypeAlias = Constant | Name | Select | Call | ListOf | MapOf | Loop

#: operator as the library names it -> how it is written
_OPERATORS: Final[Mapping[str, str]] = {
    "!_": "!{}",
    "-_": "-{}",
    "_?_:_": "{} ? {} : {}",
    "_[_]": "{}[{}]",
    "@in": "{} in {}",
    **{f"_{sign}_": f"{{}} {sign} {{}}" for sign in ("&&", "||", "==", "!=", "<", "<=", ">", ">=")},
    **{f"_{sign}_": f"{{}} {sign} {{}}" for sign in ("+", "-", "*", "/", "%")},
}


def names_in(node: Node) -> frozenset[str]:
    """Every name that a tree mentions, the variables of its loops included."""
    if isinstance(node, Name):
        return frozenset({node.path})
    return frozenset().union(*map(names_in, children(node)))


def text_of(node: Node) -> str:
    """The tree as CEL again, with brackets around whatever an operator joins."""
    match node:
        case Constant():
            text = _literal(node)
        case Name(path):
            text = path
        case Select(operand, field, is_test):
            text = f"has({_bracketed(operand)}.{field})" if is_test else f"{_bracketed(operand)}.{field}"
        case ListOf(items):
            text = f"[{', '.join(map(text_of, items))}]"
        case MapOf(entries):
            text = f"{{{', '.join(f'{text_of(key)}: {text_of(value)}' for key, value in entries)}}}"
        case Call():
            text = _call(node)
        case Loop():
            text = _loop(node)
    return text


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below one."""
    match node:
        case Select(operand):
            return (operand,)
        case Call(_, arguments):
            return arguments
        case ListOf(items):
            return items
        case MapOf(entries):
            return tuple(each for entry in entries for each in entry)
        case Loop(_, items, initial, step, result):
            return (items, initial, step, result)
    return ()


def _bracketed(node: Node) -> str:
    is_operator = isinstance(node, Call) and node.function in _OPERATORS and node.function != "_[_]"
    text = text_of(node)
    return f"({text})" if is_operator or text.startswith("-") else text


def _call(call: Call) -> str:
    if call.function in _OPERATORS:
        return _OPERATORS[call.function].format(*map(_bracketed, call.arguments))
    if call.is_method:
        first, *arguments = call.arguments
        return f"{_bracketed(first)}.{call.function}({', '.join(map(text_of, arguments))})"
    return f"{call.function}({', '.join(map(text_of, call.arguments))})"


def _loop(loop: Loop) -> str:
    """A loop as the macro that it came from; ``ValueError`` if it is none that is known."""
    said = f"{_bracketed(loop.items)}.{{}}({loop.variable}, {{}})"
    match loop.initial, loop.step:
        case Constant("bool", True), Call("_&&_", (_, condition)):
            return said.format("all", text_of(condition))
        case Constant("bool", False), Call("_||_", (_, condition)):
            return said.format("exists", text_of(condition))
        case Constant("int", 0), Call("_?_:_", (condition, _, _)):
            return said.format("exists_one", text_of(condition))
        case ListOf(), Call("_+_", (_, ListOf((item,)))):
            return said.format("map", text_of(item))
        case ListOf(), Call("_?_:_", (condition, Call("_+_", (_, ListOf((item,)))), _)):
            return said.format("map", f"{text_of(condition)}, {text_of(item)}")
    raise ValueError(f"no macro is known that makes a loop over {text_of(loop.items)}")


def _literal(constant: Constant) -> str:
    match constant.kind, constant.value:
        case "uint", int(value):
            return f"{value}u"
        case _, bytes(value):
            return 'b"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'
        case _, str(value):
            # CEL knows no surrogates, with which JSON writes what lies beyond 16 bits.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case _, value:
            return json.dumps(value)
