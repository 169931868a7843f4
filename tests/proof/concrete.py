"""All that agents of a small workflow can do, with concrete data, found by trying everything.

Nothing of the prover is used here, only the engine's ``decide`` and expressions. The values of ``DOMAINS`` are all the
data that agents have, and include some that no schema allows: actions write them, and guards see them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from fsm_agent.domain.decision import EvaluationContext, Move, Taken, timer_event
from fsm_agent.domain.property import AtMost, Never, Reaches, Rule, Whenever
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import State
from fsm_agent.domain.step import Event
from fsm_agent.domain.workflow import lineage
from fsm_agent.engine.machine import Machine
from fsm_agent.errors import ExpressionFailed

from .random_properties import EVENTS, Example

VALID: dict[str, list[Any]] = {
    "ok": [False, True],
    "n": [0, 1, 2],
    "kind": ["a", "b", "c"],
    "x": [None, -1, 0, 1, 2, 5],
    "items": [None, (), (1,), (0,), (0, 1)],
}
INVALID: dict[str, list[Any]] = {"ok": ["yes"], "n": [-1, 7, None], "kind": ["z", 1], "x": ["a"], "items": [(1, 1, 1)]}
DEFAULTS = {"ok": False, "n": 0, "kind": "a", "x": None, "items": None}
AMOUNTS = [-1, 0, 1, 2, 5]
SENDERS = [None, "ana", "ben"]
#: more visits than guards ask for are all one
MOST_VISITS = 3

Data = tuple[tuple[str, Any], ...]


class Situation(NamedTuple):
    leaf: str
    mode: str  # work, rest, end
    timers: tuple[tuple[str, int], ...]
    data: Data
    visits: int  # of b
    is_parked: bool = False


class Happening(NamedTuple):
    target: Situation
    kind: str
    terms: frozenset[str]
    move: Move | None
    #: what guards saw
    data: Data
    event: Event
    visits: int


class World:
    """The agents of an example."""

    def __init__(self, example: Example) -> None:
        self.example = example
        self.workflow = example.workflow
        self.machine = Machine(example.workflow)
        self._known: dict[Situation, list[Happening]] = {}

    def beginnings(self, *, has_defaults: bool) -> Iterator[Situation]:
        leaf = self.workflow.leaf(self.workflow.initial)
        fields = list(self.workflow.data)
        domains = [[DEFAULTS[name]] if has_defaults else VALID[name] for name in fields]
        for values in product(*domains):
            entered = lineage(leaf.path)
            data = tuple(zip(fields, values, strict=True))
            yield Situation(leaf.path, mode_of(leaf), self._armed(entered), data, int("b" in entered))

    def created(self) -> frozenset[str]:
        leaf = self.workflow.leaf(self.workflow.initial)
        return frozenset({"event created", *entry_terms(leaf, lineage(leaf.path))})

    def _armed(self, entered: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
        return tuple((path, 0) for path in entered if self.workflow.by_path[path].after)

    def ahead(self, at: Situation) -> list[Happening]:
        if at not in self._known:
            self._known[at] = list(self._ahead(at))
        return self._known[at]

    def _ahead(self, at: Situation) -> Iterator[Happening]:
        if at.is_parked:
            yield Happening(at._replace(is_parked=False), "unpark", frozenset(), None, at.data, Event("x"), at.visits)
            return
        if at.mode == "end":
            return
        leaf = self.workflow.by_path[at.leaf]
        emits = self.example.signatures.get(leaf.do or "", Signature()).emits
        declared = [event for event in self.workflow.handled(at.leaf) if event in EVENTS]
        claimed = emits or () if at.mode == "work" else ()
        for name in declared:
            if name not in claimed:
                for payload, by in product(payloads(name), SENDERS):
                    yield from self._decided(at, "outside", Event(name, payload, by), at.data)
        yield from self._cancelled(at)
        if at.mode == "work":
            yield from self._acted(at, leaf, [name for name in declared if emits is None or name in claimed])
        for owner, fired in at.timers:
            yield from self._fired(at, owner, fired)

    def _cancelled(self, at: Situation) -> Iterator[Happening]:
        if "cancel" in self.workflow.handled(at.leaf):
            for by in SENDERS:
                yield from self._decided(at, "outside", Event("cancel", {}, by), at.data)
            return
        ended = at._replace(mode="end", timers=())
        terms = frozenset({"event cancel", "outcome cancelled"})
        yield Happening(ended, "cancel", terms, None, at.data, Event("cancel"), at.visits)

    def _acted(self, at: Situation, leaf: State, said: list[str]) -> Iterator[Happening]:
        writes = self.example.signatures.get(leaf.do or "", Signature()).writes
        fields = tuple(self.workflow.data) if writes is None else sorted(writes)
        for values in product(*(VALID[name] + INVALID[name] for name in fields)):
            data = tuple((name, dict(zip(fields, values, strict=True)).get(name, value)) for name, value in at.data)
            for name in said:
                for payload in payloads(name):
                    yield from self._decided(at, "action", Event(name, payload), data)
        for name in ("error", "timeout") if leaf.timeout else ("error",):
            facts = {"type": "E", "message": "m", "attempt": 1, "state": at.leaf}
            yield from self._decided(at, "failure", Event(name, facts), at.data)

    def _fired(self, at: Situation, owner: str, fired: int) -> Iterator[Happening]:
        timers = self.workflow.by_path[owner].after
        label = timers[fired].duration.text
        left = tuple(
            (path, count + (path == owner)) for path, count in at.timers if path != owner or count + 1 < len(timers)
        )
        event = Event("after", {"after": label})
        yield from self._decided(
            at, "timer", event, at.data, name=timer_event(owner, label), term=f"after {label}", left=left
        )

    def _decided(
        self, at: Situation, kind: str, event: Event, data: Data, *, name: str = "", term: str = "", left: Any = None
    ) -> Iterator[Happening]:
        visits = {"b": at.visits}
        values = plain(data)
        parked = Happening(
            at._replace(is_parked=True), "park", frozenset({"outcome parked"}), None, data, event, at.visits
        )
        timers = at.timers if left is None else left
        try:
            decision = self.machine.decide(at.leaf, name or event.name, EvaluationContext(values, event, visits))
            if not isinstance(decision, Taken):
                if kind == "failure":
                    yield parked
                if kind == "timer":
                    yield Happening(at._replace(timers=timers), kind, frozenset(), None, data, event, at.visits)
                return
            after = self._written(decision.move, event, values, visits)
        except ExpressionFailed:
            if kind != "outside":
                yield parked
            return
        if not all(is_valid(field, value) for field, value in after):
            if kind in ("failure", "timer"):
                yield parked
            return
        target = self._target(at, kind, decision.move, timers, after)
        terms = {term or f"event {event.name}"}
        if decision.move.entered:
            terms |= entry_terms(self.workflow.by_path[decision.move.target], decision.move.entered)
        yield Happening(target, kind, frozenset(terms), decision.move, data, event, at.visits)

    def _written(self, move: Move, event: Event, values: dict[str, Any], visits: Mapping[str, int]) -> Data:
        def value(said: Any) -> Any:
            if not isinstance(said, str):
                return said
            return self.machine.guards.compile(said, event=event.name).evaluate(values, event.facts, visits)

        after = values | {field: value(said) for field, said in move.transition.assign.items()}
        for field, said in move.transition.append.items():
            after[field] = [*(values[field] or ()), value(said)]
        return tuple((field, tuple(each) if isinstance(each, list) else each) for field, each in after.items())

    def _target(self, at: Situation, kind: str, move: Move, timers: Any, after: Data) -> Situation:
        if not move.entered:
            mode = "rest" if kind in ("action", "failure") else at.mode
            return Situation(at.leaf, mode, timers, after, at.visits)
        leaf = self.workflow.by_path[move.target]
        kept = tuple(each for each in timers if each[0] not in move.exited) + self._armed(move.entered)
        visits = min(MOST_VISITS, at.visits + ("b" in move.entered))
        return Situation(leaf.path, mode_of(leaf), () if leaf.final else kept, after, visits)


def payloads(event: str) -> list[dict[str, Any]]:
    return [{"amount": amount} for amount in AMOUNTS] if event == "pay" else [{}]


def plain(data: Data) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in data}


def is_valid(field: str, value: Any) -> bool:
    match field:
        case "ok":
            return isinstance(value, bool)
        case "n":
            return type(value) is int and 0 <= value <= 2
        case "kind":
            return value in ("a", "b", "c")
        case "x":
            return value is None or type(value) is int
    return value is None or len(value) <= 2


def mode_of(leaf: State) -> str:
    return "end" if leaf.final else "work" if leaf.do else "rest"


def entry_terms(leaf: State, entered: tuple[str, ...]) -> set[str]:
    terms = {f"state {path}" for path in entered}
    if leaf.do:
        terms.add(f"do {leaf.do}")
    return terms | ({f"outcome {leaf.outcome}"} if leaf.final else set())


# --------------------------------------------------------------------------- rules


def is_broken(world: World, rule: Rule, *, has_defaults: bool) -> bool:
    """Whether some agent breaks a rule. Facts of the past that matter are kept in a small tuple of numbers."""
    todo = []

    for start in world.beginnings(has_defaults=has_defaults):
        memory = remembered(rule, (0, 0), world.created())
        if memory is None:
            return True
        todo.append((start, memory))
    graph: dict[Any, list[tuple[Happening, Any]]] = {}
    seen = dict.fromkeys(todo)
    for node in todo:
        graph[node] = []
        for each in world.ahead(node[0]):
            if isinstance(rule, Whenever) and rule.events[0] in each.terms and not holds(world, rule.holds, each):
                return True
            memory = remembered(rule, node[1], each.terms)
            if memory is None:
                return True
            following = (each.target, memory)
            graph[node].append((each, following))
            if following not in seen:
                seen[following] = None
                todo.append(following)
    return isinstance(rule, Reaches) and is_unreached(world, graph)


def remembered(rule: Rule, memory: tuple[int, int], terms: frozenset[str]) -> tuple[int, int] | None:
    """What has to be remembered after a step (a flag, a count); ``None`` if it breaks the rule."""

    def has(named: tuple[str, ...]) -> bool:
        return any(name in terms for name in named)

    flag, count = memory
    match rule:
        case Never(banned, before, after, since, until):
            flag, is_broken_now = _never(bool(flag), has(banned), has(before), has(after or since), has(until), rule)
            return None if is_broken_now else (flag, 0)
        case AtMost(most, counted, since):
            count = (0 if has(since) else count) + has(counted)
            return None if count > most else (0, count)
        case Reaches(goal, since):
            return (int(not has(goal) and (bool(flag) or has(since or ("event created",)))), 0)
    return memory


def _never(flag: bool, banned: bool, before: bool, begins: bool, ends: bool, rule: Never) -> tuple[int, bool]:
    """The flag after a step, and whether that breaks the rule."""
    if rule.before:
        return int(flag or before), banned and not (flag or before)
    if not (rule.after or rule.since):
        return 0, banned
    is_on = flag and not ends
    return int(is_on or begins), is_on and banned


def holds(world: World, condition: str, each: Happening) -> bool:
    try:
        return world.machine.guards.compile(condition, event=each.event.name).holds(
            plain(each.data), each.event.facts, {"b": each.visits}
        )
    except ExpressionFailed:
        return False


def is_unreached(world: World, graph: dict[Any, list[tuple[Happening, Any]]]) -> bool:
    """Whether an agent may stay, or go round for ever, while something is owed."""
    owing = {node for node in graph if node[1][0]}
    for at, _ in owing:
        if not at.is_parked and (at.mode == "end" or (at.mode == "rest" and not at.timers)):
            return True
    limited = set(world.workflow.limits.visits)

    def is_bounded(each: Happening) -> bool:
        counted = each.move is not None and bool(limited & set(each.move.entered)) and each.event.name != "cancel"
        return each.kind == "park" or counted

    inner = {node: [(each, to) for each, to in graph[node] if to in owing and not is_bounded(each)] for node in owing}
    return any(is_fair(group, inner) for group in groups(inner))


def is_fair(group: set[Any], graph: dict[Any, list[tuple[Happening, Any]]]) -> bool:
    steps = [each for node in group for each, to in graph[node] if to in group]
    if not steps:
        return False
    left = {path for each in steps if each.move for path in each.move.exited}
    always = set.intersection(*(set(at.timers) for at, _ in group))
    if any(owner not in left for owner, _ in always):
        return False
    return not all(at.mode == "work" for at, _ in group) or any(each.move and each.move.entered for each in steps)


def groups(graph: dict[Any, list[tuple[Happening, Any]]]) -> Iterator[set[Any]]:
    """Strongly connected components, by two searches."""
    backward: dict[Any, list[Any]] = {node: [] for node in graph}
    for node, ahead in graph.items():
        for _, to in ahead:
            backward[to].append(node)
    taken: set[Any] = set()
    for root in reversed(finished(graph)):
        if root not in taken:
            group = [root]
            taken.add(root)
            for node in group:
                news = [before for before in dict.fromkeys(backward[node]) if before not in taken]
                taken.update(news)
                group += news
            yield set(group)


def finished(graph: dict[Any, list[tuple[Happening, Any]]]) -> list[Any]:
    """All nodes, each after what it leads to, but for cycles."""
    order: list[Any] = []
    seen: set[Any] = set()
    for root in graph:
        stack = [(root, False)]
        while stack:
            node, is_done = stack.pop()
            if is_done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack += [(to, False) for _, to in graph[node] if to not in seen]
    return order
