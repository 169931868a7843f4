"""What breaks a schema is told with its place, for whoever shows it beside its field."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_agent.data.validation import Shape
from fsm_agent.domain.json import Json

LEG = {"type": "object", "properties": {"a/b": {"type": "number", "minimum": 3}}, "required": ["a/b"]}


@pytest.mark.parametrize(
    ("schema", "value", "found"),
    [
        (LEG, {"a/b": 3}, []),
        (LEG, {"a/b": 1}, [(("a/b",), "minimum", 3)]),
        (LEG, {}, [((), "required", "a/b")]),
        (LEG, {"a/b": 2**53 + 1}, [(("a/b",), "type", "number")]),
        ({"items": {"items": LEG}}, [[{}, {"a/b": 2**53 + 1}]], [((0, 0), "required", "a/b")]),
        ({"items": {"items": LEG}}, [[], [{"a/b": 2**53 + 1}]], [((1, 0, "a/b"), "type", "number")]),
        ({"anyOf": [LEG, {"type": "null"}]}, {"a/b": 1}, [(("a/b",), "minimum", 3)]),
        ({"anyOf": [{"type": "null"}, {"oneOf": [LEG]}]}, {"a/b": 1}, [(("a/b",), "minimum", 3)]),
    ],
)
def test_a_violation_has_the_place_the_keyword_and_what_it_demands(
    schema: dict[str, Any], value: Json, found: list[Any]
) -> None:
    assert [each[:3] for each in Shape(schema).violations(value)] == found


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x"),
        ({"anyOf": [{"minimum": 3}, {"const": 0}]}, 1),
        ({"oneOf": [{"type": "integer"}, {"minimum": 0}]}, 1),
    ],
)
def test_a_union_of_which_no_branch_is_the_only_possible_one_speaks_for_itself(
    schema: dict[str, Any], value: Json
) -> None:
    [found] = Shape(schema).violations(value)
    assert (found.way, found.keyword) == ((), next(iter(schema)))


def test_a_property_whose_name_has_a_slash_is_one_place() -> None:
    assert Shape(LEG).problems({"a/b": 1}, "leg") == ["leg.a/b: 1 is less than the minimum of 3"]
