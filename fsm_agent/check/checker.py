"""The checker compares expressions and literals with what their places accept, and notes what does not fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from fsm_agent.check.codes import Code
from fsm_agent.data.validation import Shape
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.kinds import Kind, fits, item_schema, json_types
from fsm_agent.expressions.compiler import Expression, ExpressionInvalid, Guards

#: kinds whose values JSON cannot express
_NO_JSON: Final = frozenset({"timestamp", "duration", "bytes", "type"})


class Reach(NamedTuple):
    """What an expression may mention besides the data."""

    event: str | None = None
    #: ``user`` and ``conversation``
    recalls: bool = False
    #: ``item`` and ``index``
    items: bool = False


DATA_ALONE: Final = Reach()


class Checker:
    """One check of a workflow, with its findings so far."""

    def __init__(self, guards: Guards, *, knows_data: bool = True) -> None:
        self.findings: list[Finding] = []
        self._guards = guards
        self._knows_data = knows_data

    def guard(self, text: str, path: Path, reach: Reach) -> None:
        guard = self.expression(text, path, reach)
        if guard and guard.type not in {"bool", "dyn"}:
            self.note(Code.NO_BOOL, f"a guard must be true or false, and this is {a_kind(guard.kind)}", path)

    def value(self, value: Json, schema: Schema, what: str, path: Path, reach: Reach) -> None:
        """Check a literal or CEL for a place that accepts what ``schema`` allows."""
        if not isinstance(value, str):
            for problem in Shape(schema).problems(value, what):
                self.note(Code.MISFIT, f"the value does not fit: {problem}", path)
            return
        expression = self.json(value, path, reach)
        if expression and not fits(expression.kind, schema):
            self.note(Code.MISFIT, misfit(expression.kind, schema, what), path)

    def json(self, value: Json, path: Path, reach: Reach) -> Expression | None:
        """Check that the values of an expression can be stored; returns it if it is right."""
        expression = self.expression(value, path, reach) if isinstance(value, str) else None
        if expression and (why := _unfit_for_json(expression.kind)):
            self.note(Code.NO_JSON, f"{why}: write string(...)", path)
            return None
        return expression

    def one_of(self, text: str, kinds: Collection[str], needed: str, path: Path, reach: Reach) -> None:
        """Check that an expression has one of these kinds; ``needed`` names them in words."""
        expression = self.expression(text, path, reach)
        if expression and expression.type not in {*kinds, "dyn"}:
            message = f"`{path[-1]}` must be {needed}, and this is {a_kind(expression.kind)}"
            self.note(Code.UNFIT_VALUE, message, path)

    def addressee(self, text: str, path: Path, reach: Reach) -> None:
        to = self.expression(text, path, reach)
        if to and to.type not in {"string", "list", "dyn"}:
            message = f"`to` must be a name or a list of names, and this is {a_kind(to.kind)}"
            self.note(Code.NO_ADDRESSEE, message, path)

    def expression(self, text: str, path: Path, reach: Reach) -> Expression | None:
        """``None`` if the expression is wrong, or mentions data about which nothing is known."""
        if self._is_beyond(text):
            return None
        try:
            return self._guards.compile(text, event=reach.event, recalls=reach.recalls, items=reach.items)
        except ExpressionInvalid as invalid:
            self._note_invalid(invalid, path)
            return None

    def prompt(self, text: str, path: Path, reach: Reach) -> None:
        if self._is_beyond(text):
            return
        try:
            self._guards.prompt(text, recalls=reach.recalls)
        except ExpressionInvalid as invalid:
            self._note_invalid(invalid, path)

    def _is_beyond(self, text: str) -> bool:
        return not self._knows_data and "data" in text

    def note(self, code: Code, message: str, path: Path, *, at_key: bool = False) -> None:
        self.findings.append(code.found(message, path, at_key=at_key))

    def _note_invalid(self, invalid: ExpressionInvalid, path: Path) -> None:
        place = (invalid.line, invalid.column)
        self.findings.append(Code.EXPRESSION.found(invalid.message, path, offset=place))


def misfit(kind: Kind, schema: Schema, what: str, root: Schema | None = None) -> str:
    """Why a value of ``kind`` does not fit ``schema``; for a list, why its items do not fit."""
    root = schema if root is None else root
    wanted = json_types(schema, root)
    if kind.name == "list" and kind.item is not None and "array" in wanted:
        return misfit(kind.item, item_schema(schema, root), f"each item of {what}", root)
    hint = _CONVERSIONS.get((kind.name, *(wanted - {"null"})), "")
    types = " or ".join(_TYPES[each] for each in sorted(wanted, key=lambda each: (each == "null", each)))
    return f"{what} must be {types}, and this is {a_kind(kind)}{hint}"


def _unfit_for_json(kind: Kind) -> str:
    """What JSON cannot express of a value of this kind; empty if it can express everything."""
    if kind.name in _NO_JSON:
        return f"this is {a_kind(kind)}, which JSON cannot hold"
    inside = _unfit_for_json(kind.item) if kind.item is not None else ""
    return inside.replace("this", "an item of this list", 1) if inside else ""


def a_kind(kind: Kind) -> str:
    """A kind of CEL in the words of declarations."""
    return _KINDS.get(kind.name, f"a {kind.name}")


_KINDS: Final[Mapping[str, str]] = {
    "bool": "true or false",
    "int": "an integer",
    "uint": "an integer",
    "double": "a number",
    "map": "an object",
    "null": "null",
    "bytes": "bytes",
}
_TYPES: Final[Mapping[str, str]] = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
#: given kinds, needed kind -> how to convert
_CONVERSIONS: Final[Mapping[tuple[str, ...], str]] = {
    ("double", "integer"): ": write int(...)",
    ("int", "string"): ": write string(...)",
    ("double", "string"): ": write string(...)",
    ("bool", "string"): ": write string(...)",
    ("string", "integer"): ": write int(...), or quote a literal twice",
    ("string", "number"): ": write double(...)",
}
