"""Words as the parameters of ``statements``, by name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.lease import Lease
from fsm_agent.domain.message import Message
from fsm_agent.domain.record import AgentExport, AppendedMessages, Commit, Creation, Snapshot
from fsm_agent.domain.selection import ANYBODY, asks, question_place
from fsm_agent.domain.step import Event, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.stores import codec
from fsm_agent.stores.postgres.text_escape import kept

Values: TypeAlias = dict[str, Any]

#: when a question without a deadline lapses
NEVER_MS: Final = 2**63 - 1
#: characters of a name that stands in an index as it is
_LONGEST_NAME: Final = 128


def commit_values(commit: Commit) -> Values:
    head = commit.head
    values = _moving(head) | lease_values(commit.lease) | step_values(commit.step, "0")
    values |= waking(head, is_held=commit.lease is not None)
    values |= {"id": kept(head.id), "epoch": commit.fence}
    if head.asked is not None and asks(head, None):
        values |= question_values(head)
    if commit.snapshot is not None:
        values |= snapshot_values(commit.snapshot)
    return values if commit.is_plain else values | _more(commit)


def _more(commit: Commit) -> Values:
    """What a step brings that is not plain."""
    values: Values = {}
    settlement = commit.settlement
    if commit.repins:
        values["definition"] = commit.head.definition
    if commit.key is not None:
        values |= {"key": kept(commit.key), "fingerprint": kept(commit.fingerprint)}
    if commit.dequeue is not None:
        values["dequeue"] = commit.dequeue
    if settlement is not None:
        values |= {"effect": kept(settlement.key), "result": codec.encode(settlement.result)}
    if commit.user is not None:
        values |= user_values(commit.user)
    for number, appended in enumerate(sorted(commit.said, key=lambda each: each.thread)):
        values |= appended_values(appended, str(number))
    return values


def creation_values(creation: Creation) -> Values:
    head = creation.head
    wake_ms = waking(head, is_held=creation.lease is not None)["wake_ms"]
    values = born_values(head, wake_ms=wake_ms, start=None)
    values |= {"epoch": 1, "queued": 0, "numbered": 0} | lease_values(creation.lease)
    if creation.key is not None:
        values |= {"start_key": kept(creation.key), "start_fingerprint": kept(creation.fingerprint)}
    for number, step in enumerate(creation.steps):
        values |= step_values(step, str(number))
    return values


def adoption_values(export: AgentExport) -> Values:
    head = export.head
    wakes = waking(head, is_held=head.lease is not None)
    wake_ms = wakes["wake_if_queued" if head.queued else "wake_ms"]
    values = born_values(head, wake_ms=wake_ms, start=export.start) | lease_values(head.lease)
    return values | {"epoch": head.epoch, "queued": head.queued, "numbered": export.numbered}


def born_values(head: Head, *, wake_ms: int | None, start: tuple[str, str] | None) -> Values:
    key, fingerprint = start or (None, None)
    return (
        _moving(head)
        | finding_values(head)
        | {
            "id": kept(head.id),
            "definition": head.definition,
            "created_ms": head.created_ms,
            "wake_ms": wake_ms,
            "start_key": kept(key),
            "start_fingerprint": kept(fingerprint),
        }
    )


def _moving(head: Head) -> Values:
    state, status, version, updated_ms, cold = codec.moving_row(head)
    return {
        "state": kept(state),
        "status": status,
        "version": version,
        "updated_ms": updated_ms,
        "cold": cold,
    }


def waking(head: Head, *, is_held: bool) -> Values:
    """When an agent is due, and when if events are queued, of which only the store knows; see ``lease_statements``."""
    at_once_ms = 0 if is_held else head.updated_ms
    wake_ms, if_queued_ms = head.own_wake_ms, head.wake_if_queued_ms
    return {
        "wake_ms": at_once_ms if wake_ms == 0 else wake_ms,
        "wake_if_queued": at_once_ms if if_queued_ms == 0 else if_queued_ms,
    }


#: by what it is found that an agent does not ask
NO_QUESTION: Final[Values] = {"asked_due": None, "asked_to": None, "addressees": "[]"}


def question_values(head: Head) -> Values:
    """The values by which an open question is found."""
    if head.asked is None or not asks(head, None):
        return NO_QUESTION
    due_ms, (to, several) = question_place(head).due_ms, _addressed(head.asked.to)
    return {
        "asked_due": NEVER_MS if due_ms is None else due_ms,
        "asked_to": None if to is None else found_as(to),
        "addressees": codec.encode([found_as(name) for name in several]),
    }


def _addressed(to: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The addressees of a question: anybody or one, or ``None`` and those who are several."""
    people = tuple(dict.fromkeys(to))
    if not people:
        return ANYBODY, ()
    is_one = len(people) == 1 and people[0] != ANYBODY
    return (people[0], ()) if is_one else (None, people)


