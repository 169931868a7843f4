"""The finite view of the data of a workflow: its slots, and what is known of them as an agent goes on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

from fsm_agent.domain.json import Json, Schema, is_nullable
from fsm_agent.domain.workflow import Workflow
from fsm_agent.expressions.compiler import Guards
from fsm_agent.expressions.tree import Call, Constant, Name, Node, names_in, text_of
from fsm_agent.proof.conditions import Comparison, Masks, Split, atoms, comparison, compiled, on_slot, unknown
from fsm_agent.proof.slots import Mask, Slot, Special, cells_of, counts, is_comparable, is_number, is_plain, schema_at

#: text of a condition, and the event that it may look at
Guard = tuple[str, str]

_BY: Final[Schema] = {"type": ["string", "null"]}
_NAME: Final[Schema] = {"type": "string", "pattern": "."}


class Space:
    """The slots of a workflow, in a fixed order. Without ``conditions`` there are none: then a guard can come out
    anyhow."""

    def __init__(self, workflow: Workflow, guards: Guards, conditions: Iterable[Guard] = ()) -> None:
        self.workflow = workflow
        self.guards = guards
        self._splits: dict[Guard, Split] = {}
        #: two slots -> what a copy of the second makes of the first; it takes long to find out where cells are many
        self.copies: dict[tuple[int, int], tuple[list[Mask], bool]] = {}
        self.slots = tuple(self._slots(list(dict.fromkeys(conditions))))
        self._places = {(slot.text, slot.event): place for place, slot in enumerate(self.slots)}

    def tree(self, text: str, event: str | None) -> Node | None:
        """``None`` where nothing is known of an expression."""
        return self.guards.tree(text, event=event)

    def split(self, text: str, event: str) -> Split:
        """What a condition makes of masks."""
        if (text, event) not in self._splits:
            tree = self.tree(text, event)
            self._splits[text, event] = (
                unknown if tree is None else compiled(tree, lambda atom: self._atom(atom, event))
            )
        return self._splits[text, event]

    def place(self, subject: Node, event: str | None) -> int | None:
        """The place of the slot that is ``subject``; ``None`` if none is."""
        return self._places.get((text_of(subject), event if _reads(subject, "event") else None))

    # ----------------------------------------------------------------- masks

    @cached_property
    def fresh(self) -> Masks:
        """Any valid data, any event, any number of visits."""
        return tuple(slot.any for slot in self.slots)

    @cached_property
    def _of_events(self) -> tuple[int, ...]:
        return tuple(place for place, slot in enumerate(self.slots) if slot.event is not None)

    @cached_property
    def _bys(self) -> tuple[int, ...]:
        return tuple(place for place in self._of_events if self.slots[place].text == "event.by")

    @cached_property
    def touched(self) -> Mapping[str, tuple[int, ...]]:
        """Field of the data -> the slots that depend on it."""
        fields = {field for slot in self.slots for field in slot.fields}
        return {
            field: tuple(place for place, slot in enumerate(self.slots) if field in slot.fields) for field in fields
        }

    @cached_property
    def certain(self) -> frozenset[int]:
        """The slots of which each cell of a mask is one that can be: what is known of others says nothing of them."""
        shared = {place for places in self.touched.values() if len(places) > 1 for place in places}
        return frozenset(
            place
            for place, slot in enumerate(self.slots)
            if slot.is_certain and not slot.is_condition and place not in shared
        )

    def is_certain(self, text: str, event: str) -> bool:
        """Whether each way in which a condition comes out is one that can be."""
        tree = self.tree(text, event)
        return tree is not None and all(self._decider(atom, event)[0] in self.certain for atom in atoms(tree))

    def places(self, text: str, event: str) -> frozenset[int]:
        """The slots at which a condition looks."""
        tree = self.tree(text, event)
        found = () if tree is None else (self._decider(atom, event)[0] for atom in atoms(tree))
        return frozenset(place for place in found if place is not None)

    def beginning(self, *, has_defaults: bool) -> Masks:
        """What is known of a new agent's data, before any state is entered: anything valid, or the defaults."""
        masks = list(self.fresh)
        for place, slot in enumerate(self.slots):
            if slot.visits:
                masks[place] = slot.of_value(0)
            elif has_defaults and slot.fields and not slot.is_condition:
                masks[place] = self._default(slot)
        return tuple(masks)

    def _default(self, slot: Slot) -> int:
        """Fields without a default are given, or null where they may be."""
        (field,) = slot.fields
        schema = self.workflow.data[field]
        if "default" not in schema and not is_nullable(schema):
            return slot.any
        value = schema.get("default")
        if slot.text == f"data.{field}":
            return slot.of_value(value)
        if slot.text == f"size(data.{field})":
            return slot.of_value(len(value) if isinstance(value, list) else value)
        return slot.any

    def from_within(self, masks: Masks) -> Masks:
        """What is known where nobody has sent the event: nobody is ``event.by``."""
        return self._set(masks, {place: self.slots[place].of_value(None) for place in self._bys})

    def overwritten(self, masks: Masks, fields: Collection[str]) -> Masks:
        """An action may have written anything into ``fields``, valid or not."""
        places = {place for field in fields for place in self.touched.get(field, ())}
        return self._set(masks, {place: self.slots[place].anything for place in places})

    def settled(self, masks: Masks) -> Masks | None:
        """What is known once a step is committed: the event is gone, and all data are valid. ``None`` if there are no
        such data."""
        settled = list(masks)
        for place in self._of_events:
            settled[place] = self.fresh[place]
        for place, mask in enumerate(settled):
            settled[place] = mask & self.fresh[place]
        return tuple(settled) if all(settled) else None

    def valid(self, masks: Masks, *, unless: Collection[int]) -> Masks:
        """What was known before a step that was committed: what it did not write was valid."""
        return tuple(
            mask if place in unless else mask & fresh
            for place, (mask, fresh) in enumerate(zip(masks, self.fresh, strict=True))
        )

    def entered(self, masks: Masks, paths: Collection[str]) -> Masks:
        """Entering states counts visits."""
        if not self._counting or not paths:
            return masks
        changes = {}
        for place in self._counting:
            slot = self.slots[place]
            if not slot.visits:
                changes[place] = slot.anything
            elif slot.visits in paths:
                changes[place] = slot.shifted(masks[place], 1)
        return self._set(masks, changes)

    @cached_property
    def _counting(self) -> tuple[int, ...]:
        return tuple(place for place, slot in enumerate(self.slots) if slot.visits is not None)

    def _set(self, masks: Masks, changes: Mapping[int, int]) -> Masks:
        if not changes:
            return masks
        return tuple(changes.get(place, mask) for place, mask in enumerate(masks))

    def known(self, masks: Masks) -> dict[str, tuple[Json, ...]]:
        """Text of a slot -> examples of its values, for those of which something is known."""
        pairs = zip(self.slots, masks, self.fresh, strict=True)
        return {slot.text: slot.examples(mask) for slot, mask, fresh in pairs if mask & fresh != fresh}

    # ----------------------------------------------------------------- slots

    def _atom(self, atom: Node, event: str) -> Split:
        place, compared = self._decider(atom, event)
        return unknown if place is None else on_slot(place, self.slots[place], compared)

    def _decider(self, atom: Node, event: str) -> tuple[int | None, Comparison | None]:
        """The slot that decides an atom, and how it is compared; alone, the slot is the atom itself."""
        compared = comparison(atom)
        if compared is not None and self._is_comparable(compared, event):
            return self.place(compared.subject, event), compared
        return self.place(atom, event), None

    def _slots(self, conditions: list[Guard]) -> Iterator[Slot]:
        literals: dict[tuple[Node, str | None], list[Json]] = {}
        opaque: dict[tuple[str, str | None], Node] = {}
        for text, event in conditions:
            tree = self.tree(text, event)
            for atom in () if tree is None else atoms(tree):
                compared = comparison(atom)
                if compared is not None and self._is_comparable(compared, event):
                    key = (compared.subject, event if _reads(compared.subject, "event") else None)
                    literals.setdefault(key, []).extend(compared.literals)
                else:
                    opaque[text_of(atom), event if _reads(atom, "event") else None] = atom
        for (subject, of), known in literals.items():
            yield self._slot(subject, of, known)
        for (text, of), atom in opaque.items():
            yield _condition(text, of, atom)

    def _is_comparable(self, compared: Comparison, event: str) -> bool:
        subject, sign, literals = compared
        schema = self._schema(subject, event)
        if schema is not None:
            return is_comparable(schema, sign, literals)
        return bool(sign) and _is_count(self.workflow, subject, event) and all(map(is_number, literals))

    def _schema(self, subject: Node, event: str | None) -> Schema | None:
        """The schema of a name; ``None`` for what is no name."""
        if not isinstance(subject, Name):
            return None
        root, _, rest = subject.path.partition(".")
        field, *keys = rest.split(".")
        return schema_at(_fields(self.workflow, root, event).get(field, {}), keys)

    def _slot(self, subject: Node, event: str | None, literals: list[Json]) -> Slot:
        text, fields = text_of(subject), _data_fields(subject)
        invalid = (Special.INVALID,) if fields else ()
        schema = self._schema(subject, event)
        if schema is not None:
            cells = (*cells_of(schema, literals), *invalid)
            is_integer = "integer" in str(schema.get("type"))
            is_certain = is_plain(schema) and "." not in text.partition(".")[2]
            return Slot(text, cells, fields, event, is_integer=is_integer, is_certain=is_certain)
        (of, *key) = subject.arguments if isinstance(subject, Call) else ()
        cells = counts(each for each in literals if isinstance(each, int))
        if key:
            state = key[0].value if isinstance(key[0], Constant) else ""
            return Slot(text, cells, visits=str(state), is_integer=True)
        null = (None,) if is_nullable(self._schema(of, event) or {}) else ()
        return Slot(text, (*cells, *null, *invalid), fields, event, is_integer=True)


