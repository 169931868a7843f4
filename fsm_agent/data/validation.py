"""Validation of data and payloads against their schemas, without pydantic: only changes are checked.

``jsonschema_rs`` compiles each validator once per workflow, when it is first needed. A change deep inside a field is
checked against the schema of its place, if that schema alone decides; otherwise the whole field is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from fsm_agent.data.delta import escape, own, place, segments
from fsm_agent.data.limit import DEFAULT_LIMIT, DataLimit
from fsm_agent.data.violations import Violation, inexact_numbers, violations_of
from fsm_agent.domain.json import Json, Schema, is_required, object_schema
from fsm_agent.domain.step import Delta
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.domain.workflow import BUILT_IN_PAYLOADS, Workflow
from fsm_agent.errors import DataInvalid, PayloadInvalid

#: With these keywords, a part may depend on its siblings, so only the whole can be checked.
_ENTANGLING: Final = frozenset(
    {"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas",
     "dependentRequired", "unevaluatedProperties", "unevaluatedItems", "patternProperties", "propertyNames",
     "minProperties", "maxProperties", "uniqueItems", "contains", "prefixItems", "maxItems", "enum", "const"}
)  # fmt: skip


_ANYTHING: Final[Schema] = {}

_MERE_TYPE: Final = frozenset({"type", "default", "title", "description"})
_TYPES: Final[Mapping[str, type]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
    "object": dict,
    "array": list,
}


class Shape:
    """One schema. Its validator is compiled when it is first needed."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        #: Python types whose values are always valid, so that no validator is needed
        self.accepts = _accepted(schema)

    @cached_property
    def _validator(self) -> Any:
        return _compiled(self.schema)

    def problems(self, value: Json, where: str) -> list[str]:
        """One sentence for each way in which ``value`` breaks the schema; empty if it does not."""
        if type(value) in self.accepts:
            return []
        return [
            f"{place('/'.join(filter(None, (where, *map(escape, way))))) or 'the payload'}: {message}"
            for way, _, _, message in self.violations(value)
        ]

    def violations(self, value: Json) -> list[Violation]:
        """Each way in which ``value`` breaks the schema; empty if it does not."""
        if self._validator.is_valid(value):
            return inexact_numbers(value, self.schema) if self._has_numbers else []
        return [each for error in self._validator.iter_errors(value) for each in violations_of(error)]

    @cached_property
    def _has_numbers(self) -> bool:
        return "'number'" in repr(self.schema)

    def part(self, way: list[str]) -> Schema | None:
        """The schema that alone decides about the value at ``way``; ``None`` if the whole must be checked."""
        if self._refers:
            return None
        schema: Json = self.schema
        for key in way:
            if not isinstance(schema, Mapping) or not _ENTANGLING.isdisjoint(schema):
                return None
            properties = schema.get("properties", {})
            if "items" in schema and key.isdecimal():
                schema = schema["items"]
            else:
                schema = properties[key] if key in properties else schema.get("additionalProperties", True)
        return _ANYTHING if schema is True else schema if isinstance(schema, Mapping) else None

    @cached_property
    def _refers(self) -> bool:
        """Whether the schema refers to definitions, which are missing in a part."""
        return _mentions_ref(self.schema)


def _accepted(schema: Schema) -> frozenset[type]:
    """The Python types that a schema accepts, if it restricts nothing but ``type``."""
    if not schema.keys() <= _MERE_TYPE:
        return frozenset()
    kind = schema.get("type", ())
    kinds: list[str] = kind if isinstance(kind, list) else [kind]
    return frozenset(_TYPES[each] for each in kinds if each in _TYPES)


