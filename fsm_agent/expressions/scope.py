"""What an expression may mention, and where its value is found: names in scope, read from the workflow's schemas.

Every data field is one dotted variable (``data.amount``), and so is every required property of a non-null object
(``data.trip.goal``), so that a misspelt name is found before anything runs. Optional properties stay in the map of
their object, where ``has()`` can ask for them. A list has its length beside it (``data.options.size``), so that it
can be counted without being handed over.

Built-in actions may *recall*: their expressions mention ``user`` and ``conversation`` too, and those for one child of
several ``item`` and ``index``. What of it they need is read first, and handed over beside the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from typing import Final, NamedTuple, Protocol, TypeAlias, cast, runtime_checkable

from fsm_agent.domain.json import Json, Schema, is_inexact
from fsm_agent.domain.kinds import DEEPEST, DYN, Kind, kind_of, resolved
from fsm_agent.domain.workflow import BUILT_IN_PAYLOADS, Workflow

Values: TypeAlias = Mapping[str, Json]
#: data, event, visits and what is recalled -> the value of one name
Read: TypeAlias = Callable[[Values, Values, Mapping[str, int], Values], Json]

#: what stands behind the name of a list that is only counted
LENGTH: Final = ".size"
VISITS: Final = "visits"

#: of the conversation: how many messages there are, what the last one says, and the window as text
_CONVERSATION: Final[Mapping[str, Schema]] = {
    "count": {"type": "integer"},
    "last": {"type": "string"},
    "text": {"type": "string"},
}

#: CEL cannot spell these after a dot.
_UNSPEAKABLE: Final = frozenset({"in", "true", "false", "null"})


@runtime_checkable
class Counting(Protocol):
    """Data that knows how long its lists are without making them."""

    def size(self, name: str) -> int | None: ...


class Variable(NamedTuple):
    """One dotted name. ``keys`` is the way from the data, the event, or what is recalled, down to its value."""

    root: str
    keys: tuple[str, ...]
    kind: Kind

    @property
    def name(self) -> str:
        return ".".join((self.root, *self.keys))

    def reader(self) -> Read:
        """An integral float counts as an integer in JSON Schema, and an integer as a number: what is read is what
        CEL was promised."""
        if self.root not in ("data", "event"):
            return self._recalling()
        from_event, (first, *rest) = self.root == "event", self.keys
        convert = _CONVERSIONS.get(self.kind.name)
        if not rest and convert is None:
            return (lambda _, event, __, ___: event[first]) if from_event else (lambda data, _, __, ___: data[first])
        if not rest and convert is _integral:
            return _integer_of_event(first) if from_event else _integer_of_data(first)

        def read(data: Values, event: Values, _: Mapping[str, int], __: Values) -> Json:
            value = (event if from_event else data)[first]
            for key in rest:
                value = value[key]
            return value if convert is None else convert(value)

        return read

    def _recalling(self) -> Read:
        """Where nobody is remembered, and for a name that only looks like one of these, there is null."""
        convert = _CONVERSIONS.get(self.kind.name)

        def read(_: Values, __: Values, ___: Mapping[str, int], recalled: Values) -> Json:
            value = recalled.get(self.root)
            for key in self.keys:
                value = value.get(key) if isinstance(value, Mapping) else None
            return value if convert is None else convert(value)

        return read


class Scope:
    """The names that an expression may use. ``event`` is ``None`` where no event is at hand."""

    def __init__(
        self,
        event: str | None,
        variables: Mapping[str, Variable],
        *,
        closed: Mapping[str, frozenset[str]],
        states: frozenset[str],
        recalls: bool,
    ) -> None:
        self.event = event
        self.variables = variables
        #: object -> its properties, where the schema allows no others
        self.closed = closed
        #: paths of states, the keys of ``visits``
        self.states = states
        #: whether ``user`` and ``conversation`` are among the names
        self.recalls = recalls

    @classmethod
    def of(cls, workflow: Workflow, event: str | None, *, recalls: bool = False, items: bool = False) -> Scope:
        """The scope of an expression that ``event`` reaches; an undeclared event has no payload. With ``recalls`` it is
        that of a built-in action, with ``items`` too that of what is said for one child of several."""
        roots: dict[str, Mapping[str, Schema]] = {"data": workflow.data}
        if event is not None:
            payload = workflow.events.get(event, BUILT_IN_PAYLOADS.get(event, {}))
            roots["event"] = {**payload, "name": {"type": "string"}, "by": {"type": ["string", "null"]}}
        if recalls:
            roots |= {"user": workflow.user, "conversation": _CONVERSATION}
        variables = {each.name: each for each in _ITEMS} if items else {}
        closed: dict[str, frozenset[str]] = {}
        for root, fields in roots.items():
            for name, schema in fields.items():
                shape = _perhaps(schema) if root == "user" else schema
                variables.update((each.name, each) for each in _variables(root, (name,), shape, shape))
                closed.update(_closed(f"{root}.{name}", schema, schema))
        return cls(event, variables, closed=closed, states=frozenset(workflow.by_path), recalls=recalls)

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """Name -> kind, for all that may be mentioned as written."""
        return {VISITS: Kind("map", item=Kind("int")), **{name: each.kind for name, each in self.variables.items()}}

    @cached_property
    def lengths(self) -> Mapping[str, Kind]:
        """Name of a list's length -> its kind; the length of null is null."""
        lists = {name: kind for name, kind in self.kinds.items() if kind.name == "list"}
        return {f"{name}{LENGTH}": Kind("int", kind.is_nullable) for name, kind in lists.items()}

    def is_list(self, name: str) -> bool:
        return f"{name}{LENGTH}" in self.lengths

    def reader(self, name: str) -> Read:
        """How to get at the value of a name of ``kinds`` or ``lengths``."""
        if name in self.variables:
            return self.variables[name].reader()
        if name in self.lengths:
            return _length(self.variables[name.removesuffix(LENGTH)])
        unvisited = dict.fromkeys(self.states, 0)

        def visited(_: Values, __: Values, visits: Mapping[str, int], ___: Values) -> Json:
            return {**unvisited, **visits}

        return visited


