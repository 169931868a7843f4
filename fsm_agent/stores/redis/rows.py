"""Rows as the texts that Redis keeps. A line break divides what a script must tell apart: JSON has none in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import Lease
from fsm_agent.domain.message import Message
from fsm_agent.domain.record import Origin, Snapshot
from fsm_agent.domain.step import KeyOutcome, Queued, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.stores import codec


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """A hash as a script tells it: name, value, name, value."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def pin_text(head: Head) -> str:
    return f"{head.workflow}\n{codec.encode((head.workflow_version, head.definition, head.created_ms))}"


def moving_text(row: codec.MovingRow) -> str:
    """What no script looks at of a ``MovingRow``."""
    return f"{codec.encode((row.state, row.updated_ms))}\n{row.cold}"


def wake_text(head: Head) -> str:
    """When the agent needs somebody, and when it would while events are queued; ``-`` is never."""
    own_ms, called_ms = head.own_wake_ms, head.wake_if_queued_ms
    return f"{'-' if own_ms is None else own_ms} {'-' if called_ms is None else called_ms}"


def lease_text(lease: Lease | None) -> str:
    if lease is None:
        return ""
    return f"{lease.until_ms} {lease.holder.pid} {lease.holder.started_ms} {lease.holder.host}"


def head_of(agent_id: str, fields: Mapping[str, str]) -> Head:
    workflow, pin = fields["pin"].rsplit("\n", 1)
    workflow_version, definition, created_ms = codec.decode(pin)
    moving, cold = fields["moving"].split("\n")
    state, updated_ms = codec.decode(moving)
    status, version = int(fields["status"]), int(fields["version"])
    row = codec.MovingRow(state, status, version, updated_ms, cold)
    held = codec.HeldRow(int(fields["epoch"]), int(fields.get("queued", 0)), *_lease_row(fields.get("lease")))
    return codec.head_of((agent_id, workflow, workflow_version, definition, created_ms, *row, *held))


def _lease_row(text: str | None) -> codec.LeaseRow:
    if not text:
        return codec.FREE
    until_ms, pid, started_ms, host = text.split(" ", 3)
    return (host, int(pid), int(started_ms), int(until_ms))


#: How many parts of a ``StepRow`` stand before ``append``.
_FACTS = codec.StepRow._fields.index("append")


def step_text(step: Step) -> str:
    """Facts, what was appended, payload, delta, what was used; what is nothing at the end is left away."""
    row = codec.step_row(step)
    facts: list[Json] = list(row[:_FACTS])
    while facts[-1] is None:
        facts.pop()
    texts = (codec.encode(facts), row.append or "", row.payload or "", row.delta or "", row.used or "")
    return "\n".join(texts).rstrip("\n")


def step_of(text: str) -> Step:
    facts, *texts = text.split("\n")
    known = codec.decode(facts)
    texts += [""] * (len(codec.StepRow._fields) - _FACTS - len(texts))
    row: list[Any] = [*known, *[None] * (_FACTS - len(known)), *(text or None for text in texts)]
    return codec.step_of(tuple(row))


#: How many parts of a ``MessageRow`` stand before ``content``.
_MESSAGE_FACTS = codec.MessageRow._fields.index("content")
#: What those are that say nothing.
_NO_FACTS = (0, 0, 0, 0, None)


def message_text(message: Message) -> str:
    """Facts, content, parts; what says nothing at the end is left away. In a thread the number stands before them."""
    row = codec.message_row(message)
    facts: list[Json] = list(row[:_MESSAGE_FACTS])
    while facts[-1] in (None, 0):
        facts.pop()
    return "\n".join((codec.encode(facts), row.content, row.parts or "")).rstrip("\n")


def numbered_text(message: Message) -> str:
    return f"{message.number}\n{message_text(message)}"


