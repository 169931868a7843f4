"""The verbs that read an agent, as calls of scripts, and what their answers say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fsm_agent.agent import Head
from fsm_agent.record import Dossier, Record
from fsm_agent.stores.redis import rows
from fsm_agent.stores.redis.keys import SpaceKeys, agent_keys
from fsm_agent.stores.redis.scripts import Call, script


def loading(namespace: str, agent_id: str, key: str | None) -> Call:
    own = agent_keys(namespace, agent_id)
    return Call(script("load"), (own.head, own.history, own.snapshot, own.queue, own.keys), (rows.key_text(key),))


def record_of(agent_id: str, told: Sequence[Any]) -> Record:
    fields, snapshot, tail, queue, outcome = told
    return Record(
        head=rows.head_of(agent_id, rows.pairs(fields)),
        snapshot=rows.snapshot_of(snapshot) if snapshot else None,
        tail=rows.steps_of(tail),
        queue=rows.queue_of(queue),
        outcome=rows.outcome_of(outcome) if outcome else None,
    )


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


def dossier_of(agent_id: str, told: Sequence[Any]) -> Dossier:
    flat, steps, snapshot, origin, queue, keys, effects, start, said = told
    fields = rows.pairs(flat)
    return Dossier(
        head=rows.head_of(agent_id, fields),
        steps=rows.steps_of(steps),
        snapshot=rows.snapshot_of(snapshot) if snapshot else None,
        origin=rows.origin_of(origin) if origin else None,
        queue=rows.queue_of(queue),
        numbered=int(fields.get("numbered", 0)),
        keys={rows.key_of(key): rows.outcome_of(outcome) for key, outcome in rows.pairs(keys).items()},
        start=(rows.key_of(fields["start"]), start.split(" ", 1)[1]) if start else None,
        effects=rows.effects_of(effects),
        messages=tuple(rows.messages_of(said)),
    )


def heads_of(ids: Sequence[str], answers: Sequence[Sequence[str]]) -> list[Head]:
    """Heads as ``HGETALL`` tells them; who is gone by now is left out."""
    return [rows.head_of(agent_id, rows.pairs(flat)) for agent_id, flat in zip(ids, answers, strict=True) if flat]
