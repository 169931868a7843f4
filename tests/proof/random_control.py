"""Small random workflows in which no data count: guards look only at what comes with their event."""

from __future__ import annotations

from random import Random

from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Rule, Whenever
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import Candidates, Duration, State, Timer, Transition
from fsm_agent.domain.workflow import Limits, Workflow

from .subjects import Subject

EVENTS = {event: {"p": {"type": "boolean"}, "q": {"type": "boolean"}} for event in ("go", "stop", "pay")}
GUARDS = ("event.p", "!event.p", "event.q", "!event.q")
PATHS = ("a", "b", "c", "c.d", "c.e", "c.e.h", "c.e.i", "f", "g")
NAMED = ("state a", "state b", "state c", "state c.e", "state c.e.i", "state f", "event go", "event stop", "do work")
ENDS = ("outcome done", "outcome failed", "outcome cancelled")


def subject(seed: int) -> Subject:
    random = Random(seed)  # noqa: S311 - nothing secret
    workflow = _Writer(random).workflow()
    events = sorted(EVENTS)
    signatures = {
        action: Signature(emits=frozenset(random.sample(events, random.randint(1, 2))))
        for action in ("work", "toil")
        if random.random() < 0.7
    }
    return Subject(workflow, signatures, tuple(Property(f"p{place}", _rule(random, workflow)) for place in range(6)))


class _Writer:
    def __init__(self, random: Random) -> None:
        self._random = random

    def workflow(self) -> Workflow:
        random = self._random
        inner = State("c.e", states=(self._leaf("c.e.h"), self._leaf("c.e.i")), initial="c.e.h", after=self._timers())
        outer = State(
            "c",
            states=(self._leaf("c.d"), inner),
            initial=random.choice(["c.d", "c.e"]),
            on=self._handlers(1),
            after=self._timers(),
        )
        limits = [Limits(), Limits(), Limits(visits={"b": 3}), Limits(steps=40), Limits(wall_time=Duration.parse("9d"))]
        return Workflow(
            "w",
            1,
            random.choice(["a", "c"]),
            (
                self._leaf("a", is_working=True),
                self._leaf("b"),
                outer,
                State("f", final=True),
                State("g", final=True, outcome="failed"),
            ),
            events=EVENTS,
            on=self._handlers(1),
            limits=random.choice(limits),
        )

    def _leaf(self, path: str, *, is_working: bool = False) -> State:
        do = "work" if is_working else self._random.choice([None, "work", "toil"])
        timeout = Duration.parse("1m") if do and self._random.random() < 0.4 else None
        return State(
            path, do=do, timeout=timeout, on=self._handlers(3), after=self._timers() if path in ("a", "b") else ()
        )

    def _timers(self) -> tuple[Timer, ...]:
        lengths = [length for length in ("1h", "1d") if self._random.random() < 0.2]
        return tuple(Timer(Duration.parse(length), (self._transition(""),)) for length in lengths)

    def _handlers(self, most: int) -> dict[str, Candidates | None]:
        names = [*EVENTS, *EVENTS, "error", "timeout", "cancel"]
        events = dict.fromkeys(self._random.sample(names, self._random.randint(0, most)))
        return {event: None if self._random.random() < 0.05 else self._candidates(event) for event in events}

    def _candidates(self, event: str) -> Candidates:
        return tuple(self._transition(event) for _ in range(self._random.choice([1, 1, 2])))

    def _transition(self, event: str) -> Transition:
        guard = self._random.choice(GUARDS) if event in EVENTS and self._random.random() < 0.5 else None
        return Transition(self._random.choice([None, *PATHS, *PATHS]), guard)


def _rule(random: Random, workflow: Workflow) -> Rule:
    def some(*more: str) -> tuple[str, ...]:
        return tuple(random.sample([*NAMED, *more], random.choice([1, 1, 2])))

    lengths = sorted({f"after {timer.duration}" for state in workflow.by_path.values() for timer in state.after})
    reaches = [Reaches(some(*ENDS), since=random.choice([(), some()])) for _ in range(3)]
    rules: list[Rule] = [
        Never(some("outcome parked", *lengths)),
        Never(some(), before=some(*lengths)),
        Never(some(), after=some("outcome parked")),
        Never(some(), since=some()),
        Never(some(), since=some(), until=some(*lengths)),
        AtMost(random.choice([1, 2]), some(), since=random.choice([(), some()])),
        Whenever((f"event {random.choice(sorted(EVENTS))}",), random.choice(GUARDS)),
        *reaches,
    ]
    return random.choice(rules)