def _integer_of_data(field: str) -> Read:
    """What most guards compare; read without another call where it is an integer, as it nearly always is."""

    def read(data: Values, _: Values, __: Mapping[str, int], ___: Values) -> Json:
        value = data[field]
        return value if type(value) is int else _integral(value)

    return read


def _integer_of_event(field: str) -> Read:
    def read(_: Values, event: Values, __: Mapping[str, int], ___: Values) -> Json:
        value = event[field]
        return value if type(value) is int else _integral(value)

    return read


def _length(variable: Variable) -> Read:
    """The length of a list; data that knows its lengths is asked, so that a drafted list is not put together."""
    whole, in_data, field = variable.reader(), variable.root == "data" and len(variable.keys) == 1, variable.keys[0]

    def length(data: Values, event: Values, visits: Mapping[str, int], recalled: Values) -> Json:
        if in_data and _counts(type(data)):
            return cast("Counting", data).size(field)
        items = whole(data, event, visits, recalled)
        return None if items is None else len(items)

    return length


@cache
def _counts(kind: type[Values]) -> bool:
    """Whether data of ``kind`` is ``Counting``: to ask each time costs more than to count."""
    return issubclass(kind, Counting)


def _integral(value: Json) -> Json:
    return int(value) if type(value) is float and value.is_integer() else value


def _real(value: Json) -> Json:
    """Data that were kept before such integers were refused may still hold one that no number is equal to."""
    if type(value) is not int:
        return value
    if is_inexact(value):
        raise TypeError(f"{value} is declared as a number, and a number cannot be exactly that")
    return float(value)


_CONVERSIONS: Final[Mapping[str, Callable[[Json], Json]]] = {"int": _integral, "double": _real}

#: one of the values for which children are started, and how many come before it
_ITEMS: Final = (Variable("item", (), DYN), Variable("index", (), Kind("int")))


def _perhaps(schema: Schema) -> Schema:
    """What is remembered of a user may be nothing yet: then a field without default is null."""
    if "default" in schema:
        return schema
    return {"anyOf": [schema, {"type": "null"}], "$defs": schema.get("$defs", {})}


def _variables(root: str, keys: tuple[str, ...], schema: Schema, top: Schema) -> Iterator[Variable]:
    """The variable at ``keys``, and one for every required property below it that is surely there."""
    if not is_speakable(keys[-1]) or len(keys) > DEEPEST:
        return
    kind = kind_of(schema, top)
    yield Variable(root, keys, kind)
    schema = resolved(schema, top)
    if kind.name == "map" and not kind.is_nullable:
        for name in schema.get("required", ()):
            if name in schema.get("properties", {}):
                yield from _variables(root, (*keys, name), schema["properties"][name], top)


def _closed(path: str, schema: Schema, top: Schema, depth: int = 0) -> Iterator[tuple[str, frozenset[str]]]:
    """Objects that have declared properties and no others, at ``path`` and below; recursive schemas end."""
    schema = resolved(schema, top)
    properties = schema.get("properties")
    if not properties or schema.get("additionalProperties") or "patternProperties" in schema or depth > DEEPEST:
        return
    yield path, frozenset(properties)
    for name, below in properties.items():
        yield from _closed(f"{path}.{name}", below, top, depth + 1)


def is_speakable(name: str) -> bool:
    """Whether CEL can spell ``name`` after a dot."""
    return name.isascii() and name.isidentifier() and name not in _UNSPEAKABLE