def _condition(text: str, event: str | None, atom: Node) -> Slot:
    """A condition that is a slot itself."""
    visits = "" if _reads(atom, "visits") else None
    cells = (False, True, Special.ERROR)
    return Slot(text, cells, _data_fields(atom), event, visits, is_condition=True, is_certain=False)


def _fields(workflow: Workflow, root: str, event: str | None) -> Mapping[str, Schema]:
    if root == "data":
        return workflow.data
    if root == "event" and event is not None and workflow.has_payload(event):
        return {**workflow.payload_fields(event), "by": _BY, "name": _NAME}
    return {}


def _is_count(workflow: Workflow, subject: Node, event: str | None) -> bool:
    """Whether this is the length of a list, or how often a state was visited."""
    match subject:
        case Call("_[_]", (Name("visits"), Constant("string", str(path)))):
            return path in workflow.by_path
        case Call("size", (Name(path),)):
            root, _, field = path.partition(".")
            said = _fields(workflow, root, event).get(field, {}).get("type", ())
            types = {said} if isinstance(said, str) else set(said)
            return "array" in types and types <= {"array", "null"}
    return False


def _reads(node: Node, root: str) -> bool:
    return any(name == root or name.startswith(f"{root}.") for name in names_in(node))


def _data_fields(node: Node) -> frozenset[str]:
    return frozenset(name.split(".")[1] for name in names_in(node) if name.startswith("data."))
