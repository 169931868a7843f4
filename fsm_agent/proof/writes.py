"""What transitions make of masks. Followed are literals, copies, integers that are counted up or down, and items that
are added to lists. Whatever else is written may be any value that is valid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.json import Json, Schema, without_annotations
from fsm_agent.domain.state import Transition
from fsm_agent.expressions.tree import Call, Constant, ListOf, Name, Node
from fsm_agent.proof.conditions import Masks
from fsm_agent.proof.slots import Gap, Mask, Slot, Special
from fsm_agent.proof.space import Space

#: what is known of a slot after a write, from all that was known before
_New: TypeAlias = Callable[[Masks], Mask]

_ARITHMETIC: Final = frozenset({"_+_", "_-_", "_*_", "_/_", "_%_", "size"})
#: keywords of the schema of a list that an item more can break
_BOUNDS: Final = frozenset({"maxItems", "uniqueItems", "contains", "prefixItems"})


class Writes(NamedTuple):
    """What one transition writes."""

    changes: tuple[tuple[int, _New], ...] = ()
    #: whether every value that is known after it can be one
    is_certain: bool = True
    #: whether it can fail: an expression without a value, or a value that is not valid
    can_fail: bool = False

    def after(self, masks: Masks) -> Masks:
        """All values see the same data, that of before."""
        if not self.changes:
            return masks
        written = list(masks)
        for place, new in self.changes:
            written[place] = new(masks)
        return tuple(written)


def writes_of(space: Space, transition: Transition, event: str, *, is_sent: bool) -> Writes:
    """What a transition writes that ``event`` takes. What is sent may be merged with what its sender has missed."""
    changes: list[tuple[int, _New]] = []
    is_certain, can_fail = True, False
    for field, value in transition.assign.items():
        node, is_merged = _node(space, value, event), is_sent and field in space.workflow.merge
        is_safe, is_followed = _is_valid(space, field, node, event), False
        for place in space.touched.get(field, ()):
            new, is_exact = _unknown(space.slots[place]) if is_merged else _assigned(space, place, field, node, event)
            changes.append((place, new))
            if place in space.certain:  # of what is known of other slots no step is sure
                is_certain, is_followed = is_certain and is_exact, True
        is_certain, can_fail = is_certain and (is_safe or is_followed), can_fail or not is_safe
    for field, item in transition.append.items():
        is_safe = _is_addable(space, field, _node(space, item, event))
        is_merged = is_sent and field in space.workflow.merge
        for place in space.touched.get(field, ()):
            slot = space.slots[place]
            changes.append((place, _unknown(slot)[0] if is_merged else _appended(place, slot, field)))
        is_certain, can_fail = is_certain and is_safe and not is_merged, can_fail or not is_safe
    if space.workflow.model is not None and (transition.assign or transition.append):
        return Writes(tuple(changes), is_certain=False, can_fail=True)  # the model may judge otherwise than its schema
    return Writes(tuple(changes), is_certain, can_fail)


def _is_addable(space: Space, field: str, node: Node | None) -> bool:
    """Whether an item is surely there, and surely fits its list."""
    return isinstance(node, Name | Constant) and space.workflow.data.get(field, {}).keys().isdisjoint(_BOUNDS)


def _node(space: Space, value: Json, event: str | None) -> Node | None:
    """The tree of what is written; of a list that is not CEL only its length counts."""
    match value:
        case str():
            return space.tree(value, event)
        case list():
            return ListOf(tuple(Constant("null", None) for _ in value))
        case None | bool() | int() | float():
            return Constant(type(value).__name__, value)
    return None


def _is_valid(space: Space, field: str, node: Node | None, event: str) -> bool:
    """Whether a value is surely there, and surely fits its field. Literals are looked at before."""
    match node:
        case Constant():
            return True
        case ListOf(items):
            return all(isinstance(each, Constant) for each in items)
        case Name(path):
            root, _, name = path.partition(".")
            fields = space.workflow.data if root == "data" else _payload(space, event)
            source, target = fields.get(name), space.workflow.data.get(field)
            return source is not None and target is not None and _fits(_bare(source), _bare(target))
    return False


def _fits(source: Schema, target: Schema) -> bool:
    """Whether every value of one schema is surely one of another, as of ``string`` and ``string?``: the types are some
    of those that are allowed, and whatever else is asked is asked there too."""
    if source == target:
        return True
    asked = {key: value for key, value in target.items() if key != "type"}
    types = _types(source)
    return bool(types) and types <= _types(target) and all(source.get(key) == value for key, value in asked.items())


def _types(schema: Schema) -> frozenset[str]:
    said = schema.get("type", ())
    return frozenset([said] if isinstance(said, str) else said)


def _payload(space: Space, event: str) -> dict[str, Json]:
    return dict(space.workflow.payload_fields(event)) if space.workflow.has_payload(event) else {}


def _bare(schema: Schema) -> Schema:
    return {key: value for key, value in without_annotations(schema).items() if key != "default"}


def _assigned(space: Space, place: int, field: str, node: Node | None, event: str) -> tuple[_New, bool]:
    """The new mask of a slot, and whether that is exact."""
    slot = space.slots[place]
    new = _unknown(slot)
    match node:
        case ListOf(items) if slot.text == f"size(data.{field})":
            new = _constant(slot.of_value(len(items)))
        case _ if slot.text != f"data.{field}":
            pass
        case Constant(_, value):
            new = _constant(slot.of_value(value))
        case Call("_+_" | "_-_" as sign, (Name(path), Constant("int", int(number)))) if path == slot.text:
            if slot.is_integer:
                new = _shifted(place, slot, number if sign == "_+_" else -number)
        case Name(path):
            source = space.place(node, event)
            if source is not None:
                mask, is_exact = _copied(space, place, source)
                new = mask, is_exact and source in space.certain
            elif path.startswith("event."):
                new = _given(space, slot, field, _payload(space, event).get(path.partition(".")[2])) or new
        case Call(function) if function in _ARITHMETIC and None in slot.cells:
            new = _constant(slot.any & ~slot.of_value(None))[0], False
    return new


def _constant(mask: Mask) -> tuple[_New, bool]:
    return (lambda _: mask), mask.bit_count() == 1


def _unknown(slot: Slot) -> tuple[_New, bool]:
    mask = slot.anything if slot.is_condition else slot.any
    return (lambda _: mask), False


def _shifted(place: int, slot: Slot, by: int) -> tuple[_New, bool]:
    """Exact as long as every integer is a cell."""
    is_exact = not any(isinstance(cell, Gap) for cell in slot.cells)
    return (lambda masks: slot.shifted(masks[place], by)), is_exact


def _copied(space: Space, place: int, source: int) -> tuple[_New, bool]:
    """After a copy two slots have one value, which masks cannot say; but of an event nothing is known any more."""
    if (place, source) not in space.copies:
        space.copies[place, source] = _copies(space.slots[place], space.slots[source])
    cells, is_exact = space.copies[place, source]

    def copied(masks: Masks) -> Mask:
        mask = 0
        for at, cell in enumerate(cells):
            if masks[source] >> at & 1:
                mask |= cell
        return mask

    return copied, is_exact


def _copies(slot: Slot, original: Slot) -> tuple[list[Mask], bool]:
    """For each cell of ``original`` where its values lie in ``slot``, and whether every value there can be one."""
    is_exact, cells = original.event is not None, []
    for cell in original.cells:
        if isinstance(cell, Gap):
            mask = slot.overlapped(cell)
            is_exact = is_exact and all(map(cell.contains, slot.chosen(mask)))
        else:
            mask = 0 if isinstance(cell, Special) else slot.of_value(cell)
        is_exact = is_exact and bool(mask)
        cells.append(mask or slot.any)
    return cells, is_exact


def _given(space: Space, slot: Slot, field: str, source: Schema | None) -> tuple[_New, bool] | None:
    """Of what an event brings and no guard looks at: any value of the field, null only if that may be sent. ``None``
    unless both have the same schema but for that."""
    if source is None:
        return None
    sent, kept = _bare(source), _bare(space.workflow.data[field])
    types = _types(sent)
    if {**sent, "type": ()} != {**kept, "type": ()} or _types(kept) - {"null"} != types - {"null"}:
        return None
    no_null = slot.where(lambda cell: cell is not None)
    return _constant(slot.any if "null" in types else slot.any & no_null)[0], types <= _types(kept)


def _appended(place: int, slot: Slot, field: str) -> _New:
    if slot.text != f"size(data.{field})":
        return lambda _: slot.anything
    null = slot.of_value(None) if None in slot.cells else 0

    def appended(masks: Masks) -> Mask:
        grown = slot.shifted(masks[place], 1)
        return grown | slot.of_value(1) if masks[place] & null else grown

    return appended
