"""Values that a schema allows and that expressions can read: what tests and searches try. Pure.

A schema often says less of a value than its readers expect: ``data.plan[0].question`` needs a list with an object in
it. So what expressions reach into is found out first, and values are made with that inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from fsm_agent.data.validation import Shape
from fsm_agent.domain.json import Json, Schema
from fsm_agent.expressions.tree import Call, Constant, Loop, Name, Node, Select, children

#: deeper than this nothing is made
_DEEPEST: Final = 6
_TEXTS: Final = {
    "date": ("2027-01-31",),
    "date-time": ("2027-01-31T12:00:00Z",),
    "time": ("12:00:00Z",),
    "email": ("ana@example.org",),
    "uri": ("https://example.org/",),
    "uuid": ("01234567-89ab-7def-8123-456789abcdef",),
}
#: tried where a pattern or a length is wanted
_MORE_TEXTS: Final = ("x", "", "A-1", "a1", "ABC", "abc-1", "1", "12345", "2027-01-31", "ana@example.org", "x" * 40)
_INTEGERS: Final = (1, 0, 2, 10, 1_000, -1)
_NUMBERS: Final = (1.0, 0.5, 0.0, 1_000.0, -1.0)


@dataclass
class Access:
    """What expressions reach into: the fields of an object, and the items of a list."""

    fields: dict[str, Access] = field(default_factory=dict)
    item: Access | None = None

    def of_item(self) -> Access:
        self.item = self.item or Access()
        return self.item


def accesses(trees: Iterable[Node | None]) -> Mapping[str, Access]:
    """``data.x`` or ``event.x`` -> what expressions reach into there."""
    found: dict[str, Access] = {}
    for tree in trees:
        if tree is not None:
            _visit(tree, {}, found)
    return found


def _visit(node: Node, variables: Mapping[str, Access], found: dict[str, Access]) -> Access | None:
    """What a node gives, if that is something inside a value that is named."""
    match node:
        case Name(path):
            return _named(path, variables, found)
        case Select(operand, name):
            inner = _visit(operand, variables, found)
            return None if inner is None else inner.fields.setdefault(name, Access())
        case Call("_[_]", (operand, key)):
            _visit(key, variables, found)
            return _part(_visit(operand, variables, found), key)
        case Loop(variable, items):
            inner = _visit(items, variables, found)
            variables = {**variables, variable: inner.of_item() if inner else Access()}
    for each in children(node):
        _visit(each, variables, found)
    return None


def _part(inner: Access | None, key: Node) -> Access | None:
    if inner is None:
        return None
    match key:
        case Constant("string", str(name)):
            return inner.fields.setdefault(name, Access())
    return inner.of_item()


def _named(path: str, variables: Mapping[str, Access], found: dict[str, Access]) -> Access | None:
    root, *rest = path.split(".")
    if root in variables:
        inner = variables[root]
    elif root in ("data", "event") and rest:
        inner = found.setdefault(f"{root}.{rest[0]}", Access())
        rest = rest[1:]
    else:
        return None
    for name in rest:
        inner = inner.fields.setdefault(name, Access())
    return inner


def samples(schema: Schema, access: Access | None = None) -> tuple[Json, ...]:
    """Some values that a schema allows, the most telling first; none where no such value is known."""
    rule = Shape(schema)
    tried: list[Json] = []
    for value in _tried(schema, access or Access(), 0):
        if not any(type(value) is type(each) and value == each for each in tried) and not rule.problems(value, ""):
            tried.append(value)
    return tuple(tried)


def sample(schema: Schema, access: Access | None = None) -> Json:
    """One value that a schema allows, or a text where none is known."""
    return next(iter(samples(schema, access)), "x")


def _tried(schema: Schema, access: Access, depth: int) -> Iterator[Json]:
    yield from schema.get("enum", ())
    if "const" in schema:
        yield schema["const"]
    for kind in _kinds(schema, access):
        yield from _of_kind(kind, schema, access, depth)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _tried(branch, access, depth)


def _kinds(schema: Schema, access: Access) -> list[str]:
    """The types of a value; where a schema says none, what its readers expect. Null comes last."""
    said = schema.get("type")
    if said is None:
        return ["object"] if access.fields else ["array"] if access.item else ["string", "integer", "boolean", "null"]
    kinds = [said] if isinstance(said, str) else list(said)
    return sorted(kinds, key=lambda kind: kind == "null")


def _of_kind(kind: str, schema: Schema, access: Access, depth: int) -> Iterator[Json]:
    match kind:
        case "string":
            yield from _TEXTS.get(schema.get("format", ""), ())
            yield from _MORE_TEXTS
            yield "x" * schema.get("minLength", 0)
        case "integer":
            yield from (each for each in _bounds(schema, 1) if isinstance(each, int))
            yield from _INTEGERS
        case "number":
            yield from map(float, _bounds(schema, 0.5))
            yield from _NUMBERS
        case "boolean":
            yield from (False, True)
        case "null":
            yield None
        case "array" if depth < _DEEPEST:
            yield from _lists(schema, access, depth)
        case "object" if depth < _DEEPEST:
            yield _object(schema, access, depth)


def _bounds(schema: Schema, step: float) -> Iterator[float]:
    if "minimum" in schema:
        yield from (schema["minimum"], schema["minimum"] + step)
    if "exclusiveMinimum" in schema:
        yield schema["exclusiveMinimum"] + step
    if "maximum" in schema:
        yield schema["maximum"]
    if "exclusiveMaximum" in schema:
        yield schema["exclusiveMaximum"] - step
    if "multipleOf" in schema:
        yield schema["multipleOf"]


def _lists(schema: Schema, access: Access, depth: int) -> Iterator[Json]:
    """Where somebody reads an item, a list that has one comes first."""
    item = next(_tried(_schema(schema.get("items")), access.item or Access(), depth + 1), "x")
    lengths = [max(1, schema.get("minItems", 0)), 0, 2] if access.item else [schema.get("minItems", 0), 1, 2]
    for length in lengths:
        yield [item] * length


def _object(schema: Schema, access: Access, depth: int) -> Json:
    known: Mapping[str, Schema] = schema.get("properties", {})
    names = dict.fromkeys([*known, *schema.get("required", ()), *access.fields])
    made = {}
    for name in names:
        of, inner = _schema(known.get(name)), access.fields.get(name, Access())
        value = next(iter(samples(of, inner)) if depth == 0 else _tried(of, inner, depth + 1), "x")
        made[name] = value
    return made


def _schema(said: Json) -> Schema:
    """``true`` and ``false`` are schemas, too; they say nothing that helps."""
    return said if isinstance(said, Mapping) else {}
