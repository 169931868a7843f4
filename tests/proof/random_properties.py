"""Small random workflows, with what is known of their actions, and random properties of them."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Rule, Whenever
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import Duration, State, Timer, Transition
from fsm_agent.domain.workflow import Limits, Workflow

FIELDS: dict[str, dict[str, Any]] = {
    "ok": {"type": "boolean", "default": False},
    "n": {"type": "integer", "minimum": 0, "maximum": 2, "default": 0},
    "kind": {"type": "string", "enum": ["a", "b", "c"], "default": "a"},
    "x": {"type": ["integer", "null"]},
    "items": {"type": ["array", "null"], "items": {"type": "integer"}, "maxItems": 2},
}
EVENTS: dict[str, dict[str, Any]] = {"go": {}, "stop": {}, "pay": {"amount": {"type": "integer"}}}
GUARDS = {
    "ok": ["data.ok", "!data.ok", "data.ok == true"],
    "n": ["data.n < 2", "data.n == 1", "2 <= data.n", "data.n in [0, 2]", "data.n * 2 == 2", "data.n > 5"],
    "kind": ['data.kind == "a"', 'data.kind != "b"', 'data.kind in ["a", "c"]', 'data.kind == "z"', 'data.kind < "b"'],
    "x": ["data.x > 1", "data.x == null", "data.x != null && data.x <= 0", "data.x != 1", "data.x == 0 ? true : false"],
    "items": ["size(data.items) > 0", "data.items.size() == 1", "data.items == null", "data.items.exists(i, i == 1)"],
}
ASSIGNS: dict[str, list[Any]] = {
    "ok": [True, "false", "!data.ok", "data.ok"],
    "n": [0, 2, "data.n + 1", "data.n - 1", "(data.n + 1) % 3"],
    "kind": ['"b"', '"c"', "data.kind"],
    "x": [None, 1, "5", "data.x", "(data.x + 1) % 3"],
    "items": [[], [1], None],
}
#: event -> guards and assigns that look at its payload
OF_PAY = ["event.amount > 1", "event.amount == 0 || event.by == null", 'event.by == "ana"', "event.amount % 2 == 0"]
LEAVES = ("a", "b", "c.d", "c.e", "f", "g")
PATHS = (*LEAVES, "c")
ACTIONS = ("work", "toil")


class Example(NamedTuple):
    workflow: Workflow
    signatures: dict[str, Signature]
    properties: tuple[Property, ...]


def example(seed: int) -> Example:
    random = Random(seed)  # noqa: S311 - nothing secret
    fields = random.sample(sorted(FIELDS), random.choice([1, 1, 2]))
    workflow = _Writer(random, fields).workflow()
    emits = {
        action: frozenset(random.sample(sorted(EVENTS), random.randint(1, 2)))
        for action in ACTIONS
        if random.random() < 0.7
    }
    writes = {
        action: frozenset(random.sample(fields, random.choice([0, 0, 1])))
        for action in ACTIONS
        if random.random() < 0.7
    }
    signatures = {action: Signature(emits.get(action), writes=writes.get(action)) for action in ACTIONS}
    properties = tuple(Property(f"rule {number}", _rule(random, fields, workflow)) for number in range(5))
    return Example(workflow, signatures, properties)


class _Writer:
    def __init__(self, random: Random, fields: list[str]) -> None:
        self._random = random
        self._fields = fields

    def workflow(self) -> Workflow:
        compound = State(
            "c",
            states=(self._leaf("c.d"), self._leaf("c.e")),
            initial="c.d",
            on=self._handlers(1),
            after=self._timers(0.3),
        )
        finals = (State("f", final=True), State("g", final=True, outcome="failed"))
        return Workflow(
            "w",
            1,
            self._random.choice(["a", "c"]),
            (self._leaf("a"), self._leaf("b"), compound, *finals),
            data={name: FIELDS[name] for name in self._fields},
            events=EVENTS,
            on=self._handlers(1),
            limits=Limits(visits={"b": 2}) if self._random.random() < 0.1 else Limits(),
        )

    def _leaf(self, path: str) -> State:
        do = self._random.choice([None, *ACTIONS])
        timeout = Duration.parse("1m") if do and self._random.random() < 0.4 else None
        return State(path, do=do, timeout=timeout, on=self._handlers(2), after=self._timers(0.3))

    def _timers(self, chance: float) -> tuple[Timer, ...]:
        lengths = [length for length in ("1h", "1d") if self._random.random() < chance]
        return tuple(Timer(Duration.parse(length), self._candidates("after")) for length in lengths)

    def _handlers(self, most: int) -> dict[str, Any]:
        events = self._random.sample([*EVENTS, *EVENTS, "error", "timeout", "cancel"], self._random.randint(0, most))
        return {event: None if self._random.random() < 0.05 else self._candidates(event) for event in events}

    def _candidates(self, event: str) -> tuple[Transition, ...]:
        return tuple(self._transition(event) for _ in range(self._random.choice([1, 1, 2])))

    def _transition(self, event: str) -> Transition:
        random = self._random
        field = random.choice(self._fields)
        target = random.choice([None, None, *PATHS, *PATHS])
        assign = {field: self._value(field, event)} if random.random() < 0.5 else {}
        append = {"items": "1"} if "items" in self._fields and "items" not in assign and random.random() < 0.3 else {}
        return Transition(target, self.guard(event) if random.random() < 0.6 else None, assign, append)

    def _value(self, field: str, event: str) -> Any:
        values = [*ASSIGNS[field], *(["event.amount"] if event == "pay" and field in ("x", "n") else [])]
        return self._random.choice(values)

    def guard(self, event: str) -> str:
        random = self._random
        field = random.choice(self._fields)
        simple = [
            *GUARDS[field],
            *GUARDS[field],
            *(OF_PAY if event == "pay" else []),
            'visits["b"] >= 2',
            'visits["b"] == 0',
        ]
        one, other = f"({random.choice(simple)})", f"({random.choice(simple)})"
        return random.choice([one, one, f"{one} && {other}", f"{one} || {other}", f"!{one}", f"{one} ? {other} : true"])


NAMED = ("state a", "state b", "state c", "state c.e", "state f", "event go", "event stop", "event pay")


def _rule(random: Random, fields: list[str], workflow: Workflow) -> Rule:
    def some(*more: str) -> tuple[str, ...]:
        return tuple(random.sample([*NAMED, *more], random.choice([1, 1, 2])))

    lengths = {f"after {timer.duration}" for state in workflow.by_path.values() for timer in state.after}

    event = random.choice(list(EVENTS))
    reaches = Reaches(some("outcome done", "outcome cancelled", "outcome failed"), since=random.choice([(), some()]))
    rules: list[Rule] = [
        Never(some("outcome parked", *sorted(lengths))),
        Never(some(), before=some()),
        Never(some(), after=some("outcome parked")),
        Never(some(), since=some(), until=some()),
        AtMost(random.choice([1, 2]), some(), since=random.choice([(), some()])),
        Whenever((f"event {event}",), _Writer(random, fields).guard(event)),
        reaches,
        reaches,
    ]
    return random.choice(rules)
