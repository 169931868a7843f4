"""Why an event would be taken or refused now: each candidate, each condition of its guard, and what would have to
change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Final, NamedTuple

from fsm_agent.domain.decision import EvaluationContext, Move
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Event
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.delivery import checked, decided
from fsm_agent.engine.machine import Machine
from fsm_agent.errors import ExpressionFailed, PayloadInvalid, Refused
from fsm_agent.expressions.tree import Call, Constant, Node, text_of
from fsm_agent.proof.conditions import atoms

#: conditions that may have to change at once for it to be told; guards with more are rare, and combinations many
_MOST_CHANGES: Final = 3
_MOST_CONDITIONS: Final = 12


class Condition(NamedTuple):
    """One condition of a guard. ``holds`` is ``None`` where it cannot be evaluated, and ``problem`` says why."""

    text: str
    holds: bool | None
    #: what it reads -> the value now
    values: Mapping[str, Json]
    problem: str = ""

    def to_json(self) -> dict[str, Json]:
        return {"text": self.text, "holds": self.holds, "values": dict(self.values), "problem": self.problem or None}


class Candidate(NamedTuple):
    """One transition that the event may take. The first whose guard holds is taken."""

    target: str
    guard: str | None
    #: ``None`` where the guard fails
    holds: bool | None
    conditions: tuple[Condition, ...]
    #: conditions, each with the value that it would need; the fewest that make the guard hold
    needs: tuple[tuple[str, bool], ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "target": self.target,
            "guard": self.guard,
            "holds": self.holds,
            "conditions": [condition.to_json() for condition in self.conditions],
            "needs": [{"condition": text, "holds": holds} for text, holds in self.needs],
        }


class Verdict(NamedTuple):
    """What an event would do now."""

    #: the state to which it would lead; ``None`` where it is refused, or where that cannot be told without its payload
    target: str | None = None
    #: why it would be refused, as the engine says it; or why it would park the agent
    refusal: str | None = None
    parks: bool = False


def verdict(aggregate: Aggregate, event: Event, *, has_payload: bool) -> Verdict:
    """What the engine would make of an event, all of its checks included; nothing is written."""
    try:
        pending = decided(aggregate, checked(aggregate, event))
    except PayloadInvalid as error:
        return Verdict(refusal=str(error) if has_payload else None)
    except Refused as error:
        return Verdict(refusal=str(error))
    if pending.step.kind is StepKind.PARKED:
        return Verdict(refusal=pending.step.reason, parks=True)
    return Verdict(target=pending.head.state)


def candidates(machine: Machine, state: str, event: str, context: EvaluationContext) -> tuple[Candidate, ...]:
    """The candidates of an event in a leaf, in the order in which they are tried; none where nothing handles it."""
    return tuple(_candidate(machine, move, event, context) for move in machine.moves(state, event))


def _candidate(machine: Machine, move: Move, event: str, context: EvaluationContext) -> Candidate:
    text = move.transition.when
    if text is None:
        return Candidate(move.target, None, holds=True, conditions=(), needs=())
    tree = machine.guards.tree(text, event=event)
    nodes = list(dict.fromkeys(atoms(tree))) if tree is not None else []
    conditions = [_condition(machine, text_of(node), event, context) for node in nodes]
    holds = _condition(machine, text, event, context).holds
    known = {node: condition.holds for node, condition in zip(nodes, conditions, strict=True)}
    needs = () if holds or tree is None else _needs(tree, known)
    return Candidate(
        move.target, text, holds, tuple(conditions), tuple((text_of(node), value) for node, value in needs)
    )


def _condition(machine: Machine, text: str, event: str, context: EvaluationContext) -> Condition:
    expression = machine.guards.compile(text, event=event)
    values = dict(_values(expression.mentions, context))
    try:
        return Condition(text, expression.holds(context.data, context.facts, context.visits), values)
    except ExpressionFailed as error:
        return Condition(text, None, values, str(error))


def _values(names: Iterable[str], context: EvaluationContext) -> Iterator[tuple[str, Json]]:
    """The values that an expression reads, by the names of fields."""
    for name in sorted(names):
        root, _, field = name.partition(".")
        known = {"data": context.data, "event": context.facts}.get(root, {})
        if (top := field.partition(".")[0]) in known:
            yield f"{root}.{top}", known[top]


def _needs(tree: Node, known: Mapping[Node, bool | None]) -> tuple[tuple[Node, bool], ...]:
    """The fewest conditions that would have to come out otherwise for the guard to hold."""
    nodes = list(known)[:_MOST_CONDITIONS]
    for count in range(1, _MOST_CHANGES + 1):
        for changed in combinations(nodes, count):
            values = {node: not known[node] for node in changed}
            if _value(tree, {**known, **values}) is True:
                return tuple(values.items())
    return ()


def _value(node: Node, known: Mapping[Node, bool | None]) -> bool | None:
    """What a condition comes to, as CEL joins its parts; ``None`` is an error."""
    match node:
        case Call("_&&_", parts):
            values = [_value(part, known) for part in parts]
            return False if False in values else None if None in values else True
        case Call("_||_", parts):
            values = [_value(part, known) for part in parts]
            return True if True in values else None if None in values else False
        case Call("!_", (part,)):
            value = _value(part, known)
            return None if value is None else not value
        case Call("_?_:_", (test, then, other)):
            chosen = _value(test, known)
            return None if chosen is None else _value(then if chosen else other, known)
        case Constant(_, value):
            return value is True
    return known[node]
