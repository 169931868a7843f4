"""Expressions: CEL over ``data``, ``event`` and ``visits``, compiled against the schemas of the workflow. Those of
built-in actions may also mention ``user``, ``conversation``, ``item`` and ``index``.

An expression gets only the values that it mentions, and of a list that is only counted it gets the length. Three kinds
of expressions are evaluated without CEL: a single name, a literal, and a comparison of two integers.

The CEL library is in ``expressions.cel``, which is imported for the first expression that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.kinds import BOOLEAN, Kind
from fsm_agent.domain.text import shortened
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import ExpressionFailed
from fsm_agent.expressions.comparison import Comparison
from fsm_agent.expressions.invalid import ExpressionInvalid, position
from fsm_agent.expressions.literal import Literal, read_literal
from fsm_agent.expressions.messages import explain, require_known_names
from fsm_agent.expressions.scope import Read, Scope, Values
from fsm_agent.expressions.text import mentioned, template, with_lengths
from fsm_agent.expressions.values import written

if TYPE_CHECKING:
    from fsm_agent.expressions.cel import Environment, Program
    from fsm_agent.expressions.tree import Node

__all__ = ["Expression", "ExpressionInvalid", "Guards", "Prompt"]

_NOTHING: Final[Values] = {}


class Shortcut(NamedTuple):
    """How an expression is evaluated without CEL, if that is possible."""

    #: it is a single name: its value is taken as it is, with its order and type
    is_name: bool = False
    #: it is a comparison of two integers: CEL is needed only if the values are none
    comparison: Comparison | None = None
    literal: Literal | None = None


class Guards:
    """The expressions of one workflow; each is compiled once."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._compilers: dict[tuple[str | None, bool, bool], _Compiler] = {}
        self._compiled: dict[tuple[str, str | None, bool, bool], Expression] = {}
        self._prompts: dict[tuple[str, bool], Prompt] = {}
        self._trees: dict[tuple[str, str | None], Node | None] = {}

    def compile(self, text: str, *, event: str | None, recalls: bool = False, items: bool = True) -> Expression:
        """The expression ``text``, with the payload of ``event`` in scope; raises ``ExpressionInvalid``.

        An expression that ``recalls`` belongs to a built-in action: it may mention ``user`` and ``conversation``, and
        with ``items`` also ``item`` and ``index``.
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

    def tree(self, text: str, *, event: str | None) -> Node | None:
        """The syntax tree of an expression, as it is checked; ``None`` if it is wrong or cannot be read."""
        if (text, event) not in self._trees:
            self._trees[text, event] = self._compiler(event).tree(text)
        return self._trees[text, event]

    def lists(self, event: str | None) -> frozenset[str]:
        """The lists that an expression with the payload of ``event`` may mention."""
        return self._compiler(event).lists

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


class Expression:
    """A compiled expression; ``evaluate`` and ``holds`` raise ``ExpressionFailed`` with the values it saw.

    ``mentions`` holds dotted names of data fields, payload fields, ``visits`` and recalled values. ``lists`` are those
    of them that are converted completely at each evaluation. ``program`` makes the CEL program, if it is needed.
    """

    def __init__(
        self,
        text: str,
        kind: Kind,
        *,
        mentions: frozenset[str],
        lists: frozenset[str],
        reads: tuple[tuple[str, Read], ...],
        program: Callable[[], Program],
        shortcut: Shortcut,
    ) -> None:
        self.text = text
        self.kind = kind
        self.mentions = mentions
        self.lists = lists
        self._reads = reads
        self._make_program = program
        self._is_name, self._comparison, self._literal = shortcut

    @cached_property
    def _program(self) -> Program:
        return self._make_program()

    @property
    def type(self) -> str:
        """bool, int, double, string, list, map, null, dyn, ..."""
        return self.kind.name

    def evaluate(
        self, data: Values, event: Values | None, visits: Mapping[str, int], *, recalled: Values = _NOTHING
    ) -> Json:
        """The value as plain JSON; raises ``ExpressionFailed`` if CEL fails or the value is no JSON. ``recalled`` holds
        the values of ``user``, ``conversation``, ``item`` and ``index`` that the expression mentions."""
        event = _NOTHING if event is None else event
        if self._comparison is not None:
            outcome = self._comparison.outcome(data, event, visits, recalled)
            if outcome is not None:
                return outcome
        if self._literal is not None:
            return self._literal.value
        given = self._given(data, event, visits, recalled)
        if self._is_name:
            (value,) = given.values()
            return value
        try:
            return self._program.run(given)
        except ValueError as error:
            raise self._failed(str(error), given) from None

    def holds(self, data: Values, event: Values | None, visits: Mapping[str, int]) -> bool:
        """The value of a guard; raises ``ExpressionFailed`` unless it is true or false."""
        if self._comparison is not None:
            outcome = self._comparison.outcome(data, event or _NOTHING, visits, _NOTHING)
            if outcome is not None:
                return outcome
        value = self.evaluate(data, event, visits)
        if value is True or value is False:
            return value
        why = f"it gives {shortened(value)}, and a guard must give true or false"
        raise self._failed(why, self._given(data, event or _NOTHING, visits, _NOTHING))

    def _given(self, data: Values, event: Values, visits: Mapping[str, int], recalled: Values) -> dict[str, Json]:
        try:
            return {name: read(data, event, visits, recalled) for name, read in self._reads}
        except (LookupError, TypeError, AttributeError) as error:
            # Guards see data before it is validated, so an action may have left another shape there.
            raise self._failed(f"the data has not the declared shape ({error})", dict(data)) from None

    def _failed(self, why: str, given: Values) -> ExpressionFailed:
        return ExpressionFailed(self.text.strip(), why, given)


class Prompt(NamedTuple):
    """A compiled prompt: pieces of plain text and expressions, in their order."""

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
        """The text for a person or for a model; raises ``ExpressionFailed``. ``write`` makes text of values."""
        return "".join(
            piece if isinstance(piece, str) else write(piece.evaluate(data, None, visits, recalled=recalled))
            for piece in self.pieces
        )


class _Compiler:
    """Compiles expressions in one scope. It has an environment to check in and one to evaluate in; each is made when an
    expression first needs it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._names: Mapping[str, Kind] = {**scope.kinds, **scope.lengths}

    @cached_property
    def lists(self) -> frozenset[str]:
        return frozenset(filter(self._scope.is_list, self._scope.kinds))

    @cached_property
    def _checking(self) -> Environment:
        from fsm_agent.expressions.cel import Environment

        return Environment(self._scope.kinds, evaluates=False)

    @cached_property
    def _evaluating(self) -> Environment:
        from fsm_agent.expressions.cel import Environment

        return Environment(self._names, evaluates=True)

    def compile(self, text: str) -> Expression:
        literal, comparison = read_literal(text), Comparison.of(text, self._scope)
        if literal is not None:
            return self._expression(text, literal.kind, (), Shortcut(literal=literal))
        if comparison is not None and all(name in self._scope.kinds for name in comparison.names):
            return self._expression(text, BOOLEAN, comparison.names, Shortcut(comparison=comparison))
        return self._checked(text)

    def tree(self, text: str) -> Node | None:
        try:
            return self._checking.tree(text)
        except (RuntimeError, ValueError):
            return None

    def _checked(self, text: str) -> Expression:
        """An expression that CEL must check: neither a literal nor a comparison of two declared integers."""
        require_known_names(text, self._scope)
        try:
            kind = self._checking.check(text)
        except RuntimeError as error:
            raise explain(str(error), text, self._scope) from None
        runnable = with_lengths(text, self._scope)
        shortcut = Shortcut(text.strip() in self._scope.variables, Comparison.of(runnable, self._scope))
        return self._expression(text, kind, tuple(mentioned(runnable, self._names)), shortcut, runnable)

    def _expression(
        self, text: str, kind: Kind, reads: tuple[str, ...], shortcut: Shortcut, runnable: str | None = None
    ) -> Expression:
        return Expression(
            text,
            kind,
            mentions=frozenset(reads if runnable is None else mentioned(text, self._scope.kinds)),
            lists=frozenset(filter(self._scope.is_list, reads)),
            reads=tuple((name, self._scope.reader(name)) for name in reads),
            program=lambda: self._program(text if runnable is None else runnable, kind, reads),
            shortcut=shortcut,
        )

    def _program(self, runnable: str, kind: Kind, reads: tuple[str, ...]) -> Program:
        from fsm_agent.expressions.cel import Program

        return Program(self._evaluating, runnable, kind=kind, reads=reads)