def message_of(text: str) -> Message:
    number, facts, content, *parts = text.split("\n")
    known = codec.decode(facts)
    return codec.message_of(int(number), (*known, *_NO_FACTS[len(known) :], content, parts[0] if parts else None))


def snapshot_text(snapshot: Snapshot) -> str:
    """The first line says which steps are covered, and since which the items that they appended are needed."""
    version, appended_since, values = codec.snapshot_row(snapshot)
    since = min(snapshot.appended_since.values(), default=version)
    return f"{version} {since}\n{appended_since}\n{values}"


def snapshot_of(text: str) -> Snapshot:
    covered, appended_since, values = text.split("\n")
    return codec.snapshot_of((int(covered.split()[0]), appended_since, values))


def origin_text(origin: Origin) -> str:
    _, head, values = codec.origin_row(origin)
    return f"{head}\n{values}"


def origin_of(text: str) -> Origin:
    head, values = text.split("\n")
    return codec.origin_of((None, head, values))


def key_text(key: str | None) -> str:
    """Keys are kept as JSON, which knows no line break and no text without bytes; empty is none."""
    return "" if key is None else codec.encode(key)


def key_of(text: str) -> str:
    key: str = codec.decode(text)
    return key


def outcome_text(outcome: KeyOutcome) -> str:
    return f"{'' if outcome.version is None else outcome.version} {outcome.fingerprint}"


def outcome_of(text: str) -> KeyOutcome:
    version, fingerprint = text.split(" ", 1)
    return KeyOutcome(int(version) if version else None, fingerprint)


def outcomes_of(flat: Sequence[str]) -> dict[str, KeyOutcome]:
    return {key_of(key): outcome_of(text) for key, text in pairs(flat).items()}


def start_of(told: tuple[str, str]) -> tuple[str, str]:
    """The key of a creation and its fingerprint; what is kept of it begins with the id."""
    key, start = told
    return key_of(key), start.split(" ", 1)[1]


def queued_text(queued: Queued) -> str:
    return f"{key_text(queued.event.key)}\n{codec.queued_row(queued)}"


def queue_of(flat: Sequence[str]) -> tuple[Queued, ...]:
    queue = sorted((int(number), text) for number, text in pairs(flat).items())
    return tuple(codec.queued_of(number, text.split("\n")[1]) for number, text in queue)


def effect_text(entry: EffectEntry) -> str:
    """The epoch while it is open, its beginning, its end."""
    _, *begun = codec.effect_row(entry)[:8]
    if entry.is_open:
        return f"{entry.epoch}\n{codec.encode(begun)}"
    return f"\n{codec.encode(begun)}\n{ended_text(entry.ended_ms, entry.result)}"


def ended_text(ended_ms: int | None, result: Json) -> str:
    return codec.encode((ended_ms, codec.encode(result)))


def effects_of(flat: Sequence[str]) -> tuple[EffectEntry, ...]:
    """Effects in the order of activation, name and use."""
    found = (effect_of(key, text) for key, text in pairs(flat).items())
    return tuple(sorted(found, key=lambda entry: (entry.activation, entry.name, entry.use)))


def effect_of(key: str, text: str) -> EffectEntry:
    _, begun, *ended = text.split("\n")
    return codec.effect_of((key, *codec.decode(begun), *(codec.decode(ended[0]) if ended else (None, None))))


def user_text(user: UserRecord) -> str:
    """The version stands first, for scripts."""
    version, updated_ms, values = codec.user_row(user)
    return f"{version} {updated_ms}\n{values}"


def user_of(name: str, text: str) -> UserRecord:
    facts, values = text.split("\n")
    return codec.user_of(name, (*map(int, facts.split()), values))


def messages_of(joined: str) -> list[Message]:
    """Messages as a script tells them."""
    return [message_of(text) for text in joined.split("\0")] if joined else []


def steps_of(joined: str) -> tuple[Step, ...]:
    """Steps as a script tells them."""
    return tuple(step_of(text) for text in joined.split("\0")) if joined else ()
