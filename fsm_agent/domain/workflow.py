"""A workflow: the declaration, once every name in it is resolved.

A tree of ``State``; events move an agent from leaf to leaf along ``Transition``. YAML and Python declarations
both end as this, so their hashes agree. The JSON form is what a store keeps, pinned by ``hash``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from fsm_agent.domain.conversation import NO_PROGRESS, PLAIN_RECALL, ConversationPolicy, ProgressRule
from fsm_agent.domain.json import Json, Schema, without_annotations
from fsm_agent.domain.migration import Migration
from fsm_agent.domain.state import (
    ByteSize,
    Candidates,
    Duration,
    Handlers,
    MergePolicy,
    State,
    Transition,
    compact,
    handlers_from_json,
    handlers_to_json,
)
from fsm_agent.domain.step import NOTHING

if TYPE_CHECKING:
    from fsm_agent.domain.property import Property

#: Events that exist in every workflow without being declared. ``after`` is the event of a due timer.
BUILT_IN_EVENTS: Final = frozenset({"error", "timeout", "cancel", "created", "after"})

#: The built-in events that may stand under ``on``.
HANDLED_BUILT_INS: Final = frozenset({"error", "timeout", "cancel"})

#: What the engine itself puts on every ``event``, so that no payload field may take the name.
RESERVED_PAYLOAD_FIELDS: Final = frozenset({"name", "by"})

_PROBLEM_PAYLOAD: Final[Mapping[str, Schema]] = {
    "type": {"type": "string"},
    "message": {"type": "string"},
    "attempt": {"type": "integer"},
    "state": {"type": "string"},
}

#: built-in event -> payload field -> JSON Schema
BUILT_IN_PAYLOADS: Final[Mapping[str, Mapping[str, Schema]]] = {
    "error": _PROBLEM_PAYLOAD,
    "timeout": _PROBLEM_PAYLOAD,
    "cancel": {},
    "created": {},
    "after": {"after": {"type": "string"}},
}


class Limits(NamedTuple):
    """Bounds on an agent's life; what is undeclared is unlimited, but for the data (``data_limit.DEFAULT_LIMIT``)."""

    steps: int | None = None
    #: state path -> how often it may be entered
    visits: Mapping[str, int] = NOTHING
    #: of models, asked and answered, for all of the agent's life
    tokens: int | None = None
    #: of models, in US dollars
    cost: float | None = None
    #: since the agent's creation
    wall_time: Duration | None = None
    #: of the data as JSON
    data: ByteSize | None = None

    def to_json(self) -> dict[str, Json]:
        return compact(
            steps=self.steps,
            visits=dict(self.visits),
            tokens=self.tokens,
            cost=self.cost,
            wall_time=self.wall_time.text if self.wall_time else None,
            data=self.data.text if self.data else None,
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> Limits:
        known = dict(document)
        if "wall_time" in known:
            known["wall_time"] = Duration.parse(known["wall_time"])
        if "data" in known:
            known["data"] = ByteSize.parse(known["data"])
        return cls(**known)


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, repr=False)
class Workflow:
    """States, events, transitions and data schema under a name and a version; equal by content."""

    name: str
    version: int
    #: absolute path of the state in which an agent begins
    initial: str
    states: tuple[State, ...]
    #: field -> JSON Schema; its ``default`` is the value at creation
    data: Mapping[str, Schema] = field(default_factory=dict)
    #: event -> payload field -> JSON Schema
    events: Mapping[str, Mapping[str, Schema]] = field(default_factory=dict)
    #: transitions from every state that is not final
    on: Handlers = field(default_factory=dict)
    limits: Limits = NO_LIMITS
    #: data field -> how what two people make of it at once becomes one; without a policy the second is refused
    merge: Mapping[str, MergePolicy] = field(default_factory=dict)
    #: which thread the conversation of an agent is, and how much of it a model is shown
    conversation: ConversationPolicy = PLAIN_RECALL
    #: field -> JSON Schema of what is remembered of the user, across agents
    user: Mapping[str, Schema] = field(default_factory=dict)
    progress: ProgressRule = NO_PROGRESS
    #: the workflows of child agents, by the names that ``workflow.run`` uses
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    description: str = ""
    #: ``module:Model`` when a pydantic model declares the data
    model: str | None = None
    #: how agents of older versions become agents of this one; not part of the hash
    migrations: tuple[Migration, ...] = ()
    #: what must hold of every run, as the file says; not part of the hash, and not kept in a store
    must: tuple[Property, ...] = ()
    #: the model itself, where Python code has handed it over
    model_class: ClassVar[type[Any] | None] = None
    #: ``upcast`` -> the function itself, where Python code has handed it over
    upcasters: ClassVar[Mapping[str, Callable[..., Any]]] = {}

    def __repr__(self) -> str:
        """Its name and version: all of it would be pages."""
        return f"Workflow({self.name!r}, version={self.version})"

    @property
    def knows_data(self) -> bool:
        """Whether the fields of the data are known: those of a model are not, where it was not imported."""
        return self.model is None or bool(self.data)

    @cached_property
    def by_path(self) -> Mapping[str, State]:
        """Every state by its dotted path, parents before children, in declaration order."""
        return {state.path: state for state in _walk(self.states)}

    @cached_property
    def leaves(self) -> tuple[State, ...]:
        return tuple(state for state in self.by_path.values() if state.is_leaf)

    @cached_property
    def hash(self) -> str:
        """SHA-256, in hex, of the RFC 8785 form of the definition: what decides how an agent behaves, and no more."""
        import hashlib

        import rfc8785

        return hashlib.sha256(rfc8785.dumps(self.to_json(describe=False))).hexdigest()

    def has_payload(self, event: str) -> bool:
        """Whether it is known what comes with an event: it is declared or built in."""
        return event in self.events or event in BUILT_IN_PAYLOADS

    def payload_fields(self, event: str) -> Mapping[str, Schema]:
        """Payload field -> JSON Schema of a declared or built-in event; raises ``KeyError`` for any other."""
        return self.events[event] if event in self.events else BUILT_IN_PAYLOADS[event]

    def handled(self, leaf: str) -> tuple[str, ...]:
        """Events that have candidates in ``leaf``: its own first, then its ancestors', then the workflow's."""
        levels = self._levels(leaf)
        known = dict.fromkeys(event for handlers in levels for event in handlers)
        if "error" in known:
            known.setdefault("timeout")
        return tuple(event for event in known if self.candidates(leaf, event))

    def candidates(self, leaf: str, event: str) -> Candidates:
        """The transitions of an event in a leaf, in the order in which they are tried.

        The leaf's own come first, then its ancestors', then the workflow's; ``event: null`` ends the search. A
        ``timeout`` that nothing takes is an ``error``.
        """
        found: list[Transition] = []
        for handlers in self._levels(leaf):
            if event in handlers:
                here = handlers[event]
                if here is None:
                    break
                found += here
        return tuple(found) + (self.candidates(leaf, "error") if event == "timeout" else ())

    def allowed(self, leaf: str) -> tuple[str, ...]:
        """Events that may be sent in ``leaf``, guards not evaluated, in declaration order; ``cancel`` is last."""
        if leaf not in self._allowed:
            sendable = [event for event in self.events if self.candidates(leaf, event)]
            self._allowed[leaf] = () if self.by_path[leaf].final else (*sendable, "cancel")
        return self._allowed[leaf]

    @cached_property
    def _allowed(self) -> dict[str, tuple[str, ...]]:
        """What ``allowed`` has found so far; it is asked at every delivery."""
        return {}

    @cached_property
    def first_events(self) -> tuple[str, ...]:
        """The declared events that the first state itself handles: with one of them an agent may begin."""
        leaf = self.leaf(self.initial)
        return tuple(name for name, candidates in leaf.on.items() if candidates and name in self.events)

    def _levels(self, leaf: str) -> list[Handlers]:
        if self.by_path[leaf].final:
            return []
        return [*(state.on for state in self.chain(leaf)), self.on]

    def chain(self, path: str) -> tuple[State, ...]:
        """The state at ``path`` and its ancestors, innermost first."""
        return tuple(self.by_path[each] for each in reversed(lineage(path)))

    def leaf(self, path: str) -> State:
        """Where entering ``path`` comes to rest: ``initial`` is followed downward."""
        state = self.by_path[path]
        while state.initial is not None:
            state = self.by_path[state.initial]
        return state

    def to_json(self, *, describe: bool = True) -> dict[str, Json]:
        """The normalised definition as a store keeps it, without ``must``; ``describe=False`` leaves out every
        description and annotation, and how agents of older versions come here."""
        bare = dict if describe else without_annotations
        return compact(
            workflow=self.name,
            version=self.version,
            description=self.description if describe else "",
            initial=self.initial,
            model=self.model,
            data={name: bare(schema) for name, schema in self.data.items()},
            events={
                event: {name: bare(each) for name, each in fields.items()} for event, fields in self.events.items()
            },
            on=handlers_to_json(self.on, describe=describe),
            states=[state.to_json(describe=describe) for state in self.states],
            limits=self.limits.to_json(),
            merge=dict(self.merge),
            conversation=self.conversation.to_json() if self.conversation != PLAIN_RECALL else None,
            user={name: bare(schema) for name, schema in self.user.items()},
            progress=self.progress.to_json(),
            workflows={name: child.to_json(describe=describe) for name, child in self.workflows.items()},
            migrations=[each.to_json() for each in self.migrations] if describe else None,
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> Workflow:
        """Rebuild a workflow from ``to_json``; trusts its input, which a store kept under a hash."""
        known = dict(document)
        known["name"] = known.pop("workflow")
        known["states"] = tuple(State.from_json(state) for state in known["states"])
        known["on"] = handlers_from_json(known.pop("on", {}))
        known["limits"] = Limits.from_json(known.pop("limits", {}))
        known["conversation"] = ConversationPolicy.from_json(known.pop("conversation", {}))
        known["progress"] = ProgressRule.from_json(known.pop("progress", {}))
        known["workflows"] = {name: cls.from_json(child) for name, child in known.pop("workflows", {}).items()}
        known["migrations"] = tuple(map(Migration.from_json, known.pop("migrations", ())))
        return cls(**known)


@lru_cache(maxsize=8_192)
def lineage(path: str) -> tuple[str, ...]:
    """``a.b.c`` -> ``("a", "a.b", "a.b.c")``: the path and its ancestors, outermost first."""
    names = path.split(".")
    return tuple(".".join(names[: depth + 1]) for depth in range(len(names)))


def _walk(states: tuple[State, ...]) -> Iterator[State]:
    for state in states:
        yield state
        yield from _walk(state.states)
