"""Schemas as payloads have them, with values that are valid by them, made by chance."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fsm_agent.domain.json import Json, Schema

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ANY_JSON: SearchStrategy[Json] = st.recursive(
    LEAVES | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
#: characters that something on the way could change
ODD_TEXT = st.text(st.sampled_from("ab \t\n\r\0\x1b\x85'\"<&>%+\u2028\u202e\u05d0\ufffe\U0001f600"), max_size=8)
TEXTS = st.text(max_size=12) | ODD_TEXT
NAMES = st.text(max_size=6) | st.sampled_from(["", " ", "~", "/", "a/b~c", "0", "<b>", 'x"y', "_add", "row:", "title"])


class Valid(NamedTuple):
    """A schema, and values that are valid by it."""

    schema: dict[str, Any]
    values: SearchStrategy[Json]


def _offset_times() -> SearchStrategy[str]:
    offsets = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
    times = st.datetimes(timezones=offsets | st.just(UTC)).map(datetime.isoformat)
    return times | times.map(lambda text: text.replace("+00:00", "Z"))


@st.composite
def _strings(draw: DrawFn) -> Valid:
    least = draw(st.integers(0, 3))
    most = draw(st.none() | st.integers(least, 120))
    limits = {"minLength": least, "maxLength": most} if most is not None else {"minLength": least} if least else {}
    return Valid(
        {"type": "string", **limits}, TEXTS.filter(lambda text: least <= len(text) <= (999 if most is None else most))
    )


@st.composite
def _numbers(draw: DrawFn, kind: str) -> Valid:
    least = draw(st.none() | st.integers(-(2**53), 2**53) | st.sampled_from([0, 1, 0.5, -2.5]))
    bound = {} if least is None else {draw(st.sampled_from(["minimum", "exclusiveMinimum"])): least}
    values: SearchStrategy[Json] = st.integers(-(2**63), 2**63 - 1) if kind == "integer" else (
        st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
    )  # fmt: skip
    return Valid({"type": kind, **bound}, values.filter(lambda value: least is None or value > least))


@st.composite
def _choices(draw: DrawFn) -> Valid:
    texts = st.text(max_size=4) | st.sampled_from(["1", "true", "null", "", "on"])
    values = draw(st.lists(LEAVES | texts, min_size=1, max_size=7, unique_by=repr))
    match draw(st.sampled_from(["enum", "const", "union"])):
        case "enum":
            return Valid({"enum": values}, st.sampled_from(values))
        case "const":
            return Valid({"const": values[0]}, st.just(values[0]))
        case _:
            named = [{"const": value, "title": f"{place}."} for place, value in enumerate(values)]
            return Valid({"anyOf": named}, st.sampled_from(values))


SCALARS: SearchStrategy[Valid] = st.one_of(
    _strings(),
    _numbers("integer"),
    _numbers("number"),
    st.just(Valid({"type": "boolean"}, st.booleans())),
    st.just(Valid({"type": "string", "format": "date"}, st.dates().map(date.isoformat))),
    st.just(Valid({"type": "string", "format": "date-time"}, _offset_times())),
    st.just(Valid({"type": "string", "format": "email"}, st.sampled_from(["a@b.org", '"a b"@b.org']))),
    st.just(Valid({"type": "string", "pattern": "^[A-Z]-[0-9]+$"}, st.from_regex(r"\A[A-Z]-[0-9]+\Z"))),
    _choices(),
)
ANYTHING = st.sampled_from([
    Valid({}, ANY_JSON),
    Valid({"type": "object"}, st.dictionaries(st.text(max_size=3), ANY_JSON, max_size=3)),
    Valid({"type": "array"}, st.lists(ANY_JSON, max_size=3)),
    Valid({"type": ["integer", "string"]}, st.integers(0, 9) | TEXTS),
    Valid({"oneOf": [{"type": "integer"}, {"type": "string"}]}, st.integers(0, 9) | TEXTS),
    Valid({"type": "object", "additionalProperties": {"type": "null"}}, st.dictionaries(st.text(), st.none())),
    Valid({"type": "null"}, st.none()),
])  # fmt: skip


@st.composite
def _lists(draw: DrawFn, items: SearchStrategy[Valid]) -> Valid:
    item = draw(items)
    least = draw(st.sampled_from([0, 0, 1]))
    return Valid({"type": "array", "items": item.schema, **({"minItems": 1} if least else {})},
                 st.lists(item.values, min_size=least, max_size=3))  # fmt: skip


@st.composite
def _objects(draw: DrawFn, parts: SearchStrategy[Valid]) -> Valid:
    fields = draw(st.dictionaries(NAMES, parts, max_size=4))
    required = draw(st.sets(st.sampled_from(sorted(fields)))) if fields else set()
    more = draw(st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": True}]))
    extra = {"another": ANY_JSON} if more.get("additionalProperties", True) and "another" not in fields else {}
    schema = {"type": "object", "properties": {name: each.schema for name, each in fields.items()},
              "required": sorted(required), **more}  # fmt: skip
    values = st.fixed_dictionaries(
        {name: fields[name].values for name in required},
        optional={**{name: each.values for name, each in fields.items() if name not in required}, **extra},
    )
    return Valid(schema, values)


@st.composite
def _perhaps_null(draw: DrawFn, part: Valid) -> Valid:
    """The schema as it is, or with null, or with a default."""
    values = part.values | st.none()
    match draw(st.sampled_from(["as it is", "type", "union", "default"])):
        case "type" if isinstance(part.schema.get("type"), str) and part.schema["type"] != "null":
            return Valid({**part.schema, "type": [part.schema["type"], "null"]}, values)
        case "union":
            return Valid({"anyOf": [part.schema, {"type": "null"}]}, values)
        case "default":
            return Valid({**part.schema, "default": draw(part.values)}, part.values)
        case _:
            return part


PARTS: SearchStrategy[Valid] = st.recursive(
    (SCALARS | ANYTHING).flatmap(_perhaps_null),
    lambda inner: (_lists(inner) | _objects(inner)).flatmap(_perhaps_null),
    max_leaves=6,
)


class Example(NamedTuple):
    """The fields of a payload, and a payload that is valid by them."""

    fields: dict[str, Schema]
    payload: dict[str, Json]


@st.composite
def examples(draw: DrawFn) -> Example:
    from fsm_agent.domain.json import object_schema

    parts = draw(st.dictionaries(NAMES, PARTS, max_size=4))
    fields = {name: part.schema for name, part in parts.items()}
    required = object_schema(fields)["required"]
    values = st.fixed_dictionaries(
        {name: parts[name].values for name in required},
        optional={name: part.values for name, part in parts.items() if name not in required},
    )
    return Example(fields, draw(values))
