"""Expressions: CEL over ``data``, ``event`` and ``visits``, compiled against the workflow's schemas; those of built-in
actions may also mention what these recall.

Two environments know the same names. One *checks*: nullable fields are wrapper types there, so that a comparison
with null compiles and a wrong type does not. The other *evaluates*: nullable fields are dynamic there, because
wrappers take no plain Python values. An expression is handed only the values that it mentions, and a list that is
only counted is handed over as its length.

This is the only module that knows the CEL library, and it imports it when the first expression is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from fsm_agent.errors import ExpressionFailed
from fsm_agent.expressions.complaints import explain, explain_failure, require_known_names
from fsm_agent.expressions.invalid import ExpressionInvalid, position
from fsm_agent.expressions.kinds import DYN, Kind
from fsm_agent.expressions.scope import Read, Scope, Values
from fsm_agent.expressions.text import mentioned, template, with_lengths
from fsm_agent.expressions.values import plain_json, written
from fsm_agent.jsontypes import Json
from fsm_agent.wording import shortened
from fsm_agent.workflow import Workflow

if TYPE_CHECKING:
    from cel_expr_python import cel

__all__ = ["Expression", "ExpressionInvalid", "Guards", "Prompt"]

_WRAPPERS: Final = {"int": "Int64Value", "double": "DoubleValue", "string": "StringValue", "bool": "BoolValue"}
_WORDS: Final = {*_WRAPPERS, "uint", "map", "null", "timestamp", "duration", "bytes", "type"}
_NOTHING: Final[Values] = {}


class Guards:
    """The expressions of one workflow, each compiled once."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._compilers: dict[tuple[str | None, bool, bool], _Compiler] = {}
        self._compiled: dict[tuple[str, str | None, bool, bool], Expression] = {}
        self._prompts: dict[tuple[str, bool], Prompt] = {}

    def compile(self, text: str, *, event: str | None, recalls: bool = False, items: bool = True) -> Expression:
        """The expression ``text``, with the payload of ``event`` in scope; raises ``ExpressionInvalid``.

        An expression that ``recalls`` is one of a built-in action: it may mention ``user``, ``conversation`` and, with
        ``items``, ``item`` and ``index``.
        """
        key = (text, event, recalls, items and recalls)
        known = self._compiled.get(key)
        if known is None:
            known = self._compiled[key] = self._compiler(event, recalls=recalls, items=items and recalls).compile(text)
        return known

    def prompt(self, text: str, *, recalls: bool = False) -> Prompt:
        """Text with CEL in ``{{ }}``; raises ``ExpressionInvalid`` with a position in the whole text."""
        known = self._prompts.get((text, recalls))
        if known is None:
            known = self._prompts[text, recalls] = Prompt(tuple(self._pieces(text, recalls=recalls)))
        return known

    def _pieces(self, text: str, *, recalls: bool) -> Iterator[str | Expression]:
        for piece, at in template(text):
            if at is None:
                yield piece
                continue
            try:
                yield self.compile(piece, event=None, recalls=recalls, items=False)
            except ExpressionInvalid as wrong:
                line, column = position(text, at)
                column = column + wrong.column - 1 if wrong.line == 1 else wrong.column
                raise ExpressionInvalid(wrong.message, line=line + wrong.line - 1, column=column) from None

    def _compiler(self, event: str | None, *, recalls: bool = False, items: bool = False) -> _Compiler:
        key = (event, recalls, items)
        known = self._compilers.get(key)
        if known is None:
            scope = Scope.of(self._workflow, event, recalls=recalls, items=items)
            known = self._compilers[key] = _Compiler(scope)
        return known


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; ``evaluate`` and ``holds`` raise ``ExpressionFailed`` with the values it saw."""

    text: str
    kind: Kind
    #: data fields, payload fields, ``visits`` and what is recalled, as dotted names
    mentions: frozenset[str]
    #: those of them that are lists and converted whole at every evaluation
    lists: frozenset[str]
    _program: cel.Expression
    _reads: tuple[tuple[str, Read], ...]
    #: it is one name: then its value is taken as it is, in its own order and type
    _is_name: bool = False

    @property
    def type(self) -> str:
        """bool, int, double, string, list, map, null, dyn, ..."""
        return self.kind.name

    def evaluate(
        self, data: Values, event: Values | None, visits: Mapping[str, int], *, recalled: Values = _NOTHING
    ) -> Json:
        """The value as plain JSON; raises ``ExpressionFailed`` if CEL fails or the value is no JSON. ``recalled`` has
        what is mentioned of ``user`` and ``conversation``, and ``item`` and ``index``."""
        given = self._given(data, event, visits, recalled)
        if self._is_name:
            (value,) = given.values()
            return value
        try:
            result = self._program.eval(data=given)
        except RuntimeError as error:
            raise self._failed(explain_failure(str(error)), given) from None
        value = result.plain_value()
        if value is True or value is False:
            return value
        if isinstance(value, str) and result.type() == _error_type():
            raise self._failed(explain_failure(value), given)
        try:
            return plain_json(value)
        except ValueError as error:
            raise self._failed(str(error), given) from None

    def holds(self, data: Values, event: Values | None, visits: Mapping[str, int]) -> bool:
        """The value of a guard; raises ``ExpressionFailed`` unless it is true or false."""
        value = self.evaluate(data, event, visits)
        if value is True or value is False:
            return value
        why = f"it gives {shortened(value)}, and a guard must give true or false"
        raise self._failed(why, self._given(data, event, visits, _NOTHING))

    def _given(
        self, data: Values, event: Values | None, visits: Mapping[str, int], recalled: Values
    ) -> dict[str, Json]:
        event = _NOTHING if event is None else event
        try:
            return {name: read(data, event, visits, recalled) for name, read in self._reads}
        except (LookupError, TypeError, AttributeError) as error:
            # Guards see data before it is validated: what an action left there may have another shape.
            raise self._failed(f"the data has not the declared shape ({error})", dict(data)) from None

    def _failed(self, why: str, given: Values) -> ExpressionFailed:
        values = {name: value if len(repr(value)) <= 80 else shortened(value) for name, value in given.items()}
        return ExpressionFailed(self.text.strip(), why, values)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A compiled prompt: plain text and expressions in turn."""

    pieces: tuple[str | Expression, ...]

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Expression))

    def render(
        self,
        data: Values,
        visits: Mapping[str, int],
        *,
        recalled: Values = _NOTHING,
        write: Callable[[Json], str] = written,
    ) -> str:
        """The text for a person, or for a model; raises ``ExpressionFailed``. ``write`` makes text of values."""
        return "".join(
            piece if isinstance(piece, str) else write(piece.evaluate(data, None, visits, recalled=recalled))
            for piece in self.pieces
        )


