"""Scopes: the names that an expression may mention, read from the schemas of the workflow, and where their values are.

Each data field is one dotted variable (``data.amount``). So is each required property of a non-null object
(``data.trip.goal``), so that a misspelt name is found before anything runs. Optional properties stay in the map of
their object, where ``has()`` can ask for them. A list has a second variable for its length (``data.options.size``), so
that it can be counted without being handed over.

Expressions of built-in actions may *recall*: they may also mention ``user`` and ``conversation``, and those for one
child of several ``item`` and ``index``. The values that they need are read first, and handed over beside the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from typing import Final, NamedTuple, Protocol, TypeAlias, cast, runtime_checkable

from fsm_agent.domain.json import Json, Schema, is_inexact
from fsm_agent.domain.kinds import DEEPEST, DYN, Kind, kind_of, resolved
from fsm_agent.domain.workflow import BUILT_IN_PAYLOADS, Workflow

Values: TypeAlias = Mapping[str, Json]
#: reads the value of one name from data, event, visits and recalled values
Read: TypeAlias = Callable[[Values, Values, Mapping[str, int], Values], Json]

#: suffix of a list's name that means its length
LENGTH: Final = ".size"
VISITS: Final = "visits"

#: properties of the conversation: the number of messages, the text of the last one, and the window as text
_CONVERSATION: Final[Mapping[str, Schema]] = {
    "count": {"type": "integer"},
    "last": {"type": "string"},
    "text": {"type": "string"},
}

#: words that CEL does not accept after a dot
_UNSPEAKABLE: Final = frozenset({"in", "true", "false", "null"})


@runtime_checkable
class Counting(Protocol):
    """Data that knows the lengths of its lists without building them."""

    def size(self, name: str) -> int | None: ...


class Variable(NamedTuple):
    """One dotted name. ``keys`` is the path to its value, from the data, the event or the recalled values."""

    root: str
    keys: tuple[str, ...]
    kind: Kind

    @property
    def name(self) -> str:
        return ".".join((self.root, *self.keys))

    def reader(self) -> Read:
        """How to read the value with the type that CEL was promised. JSON Schema accepts an integral float as an
        integer, and an integer as a number."""
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
        """Reads a recalled value; null if there is no user, or if the name only looks like a recalled one."""
        convert = _CONVERSIONS.get(self.kind.name)

        def read(_: Values, __: Values, ___: Mapping[str, int], recalled: Values) -> Json:
            value = recalled.get(self.root)
            for key in self.keys:
                value = value.get(key) if isinstance(value, Mapping) else None
            return value if convert is None else convert(value)

        return read


class Scope:
    """The names that an expression may use. ``event`` is ``None`` if no event is in scope."""

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
        #: object -> its properties, if the schema allows no others
        self.closed = closed
        #: paths of states, which are the keys of ``visits``
        self.states = states
        #: whether ``user`` and ``conversation`` are among the names
        self.recalls = recalls

    @classmethod
    def of(cls, workflow: Workflow, event: str | None, *, recalls: bool = False, items: bool = False) -> Scope:
        """The scope of an expression with the payload of ``event``; an undeclared event has no payload. ``recalls`` is
        for expressions of built-in actions, ``items`` for those about one child of several."""
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
        """Name -> kind, for all names as they are written."""
        return {VISITS: Kind("map", item=Kind("int")), **{name: each.kind for name, each in self.variables.items()}}

    @cached_property
    def lengths(self) -> Mapping[str, Kind]:
        """Name of a list's length -> its kind; the length of null is null."""
        lists = {name: kind for name, kind in self.kinds.items() if kind.name == "list"}
        return {f"{name}{LENGTH}": Kind("int", kind.is_nullable) for name, kind in lists.items()}

    def is_list(self, name: str) -> bool:
        return f"{name}{LENGTH}" in self.lengths

    def reader(self, name: str) -> Read:
        """How to read the value of a name in ``kinds`` or ``lengths``."""
        if name in self.variables:
            return self.variables[name].reader()
        if name in self.lengths:
            return _length(self.variables[name.removesuffix(LENGTH)])
        unvisited = dict.fromkeys(self.states, 0)

        def visited(_: Values, __: Values, visits: Mapping[str, int], ___: Values) -> Json:
            return {**unvisited, **visits}

        return visited


def _integer_of_data(field: str) -> Read:
    """Reads an integer, which most guards compare. It is nearly always one, and then needs no second call."""

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
    """Reads the length of a list. ``Counting`` data is asked for it, so that a list in a draft is not built."""
    whole, in_data, field = variable.reader(), variable.root == "data" and len(variable.keys) == 1, variable.keys[0]

    def length(data: Values, event: Values, visits: Mapping[str, int], recalled: Values) -> Json:
        if in_data and _counts(type(data)):
            return cast("Counting", data).size(field)
        items = whole(data, event, visits, recalled)
        return None if items is None else len(items)

    return length


@cache
def _counts(kind: type[Values]) -> bool:
    """Whether data of ``kind`` is ``Counting``. The answer is cached, since the check costs more than the count."""
    return issubclass(kind, Counting)


def _integral(value: Json) -> Json:
    return int(value) if type(value) is float and value.is_integer() else value


def _real(value: Json) -> Json:
    """The value for CEL. Data stored by earlier versions may contain an integer that no float equals."""
    if type(value) is not int:
        return value
    if is_inexact(value):
        raise TypeError(f"{value} is declared as a number, and a number cannot be exactly that")
    return float(value)


_CONVERSIONS: Final[Mapping[str, Callable[[Json], Json]]] = {"int": _integral, "double": _real}

#: the value for which a child is started, and the number of values before it
_ITEMS: Final = (Variable("item", (), DYN), Variable("index", (), Kind("int")))


def _perhaps(schema: Schema) -> Schema:
    """A schema that allows null where a field has no default, since nothing may be known of a user yet."""
    if "default" in schema:
        return schema
    return {"anyOf": [schema, {"type": "null"}], "$defs": schema.get("$defs", {})}


def _variables(root: str, keys: tuple[str, ...], schema: Schema, top: Schema) -> Iterator[Variable]:
    """The variable at ``keys``, and one for each required property below it that certainly exists."""
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
    """Objects with declared properties only, at ``path`` and below; recursive schemas end at a limited depth."""
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
