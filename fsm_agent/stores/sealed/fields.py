"""The fields that a store keeps, sealed and clear.

Sealed is what agents say: data, payloads, prompts, outputs, messages, results, fingerprints, goals, and what is
remembered of users. In clear stays what a database compares, counts, sorts or filters: ids, states, statuses, versions,
times, names of events, effects, threads and users, who, roles, counts of tokens and of steps to do, keys, visits,
timers, labels with their texts; and the names of lists that are only appended to, by which their items are found.

What is clear is given back as it is: a store may be sealed from some day on.
"""

from __future__ import annotations

from collections.abc import Mapping

from fsm_agent.data.sealed import MARK, key_id_of, sealed_text
from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry, Settlement
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import Origin, Snapshot
from fsm_agent.domain.step import Delta, Event, KeyOutcome, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import KeyMissing, StoreCorrupt
from fsm_agent.stores.sealed.cipher import MESSAGE, USER, Seal


class SealedFields:
    """Seals and opens the fields of one namespace; each method's first argument is the agent, or the thread, where the
    word does not say it."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def seal_head(self, head: Head, place: str = "head") -> Head:
        asked, problem, progress = head.asked, head.problem, head.progress
        if head.output is None and asked is None and problem is None and progress is None:
            return head
        held = problem.held if problem else None
        hidden = [head.output, asked and asked.prompt, problem and problem.message, held and dict(held.payload)]
        if progress is not None:
            hidden += [progress.goal, progress.current]
        return head._replace(
            output=self._sealed(hidden, head.id, place, head.version),
            asked=asked and asked._replace(prompt=""),
            problem=problem and problem._replace(message="", held=held and held._replace(payload={})),
            progress=progress and progress._replace(goal=None, current=None),
        )

    def seal_problem(self, agent_id: str, version: int, problem: Problem) -> Problem:
        """Why an attempt failed: it is noted without a step, and so under a seal of its own."""
        return problem._replace(message=self._seal.close(problem.message, agent_id, "attempt", version))

    def open_head(self, head: Head, place: str = "head") -> Head:
        problem = head.problem
        if problem is None or key_id_of(problem.message) is None:
            return self._open_stepped(head, place)
        message = self._seal.open(problem.message, head.id, "attempt", head.version)
        return self._open_stepped(head, place)._replace(problem=problem._replace(message=message))

    def _open_stepped(self, head: Head, place: str) -> Head:
        """A head whose fields were sealed by a step."""
        if sealed_text(head.output) is None:
            return head
        output, prompt, message, payload, *task = self._opened(head.output, head.id, place, head.version)
        problem = head.problem
        held = problem.held._replace(payload=payload) if problem and problem.held else None
        return head._replace(
            output=output,
            asked=head.asked and head.asked._replace(prompt=prompt),
            problem=problem and problem._replace(message=message, held=held),
            progress=head.progress and head.progress._replace(**dict(zip(("goal", "current"), task, strict=False))),
        )

    def open_listed(self, head: Head) -> Head:
        """A head of a list. A problem that does not open is left without its message, so that the list can be shown."""
        try:
            return self.open_head(head)
        except (KeyMissing, StoreCorrupt):
            return head._replace(problem=head.problem and head.problem._replace(message=""))

    def seal_step(self, agent_id: str, step: Step) -> Step:
        """All but appended items under one seal. Those have their own: they are read without the rest."""
        delta, version = step.delta, step.version
        fields = {name: items for name, items in delta.append.items() if "/" not in name}
        deeper = {pointer: items for pointer, items in delta.append.items() if "/" in pointer}
        hidden = [dict(delta.set), dict(step.payload), step.reason, delta.remove, deeper]
        append: dict[str, list[Json]] = {
            name: [self._seal.close(items, agent_id, "append", version, name)] for name, items in fields.items()
        }
        if append:
            append[MARK] = []
        sealed = self._sealed(_trimmed(hidden), agent_id, "step", version)
        return step._replace(payload=sealed, reason=None, delta=Delta(append=append))

    def open_step(self, agent_id: str, step: Step) -> Step:
        append = self._opened_append(agent_id, step)
        text = sealed_text(step.payload)
        if text is None:
            return step._replace(delta=step.delta._replace(append=append)) if MARK in step.delta.append else step
        hidden: list[Json] = self._seal.open(text, agent_id, "step", step.version)
        changed, payload, reason, removed, deeper = (hidden + [None] * 5)[:5]
        delta = Delta(changed or {}, tuple(removed or ()), {**append, **(deeper or {})})
        return step._replace(payload=payload or {}, reason=reason, delta=delta)

    def _opened_append(self, agent_id: str, step: Step) -> Mapping[str, list[Json]]:
        append = step.delta.append
        if MARK not in append:
            return append
        return {
            name: self._seal.open(items[0] if items else None, agent_id, "append", step.version, name)
            for name, items in append.items()
            if name != MARK
        }

    def seal_event(self, agent_id: str, event: Event) -> Event:
        return event._replace(payload=self._sealed(dict(event.payload), agent_id, "event", *_names(event)))

    def open_event(self, agent_id: str, event: Event) -> Event:
        return event._replace(payload=self._opened(event.payload, agent_id, "event", *_names(event)))

    def seal_snapshot(self, agent_id: str, snapshot: Snapshot) -> Snapshot:
        return snapshot._replace(values=self._sealed(dict(snapshot.values), agent_id, "data", snapshot.version))

    def open_snapshot(self, agent_id: str, snapshot: Snapshot) -> Snapshot:
        return snapshot._replace(values=self._opened(snapshot.values, agent_id, "data", snapshot.version))

    def seal_origin(self, origin: Origin) -> Origin:
        """Its values become the snapshot of their version, and are sealed like one."""
        head = origin.head
        values = self._sealed(dict(origin.values), head.id, "data", head.version)
        return Origin(self.seal_head(head, "origin"), values)

    def open_origin(self, origin: Origin) -> Origin:
        head = origin.head
        return Origin(self.open_head(head, "origin"), self._opened(origin.values, head.id, "data", head.version))

    def seal_effect(self, agent_id: str, entry: EffectEntry) -> EffectEntry:
        result = None if entry.is_open else self._sealed(entry.result, agent_id, "result", entry.key)
        return entry._replace(fingerprint=self._closed(entry.fingerprint, agent_id, "effect", entry.key), result=result)

    def open_effect(self, agent_id: str, entry: EffectEntry) -> EffectEntry:
        return entry._replace(
            fingerprint=self.open_fingerprint(entry.fingerprint, agent_id, "effect", entry.key),
            result=self._opened(entry.result, agent_id, "result", entry.key),
        )

    def seal_message(self, thread: str, message: Message) -> Message:
        """The seal is bound to what is known before the message has a number: who wrote it, and when."""
        hidden = [message.content, [dict(part) for part in message.parts]]
        return message._replace(content="", parts=(self._sealed(hidden, thread, *_spoken(message)),))

    def open_message(self, thread: str, message: Message) -> Message:
        [part] = message.parts if len(message.parts) == 1 else [None]
        text = sealed_text(part)
        if text is None:
            return message
        content, parts = self._seal.open(text, thread, *_spoken(message))
        return message._replace(content=content, parts=tuple(parts))

    def seal_user(self, user: UserRecord) -> UserRecord:
        return user._replace(values=self._sealed(dict(user.values), user.name, USER, user.version))

    def open_user(self, user: UserRecord) -> UserRecord:
        return user._replace(values=self._opened(user.values, user.name, USER, user.version))

    def seal_settlement(self, agent_id: str, settlement: Settlement) -> Settlement:
        if not settlement.was_done:
            return settlement
        return settlement._replace(result=self._sealed(settlement.result, agent_id, "result", settlement.key))

    def seal_fingerprint(self, fingerprint: str, agent_id: str, what: str, key: str | None) -> str:
        """``what`` the key is of: ``key`` is an event's, ``start`` a creation's."""
        return self._closed(fingerprint, agent_id, what, key) if key is not None else fingerprint

    def open_fingerprint(self, fingerprint: str, agent_id: str, what: str, key: str) -> str:
        if key_id_of(fingerprint) is None:
            return fingerprint
        return str(self._seal.open(fingerprint, agent_id, what, key))

    def open_outcome(self, agent_id: str, key: str, outcome: KeyOutcome) -> KeyOutcome:
        return outcome._replace(fingerprint=self.open_fingerprint(outcome.fingerprint, agent_id, "key", key))

    def _closed(self, text: str, agent_id: str, *place: Json) -> str:
        return self._seal.close(text, agent_id, *place) if text else text

    def _sealed(self, value: Json, agent_id: str, *place: Json) -> dict[str, Json]:
        return {MARK: self._seal.close(value, agent_id, *place)}

    def _opened(self, value: Json, agent_id: str, *place: Json) -> Json:
        text = sealed_text(value)
        return value if text is None else self._seal.open(text, agent_id, *place)


def _names(event: Event) -> tuple[str, str | None, str | None]:
    return (event.name, event.by, event.key)


def _spoken(message: Message) -> tuple[str, str, int, str | None]:
    return (MESSAGE, str(message.role), message.at_ms, message.by)


def _trimmed(parts: list[Json]) -> list[Json]:
    """``parts``, ``None`` for what is empty, without those at the end."""
    trimmed = [None if part is None or part in ({}, ()) else part for part in parts]
    while trimmed and trimmed[-1] is None:
        trimmed.pop()
    return trimmed
