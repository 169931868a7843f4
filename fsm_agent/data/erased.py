"""Erasure of the words of a person who is forgotten: they become tombstones. Pure.

A history keeps its steps, with their kinds, times, sources and targets. Their words become ``ERASED``. Each erased step
is marked, since a replay must not trust what it computes from tombstones.

The mark has the key ``~``. No payload field can have this name, so no payload can be mistaken for a mark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from fsm_agent.data.sealed import MARK
from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.record import AgentExport, Origin, Snapshot
from fsm_agent.domain.step import NOTHING, Delta, Event, Step
from fsm_agent.domain.step_kind import StepKind

#: replaces the words of a person, names included
ERASED: Final = "(erased)"

#: kind of data -> how many were erased
Tally: TypeAlias = Counter[str]

#: what ``error``, ``timeout`` and timers put into a payload: not the words of a person
_BUILT_IN: Final = {
    "error": ("type", "attempt", "state", "place"),
    "timeout": ("type", "attempt", "state", "place"),
    "after": ("after",),
}


class Extent(StrEnum):
    """How much of an agent is erased; the value of a mark."""

    #: the words of a person who is not the user of the agent
    PARTS = "erased in parts"
    WHOLE = "erased"


def marked(payload: Mapping[str, Json], extent: Extent) -> dict[str, Json]:
    return {**payload, MARK: str(extent)}


def extent_of(steps: Iterable[Step]) -> Extent | None:
    """How much is erased of an agent with this history."""
    marks = {step.payload[MARK] for step in steps if MARK in step.payload}
    return next((extent for extent in (Extent.WHOLE, Extent.PARTS) if extent in marks), None)


def erased_whole(export: AgentExport, user: str, tally: Tally) -> AgentExport:
    """An agent that has ended and whose user is ``user``, without any words."""
    tally.update(
        steps=len(export.steps),
        events=len(export.queue),
        effects=len(export.effects),
        messages=len(export.messages),
    )
    origin = export.origin and _origin(export.origin, user)
    return export._replace(
        head=_head(export.head, user)._replace(unfolded=0, fold_at=0),
        steps=tuple(_step(step, user) for step in export.steps),
        snapshot=Snapshot(origin.head.version, origin.values) if origin else None,
        origin=origin,
        queue=tuple(each._replace(event=_event(each.event, user)) for each in export.queue),
        keys={key: outcome._replace(fingerprint="") for key, outcome in export.keys.items()},
        start=export.start and (export.start[0], ""),
        effects=tuple(_effect(entry, export.head.updated_ms) for entry in export.effects),
        messages=tuple(erased_message(message)._replace(by=_unless(user, message.by)) for message in export.messages),
    )


def with_erasure(export: AgentExport, now_ms: int, by: str | None) -> AgentExport:
    """The erased agent with a step that says so. Whoever has read the agent before is overtaken by that step, so they
    write nothing back of what they have read."""
    head, extent = export.head, extent_of(export.steps) or Extent.PARTS
    step = Step(
        version=head.version + 1,
        kind=StepKind.ERASED,
        event="forget",
        payload=marked({}, extent),
        source=head.state,
        target=head.state,
        at_ms=max(now_ms, head.updated_ms),
        by=by,
    )
    after = head._replace(version=step.version, updated_ms=step.at_ms)
    return export._replace(head=after, steps=(*export.steps, step))


def _unless(user: str, by: str | None) -> str | None:
    return None if by == user else by


def _head(head: Head, user: str) -> Head:
    asked, problem = head.asked, head.problem
    return head._replace(
        output=None if head.output is None else dict.fromkeys(head.output, ERASED),
        asked=asked and asked._replace(prompt=ERASED, to=()),
        problem=problem and problem._replace(message=ERASED, held=problem.held and _event(problem.held, user)),
        progress=None,
        user=None,
        labels=NOTHING,
    )


def _origin(origin: Origin, user: str) -> Origin:
    return Origin(_head(origin.head, user), dict.fromkeys(origin.values, ERASED))


def _event(event: Event, user: str) -> Event:
    return event._replace(payload={}, by=_unless(user, event.by))


def _step(step: Step, user: str) -> Step:
    kind, separator, their_messages = (step.reason or "").partition(": ")
    reason = f"{kind}{separator}{ERASED}" if step.kind is StepKind.PARKED else ERASED
    return step._replace(
        payload=marked(_facts(step), Extent.WHOLE),
        delta=_delta(step.delta),
        by=_unless(user, step.by),
        reason=reason if kind or their_messages else step.reason,
    )


def _facts(step: Step) -> dict[str, Json]:
    """The part of a payload that says where the step leads."""
    facts = step.payload
    if step.kind is StepKind.ASKED:
        return {"prompt": ERASED, "events": facts["events"], "to": []}
    if step.kind.facts.restores:
        return {name: _brought_back(name, fact) for name, fact in facts.items()}
    kept = {name: facts[name] for name in _BUILT_IN.get(step.event, ()) if name in facts}
    return {**kept, "message": ERASED} if "message" in facts and "type" in kept else kept


def _brought_back(name: str, fact: Json) -> Json:
    match name:
        case "error":
            return {**fact, "message": ERASED}
        case "asked":
            return [ERASED, fact[1], []]
        case _:
            return fact


def _delta(delta: Delta) -> Delta:
    """The names of the changed fields. Deeper pointers are left out, since keys of an object may be names."""
    gone = tuple(pointer for pointer in delta.remove if "/" not in pointer)
    return Delta({name: ERASED for name in delta.fields if name not in gone}, gone)


def _effect(entry: EffectEntry, now_ms: int) -> EffectEntry:
    """An erased effect that has ended, so that the process that began it cannot record its result."""
    ended_ms = now_ms if entry.ended_ms is None else entry.ended_ms
    return entry._replace(fingerprint="", ended_ms=ended_ms, result=ERASED)


def erased_message(message: Message) -> Message:
    return message._replace(content=ERASED, parts=())


def erased_messages(messages: Sequence[Message], user: str, tally: Tally) -> list[Message]:
    """The messages of ``user``, erased, and the erased summaries that cover them. Summaries come first: after a crash
    in between, the rest is then still recognised as not done."""
    their_messages = [message for message in messages if message.by == user]
    if not their_messages:
        return []
    first = their_messages[0].number
    summaries = [message for message in messages if message.role is Role.SUMMARY and message.covers >= first]
    tally["messages"] += len({message.number for message in (*summaries, *their_messages)})
    return [
        *(erased_message(message) for message in summaries if message.by != user),
        *(erased_message(message)._replace(by=None) for message in their_messages),
    ]