def asks_several(values: Values) -> bool:
    """Whether these are the values of a question to several people."""
    return values.get("asked_due") is not None and values["asked_to"] is None


def finding_values(head: Head) -> Values:
    """The values by which an agent is found from its creation on."""
    labels = [(found_as(name), found_as(text)) for name, text in head.labels.items()]
    user = None if head.user is None else found_as(head.user)
    return question_values(head) | {"serves": user, "labels": codec.encode(labels)}


def found_as(text: str) -> str:
    """A name in an index, whose entries may not be long: of a long name its digest, which no kept text is like."""
    kept_text = kept(text) or ""
    if len(kept_text) <= _LONGEST_NAME:
        return kept_text
    return f"\x1a#{hashlib.sha256(kept_text.encode()).hexdigest()}"


def lease_values(lease: Lease | None, prefix: str = "") -> Values:
    host, pid, started_ms, until_ms = codec.lease_row(lease)
    return {
        f"{prefix}host": kept(host),
        f"{prefix}pid": pid,
        f"{prefix}started_ms": started_ms,
        f"{prefix}until_ms": until_ms,
    }


def seen_values(seen: Head) -> Values:
    """What a compare-and-set on all that was seen compares."""
    at = {"id": kept(seen.id), "seen_version": seen.version, "seen_epoch": seen.epoch}
    return at | lease_values(seen.lease, "seen_")


def step_values(step: Step, suffix: str) -> Values:
    version, kind, event, source, target, at_ms, by, duration_ms, reason, *texts = codec.step_row(step)
    names = (kept(event), kept(source), kept(target))
    row = (version, kind, *names, at_ms, kept(by), duration_ms, kept(reason), *texts)
    return dict(zip(_step_parameters(suffix), row, strict=True))


@cache
def _step_parameters(suffix: str) -> tuple[str, ...]:
    return tuple(f"{column}_{suffix}" for column in codec.StepRow._fields)


def snapshot_values(snapshot: Snapshot) -> Values:
    version, appended_since, data = codec.snapshot_row(snapshot)
    since = min(snapshot.appended_since.values(), default=version)
    return {"covered": version, "since": since, "appended_since": appended_since, "data": data}


def event_values(event: Event, fingerprint: str) -> Values:
    return {"key": kept(event.key), "event": codec.event_text(event), "fingerprint": kept(fingerprint)}


def appended_values(appended: AppendedMessages, suffix: str) -> Values:
    """What is added to a thread, numbered from 1 on."""
    numbered = [message._replace(number=place) for place, message in enumerate(appended.messages, 1)]
    return {
        f"thread_{suffix}": kept(appended.thread),
        f"count_{suffix}": len(numbered),
        f"messages_{suffix}": messages_text(numbered),
    }


def messages_text(messages: Sequence[Message]) -> str:
    """Messages by their numbers, as one JSON text."""
    rows = [(message.number, codec.message_row(message)) for message in messages]
    return codec.encode([(number, *row._replace(by=kept(row.by))) for number, row in rows])


def user_values(user: UserRecord) -> Values:
    version, updated_ms, data = codec.user_row(user)
    return {"user": kept(user.name), "user_version": version, "user_ms": updated_ms, "user_data": data}


def effect_values(entry: EffectEntry) -> Values:
    row = codec.effect_row(entry)
    named = row._replace(key=kept(row.key) or "", name=kept(row.name) or "", fingerprint=kept(row.fingerprint) or "")
    return named._asdict()