class DataRules:
    """The rules for the data of a workflow, or for what it remembers of users; ``declared`` is field -> JSON Schema."""

    def __init__(
        self,
        declared: Mapping[str, Schema],
        *,
        model: Callable[[Mapping[str, Json]], None] | None = None,
        note: str | None = None,
        limit: DataLimit = DEFAULT_LIMIT,
    ) -> None:
        """``model`` checks all values together; ``note`` is added to error messages."""
        self._limit = limit
        self._fields = {name: Shape(schema) for name, schema in declared.items()}
        #: id of a schema -> its shape; the schema lives as long as the workflow, and the items of a list share one
        self._parts: dict[int, Shape] = {}
        self._model = model
        self._note = note

    def initial(self, given: Mapping[str, Json]) -> dict[str, Json]:
        """All fields at creation: the given value, or the default, or null. Raises ``DataInvalid``."""
        problems = list(_unknown(given, self._fields))
        values: dict[str, Json] = {}
        for name, shape in self._fields.items():
            if name in given:
                values[name] = own(given[name], name, 1)
                problems += shape.problems(values[name], name)
            elif is_required(shape.schema):
                problems.append(_missing(name))
            else:
                values[name] = own(shape.schema.get("default"), name, 1)
        if problems:
            raise DataInvalid(problems)
        self._limit.require(values)
        if self._model is not None:
            self._model(dict(values))
        return values

    def recalled(self, kept: Mapping[str, Json]) -> dict[str, Json]:
        """The declared fields of ``kept``, which may hold fields of other workflows. A missing field gets its default,
        or null. Raises ``DataInvalid``."""
        values = {
            name: own(kept[name] if name in kept else shape.schema.get("default"), name, 1)
            for name, shape in self._fields.items()
        }
        problems = [each for name in values if name in kept for each in self._fields[name].problems(values[name], name)]
        if problems:
            raise DataInvalid(problems)
        return values

    def problems(self, name: str, value: Json) -> list[str]:
        """What is wrong with the value of one declared field, according to its own schema."""
        return self._fields[name].problems(value, name)

    def check(self, delta: Delta, view: Mapping[str, Json]) -> None:
        """Check the changes of ``delta``; ``view`` is the data with these changes. Raises ``DataInvalid``."""
        problems: list[str] = []
        for pointer, value in delta.set.items():
            field = self._fields.get(pointer)
            if field is None or type(value) not in field.accepts:
                problems += self._problems(pointer, value, view)
        if delta.remove or delta.append:
            problems += self._problems_beside_set(delta, view)
        if problems:
            raise DataInvalid(problems if self._note is None else [*problems, self._note])
        if self._model is not None and delta:
            self._model(dict(view))

    def _problems_beside_set(self, delta: Delta, view: Mapping[str, Json]) -> Iterator[str]:
        """What is wrong after the removals and appends of ``delta``."""
        for pointer in delta.remove:
            name = segments(pointer)[0]
            yield from self._fields[name].problems(view[name], name)
        for pointer, items in delta.append.items():
            yield from self._problems_of_items(pointer, items, view)

    def _problems(self, pointer: str, value: Json, view: Mapping[str, Json]) -> list[str]:
        if "/" not in pointer:
            return self._fields[pointer].problems(value, pointer)
        field, _, way = pointer.partition("/")
        part = self._part(field, way)
        return self._fields[field].problems(view[field], field) if part is None else part.problems(value, pointer)

    def _problems_of_items(self, pointer: str, items: list[Json], view: Mapping[str, Json]) -> list[str]:
        field, _, way = pointer.partition("/")
        part = self._part(field, f"{way}/0" if way else "0")
        if part is None:
            return self._fields[field].problems(view[field], field)
        return [problem for item in items for problem in part.problems(item, f"{pointer}/-")]

    def _part(self, field: str, way: str) -> Shape | None:
        """The shape of a place inside a field; it is compiled once."""
        schema = self._fields[field].part(segments(way))
        return None if schema is None else self._parts.setdefault(id(schema), Shape(schema))


class PayloadRules:
    """The rules for the payloads of one workflow's events."""

    def __init__(self, workflow: Workflow, limit: DataLimit = DEFAULT_LIMIT) -> None:
        self._limit = limit
        #: event -> its payload fields
        self._fields = {**BUILT_IN_PAYLOADS, **workflow.events}
        self._shapes: dict[str, Shape] = {}

    def complete(self, event: str, payload: Mapping[str, Json]) -> dict[str, Json]:
        """A validated copy of ``payload`` in which each missing field has its default or null.

        Raises ``PayloadInvalid``; ``event`` must be declared or built in.
        """
        fields = self._fields[event]
        if not payload and not fields and isinstance(payload, dict):
            return {}
        if not isinstance(payload, Mapping):
            raise PayloadInvalid(event, [f"it is {type(payload).__name__}, and must be an object"])
        try:
            values: dict[str, Json] = own(dict(payload))
            self._limit.require(values)
        except DataInvalid as error:
            raise PayloadInvalid(event, error.problems) from None
        shape = self._shapes.get(event) or self._shapes.setdefault(event, Shape(object_schema(fields)))
        if problems := shape.problems(values, ""):
            raise PayloadInvalid(event, [*_explained(values, fields)] or problems)
        for name, schema in fields.items():
            values.setdefault(name, own(schema.get("default")))
        return values


def _explained(values: Mapping[str, Json], fields: Mapping[str, Schema]) -> Iterator[str]:
    """What is wrong with a payload, field by field: the validator of the whole does not name what is allowed."""
    yield from _unknown(values, fields)
    for name, schema in fields.items():
        if name in values:
            yield from Shape(schema).problems(values[name], name)
        elif is_required(schema):
            yield _missing(name)


def _unknown(values: Mapping[str, Json], fields: Collection[str]) -> Iterator[str]:
    for name in values:
        if name not in fields:
            yield f"there is no field {name!r}{did_you_mean(name, fields)}; declared: {listed(fields)}"


def _missing(name: str) -> str:
    return f"{name} must be given: it has no default and may not be null"


def schema_problem(schema: Json) -> str | None:
    """Why ``schema`` is not a valid JSON Schema, in a sentence; ``None`` if it is one."""
    import jsonschema_rs

    try:
        _compiled(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        return str(getattr(error, "message", error)).splitlines()[0]
    return None


def _mentions_ref(schema: Json) -> bool:
    match schema:
        case dict():
            return "$ref" in schema or "$dynamicRef" in schema or any(map(_mentions_ref, schema.values()))
        case list():
            return any(map(_mentions_ref, schema))
        case _:
            return False


def _compiled(schema: Schema) -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(dict(schema), validate_formats=True, retriever=_retrieve_nothing)


def _retrieve_nothing(uri: str) -> Json:
    """Raises: a schema may only refer to its own parts, and nothing is fetched."""
    raise ValueError(f"$ref {uri!r} points outside the schema")
