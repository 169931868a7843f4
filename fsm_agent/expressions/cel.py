"""The CEL library: how expressions are checked and run, and how their results become plain JSON.

Only this module knows the library, and it is imported when the first expression is compiled.

Some facts about the library (cel-expr-python 0.1.3) decide how it is used here:

- ``value()`` and ``plain_value()`` lose a reference to ``None`` for each null that they turn into Python. Where
  ``None`` is not immortal (Python 3.11), the process aborts after some thousand nulls. So a null is recognised by its
  type, and never turned into Python, neither alone nor inside a list or a map.
- An error is not raised: it is a result whose Python value is a text. So each text is checked twice.
- A text that is handed over ends at its first U+0000. So a text with this character is never handed over.
- The size of what an expression makes has no limit, except the 10,000 items that all its loops may visit. If there is
  no room for it, the library raises ``MemoryError``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final, TypeAlias

from cel_expr_python import cel

from fsm_agent.domain.json import Json
from fsm_agent.domain.kinds import DYN, Kind
from fsm_agent.expressions.messages import explain_failure
from fsm_agent.expressions.tree import Node
from fsm_agent.expressions.tree_decoder import decode
from fsm_agent.expressions.values import holds_nul, plain_scalar

_WRAPPERS: Final = {"int": "Int64Value", "double": "DoubleValue", "string": "StringValue", "bool": "BoolValue"}
_WORDS: Final = {*_WRAPPERS, "uint", "map", "null", "timestamp", "duration", "bytes", "type"}
#: evaluates an expression with ``data``, and perhaps in an ``arena``
Evaluate: TypeAlias = Callable[..., cel.Value]

_NULL: Final = cel.Type.NULL
_ERROR: Final = cel.Type.ERROR

#: kind -> an operation that keeps values of this kind, and makes an error of all others, null included. Its result is
#: read without checking the type, which costs twice as much as reading.
_STRICT: Final = {"bool": "({}\n) && true", "int": "({}\n) + 0"}
#: Values of these kinds need no room in an arena; texts and lists are copied into it.
_SMALL: Final = frozenset({"bool", "int", "double"})

#: Unused arenas, and how often each was used. Making one costs a third of a comparison. But an arena never frees what
#: it holds, so it is used a limited number of times, and only for small values.
_IDLE_ARENAS: Final[list[tuple[cel.Arena, int]]] = []
_ARENA_USES: Final = 64


class Environment:
    """Names and their kinds.

    Expressions are *checked* with wrapper types for nullable names, so that a comparison with null compiles and a wrong
    type does not. They are *evaluated* with dynamic types, since wrappers take no plain Python values.
    """

    def __init__(self, kinds: Mapping[str, Kind], *, evaluates: bool) -> None:
        self.kinds = kinds
        self._evaluates = evaluates

    @cached_property
    def _library(self) -> cel.Env:
        variables = {name: _type(kind, evaluates=self._evaluates) for name, kind in self.kinds.items()}
        return cel.NewEnv(config=cel.NewEnvConfigFromYaml("extensions: [{name: strings}]"), variables=variables)

    def check(self, text: str) -> Kind:
        """The kind of the value of ``text``, as far as known; raises ``RuntimeError`` with the library's message."""
        return _kind(self._library.compile(text).return_type().name())

    def tree(self, text: str) -> Node:
        """Raises ``RuntimeError`` with the library's complaint, ``ValueError`` for a tree that cannot be read."""
        return decode(self._library.compile(text).serialize())

    def compile(self, text: str) -> Evaluate:
        """Raises ``RuntimeError`` with the library's message."""
        evaluate: Evaluate = self._library.compile(text).eval
        return evaluate


