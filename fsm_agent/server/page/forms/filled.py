"""The texts that the controls of a form hold: for a value, or for none but defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.server.page.forms import names
from fsm_agent.server.page.forms.controls import (
    ABSENT,
    Empty,
    Field,
    Fixed,
    Group,
    Option,
    Raw,
    Rows,
    Several,
    Tick,
    Time,
)
from fsm_agent.server.page.forms.leaves import is_same, text_of, value_of, written, zone_of
from fsm_agent.server.page.forms.names import Typed, inside

Pairs: TypeAlias = list[tuple[str, str]]

#: an empty list starts with at most so many rows, however many it must have
_FIRST_ROWS: Final = 10
#: a list of more rows than a person can look through is shown as JSON
_MOST_ROWS: Final = 200


def filled(form: Field, payload: Json = ABSENT) -> Typed:
    """What the controls hold for a payload; without one, the defaults of the schema."""
    return gathered(_fresh(form, "") if payload is ABSENT else _pairs(form, "", payload))


def new_row(item: Field, pointer: str) -> Typed:
    """What the controls of a new row hold."""
    return gathered([(names.row_name(pointer), ""), *_fresh(item, pointer)])


def new_object(field: Field, pointer: str) -> Typed:
    """What the controls of an optional object hold when it is added."""
    return gathered([(names.given_name(pointer), ""), *_fresh_parts(field, pointer)])


def gathered(pairs: Iterable[tuple[str, str]]) -> Typed:
    """Pairs of names and texts, by their names."""
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        found.setdefault(name, []).append(text)
    return {name: tuple(texts) for name, texts in found.items()}


def _fresh(field: Field, pointer: str) -> Pairs:
    """What a field holds before anybody has typed anything."""
    if field.default not in (ABSENT, ""):  # an empty text is what an empty control shows anyway
        return _pairs(field, pointer, field.default)
    return _fresh_parts(field, pointer) if field.is_always_there else []


def _fresh_parts(field: Field, pointer: str) -> Pairs:
    match field.control:
        case Group(fields):
            return [pair for inner in fields for pair in _fresh(inner, inside(pointer, inner.name))]
        case Rows(item, least):
            places = [inside(pointer, index) for index in range(min(least, _FIRST_ROWS))]
            return [pair for place in places for pair in [(names.row_name(place), ""), *_fresh(item, place)]]
        case _:
            return []


def _pairs(field: Field, pointer: str, value: Json) -> Pairs:
    """What a field holds for a value. Where its control cannot hold the value, it gives way to one for JSON."""
    if value is None and field.is_nullable and not isinstance(field.control, Raw):
        return [(names.null_name(pointer), names.TICKED)] if field.says_null else []
    pairs = _held(field, pointer, value)
    return [(names.json_name(pointer), written(value))] if pairs is None else pairs


def _held(field: Field, pointer: str, value: Json) -> Pairs | None:
    match field.control, value:
        case Group(fields), dict():
            return _of_object(field, fields, pointer, value)
        case Rows(item), list():
            return _of_list(field, item, pointer, value)
        case Several(options), list():
            return _of_boxes(field, options, pointer, value)
        case Tick(on, off), _:
            return [(pointer, names.TICKED)] if is_same(on, value) else [] if off is value else None
        case Fixed(fixed), _:
            return [] if is_same(fixed, value) else None
        case _:
            return _of_leaf(field, pointer, value)


def _of_object(field: Field, fields: tuple[Field, ...], pointer: str, value: Mapping[str, Json]) -> Pairs | None:
    if not value.keys() <= {each.name for each in fields}:
        return None
    pairs = [] if field.is_always_there else [(names.given_name(pointer), "")]
    for each in fields:
        if each.name in value:
            pairs += _pairs(each, inside(pointer, each.name), value[each.name])
        elif each.falls_back:
            pairs += _pairs(each, inside(pointer, each.name), each.default)
    return pairs


def _of_list(field: Field, item: Field, pointer: str, value: list[Json]) -> Pairs | None:
    if len(value) > _MOST_ROWS:
        return None
    pairs = [] if value else _empty(field, pointer)
    for index, each in enumerate(value):
        place = inside(pointer, index)
        pairs += [(names.row_name(place), ""), *_pairs(item, place, each)]
    return pairs


def _of_boxes(field: Field, options: tuple[Option, ...], pointer: str, value: list[Json]) -> Pairs | None:
    """The boxes that are ticked. They cannot say a value twice, or in another order."""
    ticked = [each for each in options if any(is_same(each.value, item) for item in value)]
    if not is_same([each.value for each in ticked], value):
        return None
    return [(pointer, each.text) for each in ticked] or _empty(field, pointer)


def _of_leaf(field: Field, pointer: str, value: Json) -> Pairs | None:
    text = text_of(field.control, value)
    if text is None:
        return None
    if text == "":
        return _empty(field, pointer)
    zone = zone_of(value) if isinstance(field.control, Time) else ""
    try:
        is_read_back = is_same(value_of(field.control, text, zone), value)
    except ValueError:
        return None
    return [(pointer, text), *([(names.zone_name(pointer), zone)] if zone else [])] if is_read_back else None


def _empty(field: Field, pointer: str) -> Pairs:
    """How an empty text or list is said, where an empty control would mean something else."""
    return [] if field.empty is Empty.VALUE else [(names.given_name(pointer), "")]
