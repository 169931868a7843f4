"""Reads the syntax tree of an expression from what the CEL library gives away.

That is a message of protocol buffers (``cel.expr.CheckedExpr``). The few fields of it that matter are read here, so
that nobody needs a second grammar of CEL, or a library for such messages. Numbers are those of the fields in
``cel/expr/checked.proto`` and ``syntax.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from fsm_agent.expressions.tree import Call, Constant, ListOf, Loop, MapOf, Name, Node, Select

#: number of a field and its bytes, or its integer
_Message: TypeAlias = list[tuple[int, "bytes | int"]]
#: identity of a node -> the variable that it names
_Names: TypeAlias = Mapping[int, str]

_IDENTIFIER, _SELECT, _UINT64 = 4, 5, 1 << 64


def decode(serialized: bytes) -> Node:
    """The tree of an expression that the library has serialised. Raises ``ValueError`` for what it cannot read."""
    checked = _message(_bytes(_message(serialized), 2))
    names: dict[int, str] = {}
    for entry in map(_message, _all(checked, 2)):
        name = _text(_message(_bytes(entry, 2)), 1)
        if name:
            names[_integer(entry, 1)] = name
    return _node(_bytes(checked, 4), names)


def _node(serialized: bytes, names: _Names) -> Node:
    fields = _message(serialized)
    identity = _integer(fields, 2)
    kind, body = next(((number, body) for number, body in fields if number != 2), (0, 0))
    read = _READERS.get(kind)
    if read is None or isinstance(body, int):
        raise ValueError(f"an expression of kind {kind} is not known")
    return (
        Name(names[identity]) if identity in names and kind in (_IDENTIFIER, _SELECT) else read(_message(body), names)
    )


def _select(body: _Message, names: _Names) -> Node:
    return Select(_node(_bytes(body, 1), names), _text(body, 2), bool(_integer(body, 3)))


def _call(body: _Message, names: _Names) -> Node:
    target, arguments = ([_node(each, names) for each in _all(body, number)] for number in (1, 3))
    return Call(_text(body, 2), (*target, *arguments), is_method=bool(target))


def _list(body: _Message, names: _Names) -> Node:
    return ListOf(tuple(_node(each, names) for each in _all(body, 1)))


def _map(body: _Message, names: _Names) -> Node:
    entries = map(_message, _all(body, 2))
    return MapOf(tuple((_node(_bytes(each, 3), names), _node(_bytes(each, 4), names)) for each in entries))


def _loop(body: _Message, names: _Names) -> Node:
    items, initial, step, result = (_node(_bytes(body, number), names) for number in (2, 4, 6, 7))
    return Loop(_text(body, 1), items, initial, step, result)


def _constant(body: _Message, _: _Names) -> Node:
    ((number, value),) = body
    kind, convert = _CONSTANTS[number]
    return Constant(kind, convert(value))


#: number of the field -> what reads it
_READERS: Final[Mapping[int, Callable[[_Message, _Names], Node]]] = {
    3: _constant,
    _IDENTIFIER: lambda body, _: Name(_text(body, 1)),
    _SELECT: _select,
    6: _call,
    7: _list,
    8: _map,
    9: _loop,
}

#: number of the field -> kind of the literal, and what makes it of bytes or an integer
_CONSTANTS: Final[Mapping[int, tuple[str, Callable[[Any], Any]]]] = {
    1: ("null", lambda _: None),
    2: ("bool", bool),
    3: ("int", lambda value: value - _UINT64 if value >> 63 else value),
    4: ("uint", int),
    5: ("double", lambda value: struct.unpack("<d", value)[0]),
    6: ("string", bytes.decode),
    7: ("bytes", bytes),
}


def _message(serialized: bytes) -> _Message:
    return list(_fields(serialized))


def _fields(serialized: bytes) -> Iterator[tuple[int, bytes | int]]:
    at = 0
    while at < len(serialized):
        key, at = _varint(serialized, at)
        match key & 7:
            case 0:
                value, at = _varint(serialized, at)
                yield key >> 3, value
                continue
            case 1:
                size = 8
            case 2:
                size, at = _varint(serialized, at)
            case 5:
                size = 4
            case wire:
                raise ValueError(f"a field of wire type {wire} is not known")
        yield key >> 3, serialized[at : at + size]
        at += size


def _varint(serialized: bytes, at: int) -> tuple[int, int]:
    shift = value = 0
    while True:
        byte = serialized[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return value, at


def _all(message: _Message, number: int) -> list[bytes]:
    return [value for each, value in message if each == number and isinstance(value, bytes)]


def _bytes(message: _Message, number: int) -> bytes:
    """A field that is left out is empty."""
    return next(reversed(_all(message, number)), b"")


def _text(message: _Message, number: int) -> str:
    return _bytes(message, number).decode()


def _integer(message: _Message, number: int) -> int:
    return next((value for each, value in message if each == number and isinstance(value, int)), 0)
