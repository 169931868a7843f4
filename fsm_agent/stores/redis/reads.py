"""The verbs that read an agent, as calls of scripts, and what their answers say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redis.exceptions import RedisError

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.record import AgentExport, Origin, Record
from fsm_agent.domain.step import Step
from fsm_agent.errors import AgentDamaged
from fsm_agent.stores.damage import check_record, reading
from fsm_agent.stores.redis import rows
from fsm_agent.stores.redis.keys import SpaceKeys, agent_keys
from fsm_agent.stores.redis.scripts import Call, script

T = TypeVar("T")


def loading(namespace: str, agent_id: str, key: str | None) -> Call:
    own = agent_keys(namespace, agent_id)
    return Call(script("load"), (own.head, own.history, own.snapshot, own.queue, own.keys), (rows.key_text(key),))


def record_of(namespace: str, agent_id: str, told: Sequence[Any]) -> Record:
    """Raises ``AgentDamaged``."""
    own = agent_keys(namespace, agent_id)
    fields, snapshot, tail, queue, outcome = told
    record = Record(
        head=head_of(namespace, agent_id, fields),
        snapshot=_part(agent_id, own.snapshot, rows.snapshot_of, snapshot) if snapshot else None,
        tail=_part(agent_id, own.history, rows.steps_of, tail),
        queue=_part(agent_id, own.queue, rows.queue_of, queue),
        outcome=_part(agent_id, own.keys, rows.outcome_of, outcome) if outcome else None,
    )
    return check_record(record, own.history, queue=own.queue)


def head_of(namespace: str, agent_id: str, fields: Sequence[str]) -> Head:
    """A head as ``HGETALL`` tells it; raises ``AgentDamaged``."""
    key = agent_keys(namespace, agent_id).head
    return _part(agent_id, key, lambda flat: rows.head_of(agent_id, rows.pairs(flat)), fields)


def _part(agent_id: str, key: str, read: Callable[[Any], T], told: Any) -> T:
    """What ``read`` makes of what stands under a key."""
    if isinstance(told, RedisError):
        raise AgentDamaged(agent_id, key, "the key is of another type than fsm-agent makes it") from told
    with reading(agent_id, key):
        return read(told)


def reading_history(namespace: str, agent_id: str, after: int, limit: int | None) -> Call:
    own = agent_keys(namespace, agent_id)
    return Call(script("history"), (own.head, own.history), (str(after), str(-1 if limit is None else limit)))


def reading_origin(namespace: str, agent_id: str) -> Call:
    own = agent_keys(namespace, agent_id)
    return Call(script("origin"), (own.head, own.origin), ())


def reading_effects(namespace: str, agent_id: str, activation: int) -> Call:
    own = agent_keys(namespace, agent_id)
    return Call(script("effects"), (own.head, own.effects, own.activations), (str(activation),))


#: All keys of an agent but ``activations``, which say nothing new, are read by the next two.
def weighing(namespace: str, agent_id: str) -> Call:
    own = agent_keys(namespace, agent_id)
    return Call(script("size"), own[:-1], ())


def dumping(namespace: str, agent_id: str, space: SpaceKeys) -> Call:
    own = agent_keys(namespace, agent_id)
    return Call(script("dump"), (*own[:-1], space.starts), ())


def dossier_of(namespace: str, agent_id: str, told: Sequence[Any]) -> AgentExport:
    """Raises ``AgentDamaged`` for the first part that cannot be read."""
    own = agent_keys(namespace, agent_id)
    flat, steps, snapshot, origin, queue, keys, effects, start, said = told
    head, fields = head_of(namespace, agent_id, flat), rows.pairs(flat)
    return AgentExport(
        head=head,
        steps=_part(agent_id, own.history, rows.steps_of, steps),
        snapshot=_part(agent_id, own.snapshot, rows.snapshot_of, snapshot) if snapshot else None,
        origin=_part(agent_id, own.origin, rows.origin_of, origin) if origin else None,
        queue=_part(agent_id, own.queue, rows.queue_of, queue),
        numbered=_part(agent_id, own.head, int, fields.get("numbered", 0)),
        keys=_part(agent_id, own.keys, rows.outcomes_of, keys),
        start=_part(agent_id, own.head, rows.start_of, (fields["start"], start)) if start else None,
        effects=_part(agent_id, own.effects, rows.effects_of, effects),
        messages=tuple(_part(agent_id, own.thread, rows.messages_of, said)),
    )


def effects_of(namespace: str, agent_id: str, found: Sequence[str]) -> Sequence[EffectEntry]:
    return _part(agent_id, agent_keys(namespace, agent_id).effects, rows.effects_of, found)


def steps_of(namespace: str, agent_id: str, joined: str) -> Sequence[Step]:
    return _part(agent_id, agent_keys(namespace, agent_id).history, rows.steps_of, joined)


def origin_of(namespace: str, agent_id: str, text: str) -> Origin:
    return _part(agent_id, agent_keys(namespace, agent_id).origin, rows.origin_of, text)