class Program:
    """An expression that was checked. The library compiles it when it first runs.

    ``kind`` is what the checker expects, and no promise: to the checker, an integer that may be null is an int too.
    """

    def __init__(self, environment: Environment, text: str, *, kind: Kind, reads: tuple[str, ...]) -> None:
        self._environment, self._text = environment, text
        self._strict_form = _STRICT.get(kind.name)
        self._is_small = all(environment.kinds[name].name in _SMALL for name in reads)
        self._texts = tuple(name for name in reads if _may_hold_text(environment.kinds[name]))

    def run(self, given: Mapping[str, Json]) -> Json:
        """The result as plain JSON; ``ValueError`` says in our words why there is none."""
        try:
            return self._result(given)
        except RecursionError:
            raise ValueError("its values are nested too deep to be read") from None
        except MemoryError:
            raise ValueError("there is no memory for what it makes") from None
        except RuntimeError as error:
            raise ValueError(explain_failure(str(error))) from None

    def _result(self, given: Mapping[str, Json]) -> Json:
        for name in self._texts:
            if holds_nul(given[name]):
                raise ValueError(f"{name} holds the character U+0000, at which CEL would cut the text")
        evaluate_strictly = self._evaluate_strictly
        if evaluate_strictly is not None:
            value = self._expected(evaluate_strictly, given)
            if value is not None:
                return value
        return _read(self._evaluate(data=given))

    def _expected(self, evaluate: Evaluate, given: Mapping[str, Json]) -> Json:
        """The value if it is of the expected kind, otherwise ``None``."""
        try:
            value = _in_idle_arena(evaluate, given) if self._is_small else evaluate(data=given).plain_value()
        except RuntimeError:
            return None
        return None if type(value) is str else value

    @cached_property
    def _evaluate(self) -> Evaluate:
        return self._environment.compile(self._text)

    @cached_property
    def _evaluate_strictly(self) -> Evaluate | None:
        """``None`` if the kind has no strict operation, or if the text with it would be too long or too deep."""
        if self._strict_form is None:
            return None
        try:
            return self._environment.compile(self._strict_form.format(self._text))
        except RuntimeError:
            return None


def _in_idle_arena(evaluate: Evaluate, given: Mapping[str, Json]) -> Json:
    """The value of an expression that cannot give null. Meanwhile nothing else uses the arena."""
    try:
        arena, uses = _IDLE_ARENAS.pop()
    except IndexError:
        arena, uses = cel.Arena(), 0
    value = evaluate(data=given, arena=arena).plain_value()
    if uses < _ARENA_USES:
        _IDLE_ARENAS.append((arena, uses + 1))
    return value


def _read(result: cel.Value) -> Json:
    """A result as plain JSON, without turning a null into Python."""
    kind = result.type()
    if kind == _NULL:
        return None
    value = result.value()
    if kind == _ERROR:
        raise ValueError(explain_failure(value))
    match value:
        case list():
            return [_read(item) for item in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {key: _read(item) for key, item in value.items()}
        case dict():
            raise ValueError("it gives a map with keys that are no strings")
    return plain_scalar(value)


def _may_hold_text(kind: Kind) -> bool:
    """Whether a value of ``kind`` can contain a text. Values are checked against the declared kind later."""
    match kind:
        case Kind("list", _, Kind() as item):
            return _may_hold_text(item)
        case Kind(name):
            return name not in _SMALL


def _type(kind: Kind, *, evaluates: bool) -> cel.Type:
    match kind:
        case Kind(is_nullable=True):
            wrapper = None if evaluates else _WRAPPERS.get(kind.name)
            return cel.Type(f"google.protobuf.{wrapper}") if wrapper else cel.Type.DYN
        case Kind("list"):
            return cel.Type.List(_type(kind.item or DYN, evaluates=evaluates))
        case Kind("map"):
            return cel.Type.Map(cel.Type.STRING, _type(kind.item or DYN, evaluates=evaluates))
        case Kind(name):
            return getattr(cel.Type, name.upper())


def _kind(name: str) -> Kind:
    """The kind that the library prints as, for example, ``LIST<INT>``."""
    word, _, inner = name.lower().partition("<")
    if word == "list":
        return Kind("list", item=_kind(inner.removesuffix(">")))
    return Kind(word) if word in _WORDS else DYN