class _Compiler:
    """One scope, twice: once to check in, once to evaluate in."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._readable = {**scope.kinds, **scope.lengths}
        self._checking = _environment(scope.kinds, evaluates=False)
        self._evaluating = _environment(self._readable, evaluates=True)

    def compile(self, text: str) -> Expression:
        require_known_names(text, self._scope)
        try:
            checked = self._checking.compile(text)
        except RuntimeError as error:
            raise explain(str(error), text, self._scope) from None
        runnable = with_lengths(text, self._scope)
        reads = mentioned(runnable, self._readable)
        return Expression(
            text,
            kind=_kind(checked.return_type().name()),
            _program=self._evaluating.compile(runnable),
            _reads=tuple((name, self._scope.reader(name)) for name in reads),
            _is_name=text.strip() in self._scope.variables,
            mentions=frozenset(mentioned(text, self._scope.kinds)),
            lists=frozenset(filter(self._scope.is_list, reads)),
        )


def _environment(kinds: Mapping[str, Kind], *, evaluates: bool) -> cel.Env:
    from cel_expr_python import cel

    variables = {name: _type(kind, evaluates=evaluates) for name, kind in kinds.items()}
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml("extensions: [{name: strings}]"), variables=variables)


def _type(kind: Kind, *, evaluates: bool) -> cel.Type:
    from cel_expr_python.cel import Type

    match kind:
        case Kind(is_nullable=True):
            wrapper = None if evaluates else _WRAPPERS.get(kind.name)
            return Type(f"google.protobuf.{wrapper}") if wrapper else Type.DYN
        case Kind("list"):
            return Type.List(_type(kind.item or DYN, evaluates=evaluates))
        case Kind("map"):
            return Type.Map(Type.STRING, _type(kind.item or DYN, evaluates=evaluates))
        case Kind(name):
            return getattr(Type, name.upper())


def _kind(name: str) -> Kind:
    """``LIST<INT>`` as the library prints it -> a kind."""
    word, _, inner = name.lower().partition("<")
    if word == "list":
        return Kind("list", item=_kind(inner.removesuffix(">")))
    return Kind(word) if word in _WORDS else DYN


@cache
def _error_type() -> cel.Type:
    from cel_expr_python.cel import Type

    return Type.ERROR
