"""Hypothesis strategies for what a workflow's schemas allow; values on which guards turn come often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from hypothesis import strategies as st

from fsm_agent.data.validation import Shape
from fsm_agent.domain.json import INT64_MAX, INT64_MIN, Json, Schema, is_required
from fsm_agent.proof.model import Model
from fsm_agent.proof.samples import samples

_LONGEST: Final = 12
_WIDEST: Final = 3
_DEEPEST: Final = 3


class Values:
    """Strategies for the payloads and the data of one workflow."""

    def __init__(self, model: Model) -> None:
        self._workflow = model.workflow
        self._space = model.space
        self._data: dict[str, st.SearchStrategy[Json]] = {}

    def of_data(self, field: str) -> st.SearchStrategy[Json]:
        """The values of one field of the data."""
        if field not in self._data:
            self._data[field] = self._of(self._workflow.data[field], f"data.{field}", None)
        return self._data[field]

    def of_writes(self, fields: Iterable[str]) -> st.SearchStrategy[dict[str, Json]]:
        """What an action writes: some of these fields."""
        known = {field: self.of_data(field) for field in fields if field in self._workflow.data}
        return st.fixed_dictionaries({}, optional=known)

    def of_payload(self, event: str) -> st.SearchStrategy[dict[str, Json]]:
        fields = self._workflow.events.get(event, {})
        known = {name: self._of(schema, f"event.{name}", event) for name, schema in fields.items()}
        needed = {name: each for name, each in known.items() if is_required(fields[name])}
        return st.fixed_dictionaries(
            needed, optional={name: each for name, each in known.items() if name not in needed}
        )

    def _of(self, schema: Schema, text: str, event: str | None) -> st.SearchStrategy[Json]:
        """Values on which guards turn, samples, and any that the schema allows."""
        rule = Shape(schema)
        turning = [
            value
            for slot in self._space.slots
            if slot.text == text and slot.event == event
            for value in slot.examples(slot.any)
        ]
        plain = [value for value in (*turning, *samples(schema)) if not rule.problems(value, "")]
        anything = of_schema(schema).filter(lambda value: not rule.problems(value, ""))
        return st.one_of(st.sampled_from(plain), anything) if plain else anything


def of_schema(schema: Schema, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that most likely fit a schema; whoever uses them looks."""
    if "enum" in schema:
        return st.sampled_from(list(schema["enum"]))
    if "const" in schema:
        return st.just(schema["const"])
    for union in ("anyOf", "oneOf"):
        if schema.get(union):
            return st.one_of(*(of_schema(branch, depth) for branch in schema[union]))
    kinds = schema.get("type", ["string", "integer", "boolean", "null"])
    return st.one_of(*(_of_kind(kind, schema, depth) for kind in ([kinds] if isinstance(kinds, str) else kinds)))


def _of_kind(kind: str, schema: Schema, depth: int) -> st.SearchStrategy[Any]:
    made: st.SearchStrategy[Any]
    match kind:
        case "integer":
            made = st.integers(int(schema.get("minimum", INT64_MIN)), int(schema.get("maximum", INT64_MAX)))
        case "number":
            low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
            made = st.floats(low, high, allow_nan=False, allow_infinity=False, width=64)
        case "boolean":
            made = st.booleans()
        case "null":
            made = st.none()
        case "array":
            made = _lists(schema, depth)
        case "object":
            made = _objects(schema, depth)
        case _:
            made = _texts(schema)
    return made


def _texts(schema: Schema) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.from_regex(str(schema["pattern"]))
    if schema.get("format") == "date":
        return st.dates().map(str)
    least = schema.get("minLength", 0)
    return st.text(min_size=least, max_size=schema.get("maxLength", least + _LONGEST))


def _lists(schema: Schema, depth: int) -> st.SearchStrategy[list[Any]]:
    least = schema.get("minItems", 0)
    if depth >= _DEEPEST:
        return st.just([])
    most = min(schema.get("maxItems", least + _WIDEST), least + _WIDEST)
    return st.lists(of_schema(_mapping(schema.get("items")), depth + 1), min_size=least, max_size=most)


def _objects(schema: Schema, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    known: Mapping[str, Json] = schema.get("properties", {})
    if depth >= _DEEPEST:
        return st.just({})
    parts = {name: of_schema(_mapping(each), depth + 1) for name, each in known.items()}
    needed = {name: each for name, each in parts.items() if name in schema.get("required", ())}
    return _dictionaries(parts, needed)


def _dictionaries(
    known: Mapping[str, st.SearchStrategy[Any]], needed: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    optional = {name: each for name, each in known.items() if name not in needed}
    return st.fixed_dictionaries(dict(needed), optional=optional)


def _mapping(said: Json) -> Schema:
    return said if isinstance(said, Mapping) else {}
