"""The verbs that write, as calls of scripts. Making one encodes all that it will write, so nothing is aliased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import Claimed, Lease
from fsm_agent.domain.record import AgentExport, Commit, Creation, Origin, Snapshot
from fsm_agent.domain.step import Event, KeyOutcome
from fsm_agent.stores import codec
from fsm_agent.stores.redis import index, rows, thread_calls
from fsm_agent.stores.redis.keys import SpaceKeys, agent_keys, space_keys, thread_key
from fsm_agent.stores.redis.scripts import Call, script
from fsm_agent.stores.redis.takes import Place, Wanted


class Units:
    """The calls of one namespace."""

    def __init__(self, namespace: str) -> None:
        self.space: SpaceKeys = space_keys(namespace)
        self._namespace = namespace

    def saving_workflow(self, schema: int, definition_hash: str, definition: Mapping[str, Json]) -> Call:
        keys = (self.space.schema, self.space.workflows)
        return Call(script("save_workflow"), keys, (str(schema), definition_hash, codec.encode(definition)))

    def creating(self, creation: Creation) -> Call:
        head, space = creation.head, self.space
        own, moving = agent_keys(self._namespace, head.id), codec.moving_row(head)
        return Call(
            script("create"),
            (own.head, own.history, space.due, space.held, space.listed, space.starts, space.workflows),
            (
                head.id,
                str(moving.version),
                str(moving.status),
                rows.wake_text(head),
                rows.lease_text(creation.lease),
                rows.moving_text(moving),
                rows.pin_text(head),
                head.definition,
                rows.key_text(creation.key),
                f"{head.id} {creation.fingerprint}",
                index.asks_text(head),
                index.tags_text(head),
                *map(rows.step_text, creation.steps),
            ),
        )

    def committing(self, commit: Commit) -> Call:
        head, space = commit.head, self.space
        own, moving = agent_keys(self._namespace, head.id), codec.moving_row(head)
        plain = (own.head, own.history, space.due, space.held, space.listed)
        facts = (
            head.id,
            str(head.version - 1),
            _fence_text(commit),
            str(moving.version),
            str(moving.status),
            rows.wake_text(head),
            rows.lease_text(commit.lease),
            rows.moving_text(moving),
            rows.step_text(commit.step),
            index.asks_text(head),
        )
        if commit.is_plain and commit.snapshot is None:
            return Call(script("commit"), plain, facts)
        more = (*_more(commit), *thread_calls.remembered(commit.user))
        keys = (*plain, own.snapshot, own.queue, own.keys, own.effects, own.activations, space.workflows)
        threads = [thread_key(self._namespace, each.thread) for each in commit.said]
        appended = [text for each in commit.said for text in thread_calls.appended_texts(each)]
        return Call(script("commit"), (*keys, space.users, space.named, *threads), (*facts, *more, *appended))

    def enqueuing(self, agent_id: str, version: int | None, event: Event, fingerprint: str) -> Call:
        own, text = agent_keys(self._namespace, agent_id), codec.event_text(event)
        return Call(
            script("enqueue"),
            (own.head, self.space.due, self.space.held, own.queue, own.keys),
            (
                agent_id,
                "" if version is None else str(version),
                rows.key_text(event.key),
                rows.outcome_text(KeyOutcome(None, fingerprint)),
                text[:-1],
            ),
        )

    def claiming(self, agent_id: str, seen: Head, lease: Lease) -> Call:
        return Call(script("claim"), self._held(agent_id), (agent_id, *_seen(seen), rows.lease_text(lease)))

    def taking(self, now_ms: int, limit: int, lease: Lease, wanted: Wanted, behind: Place) -> Call:
        """Looks for agents behind a place."""
        names = "" if wanted.workflows is None else str(len(wanted.workflows))
        left_out = [codec.encode(text) for pair in wanted.without for text in pair]
        arguments = (str(now_ms), str(limit), rows.lease_text(lease), *behind, names, *(wanted.workflows or ()))
        return Call(script("take"), self._held(""), (*arguments, *left_out))

    def renewing(self, held: Sequence[Claimed], lease: Lease) -> Call:
        heads = [agent_keys(self._namespace, each.agent_id).head for each in held]
        facts = [text for each in held for text in (each.agent_id, str(each.epoch))]
        return Call(script("renew_all"), (self.space.due, self.space.held, *heads), (rows.lease_text(lease), *facts))

    def holding(self, agent_id: str, epoch: int, lease: Lease | None) -> Call:
        """Prolongs a lease; ``None`` gives it up."""
        return Call(script("hold"), self._held(agent_id), (agent_id, str(epoch), rows.lease_text(lease)))

    def trying(self, epoch: int, moving: str, tried: Head) -> Call:
        """Puts ``tried`` in the place of the head whose text ``moving`` is; the version stays."""
        after = rows.moving_text(codec.moving_row(tried))
        arguments = (tried.id, str(epoch), moving, after, rows.wake_text(tried))
        return Call(script("attempt"), self._held(tried.id), arguments)

    def beginning_effect(self, agent_id: str, entry: EffectEntry, *, again: bool) -> Call:
        own, activation = agent_keys(self._namespace, agent_id), str(entry.activation)
        arguments = (entry.key, str(entry.epoch), activation, rows.effect_text(entry), str(int(again)))
        return Call(script("begin_effect"), (own.head, own.effects, own.activations), arguments)

    def ending_effect(self, agent_id: str, entry: EffectEntry) -> Call:
        own = agent_keys(self._namespace, agent_id)
        arguments = (entry.key, str(entry.epoch), rows.ended_text(entry.ended_ms, entry.result))
        return Call(script("end_effect"), (own.head, own.effects), arguments)

    def shortening(self, seen: Head, origin: Origin) -> Call:
        own, last = agent_keys(self._namespace, seen.id), origin.head.version
        snapshot = rows.snapshot_text(Snapshot(last, origin.values))
        arguments = (*_seen(seen), str(last), rows.origin_text(origin), snapshot)
        return Call(script("shorten"), (own.head, own.history, own.snapshot, own.origin), arguments)

    def deleting(self, seen: Head) -> Call:
        own, space = agent_keys(self._namespace, seen.id), self.space
        keys = (space.due, space.held, space.listed, space.starts, *own)
        return Call(script("delete"), keys, (seen.id, *_seen(seen), str(seen.queued)))

    def adopting(self, export: AgentExport, replaces: Head | None) -> Call:
        head, space = export.head, self.space
        key, fingerprint = export.start or (None, "")
        own = agent_keys(self._namespace, head.id)
        facts = (
            head.id,
            head.definition,
            rows.key_text(key),
            f"{head.id} {fingerprint}",
            rows.snapshot_text(export.snapshot) if export.snapshot else "",
            rows.origin_text(export.origin) if export.origin else "",
            *((*_seen(replaces), str(replaces.queued)) if replaces else ("", "", "", "")),
        )
        return Call(
            script("adopt"),
            (*own, space.due, space.held, space.listed, space.starts, space.workflows),
            (*facts, *(text for part in _parts(export) for text in (str(len(part)), *part))),
        )

    def _held(self, agent_id: str) -> tuple[str, ...]:
        return (agent_keys(self._namespace, agent_id).head, self.space.due, self.space.held)


def _more(commit: Commit) -> tuple[str, ...]:
    """What comes with a step that is not plain; empty texts for what does not."""
    head, settlement = commit.head, commit.settlement
    ended = rows.ended_text(head.updated_ms, settlement.result) if settlement and settlement.was_done else ""
    return (
        rows.key_text(commit.key),
        "" if commit.key is None else rows.outcome_text(KeyOutcome(head.version, commit.fingerprint)),
        "" if commit.dequeue is None else str(commit.dequeue),
        rows.snapshot_text(commit.snapshot) if commit.snapshot else "",
        settlement.key if settlement else "",
        ended,
        rows.pin_text(head) if commit.repins else "",
        head.definition if commit.repins else "",
    )


def _fence_text(commit: Commit) -> str:
    """The epoch that must be the stored one, if any; ``~`` in front of it, or alone, says that the epoch goes up."""
    fence = "" if commit.fence is None else str(commit.fence)
    return f"~{fence}" if commit.epoch is None else fence


def _seen(head: Head) -> tuple[str, str, str]:
    return (str(head.version), str(head.epoch), rows.lease_text(head.lease))


def _parts(export: AgentExport) -> Sequence[Sequence[str]]:
    """What ``adopt`` is told, part by part; all but the steps are name, value, name, value."""
    head, moving = export.head, codec.moving_row(export.head)
    fields = {
        "pin": rows.pin_text(head),
        "moving": rows.moving_text(moving),
        "version": str(moving.version),
        "epoch": str(head.epoch),
        "status": str(moving.status),
        "wake": rows.wake_text(head),
        "lease": rows.lease_text(head.lease),
        "queued": str(len(export.queue) or ""),
        "numbered": str(export.numbered or ""),
        "forgotten": str(head.version - len(export.steps) or ""),
        "start": rows.key_text(export.start[0] if export.start else None),
        "asks": index.asks_text(head),
        "tags": index.tags_text(head),
    }
    return (
        _flat({name: text for name, text in fields.items() if text}),
        [rows.step_text(step) for step in export.steps],
        _flat({str(queued.number): rows.queued_text(queued) for queued in export.queue}),
        _flat({rows.key_text(key): rows.outcome_text(outcome) for key, outcome in export.keys.items()}),
        _flat({entry.key: rows.effect_text(entry) for entry in export.effects}),
        [text for entry in export.effects for text in (str(entry.activation), entry.key)],
        [str(head.talk.last), *map(rows.numbered_text, export.messages)] if head.talk.last else [],
    )


def _flat(mapping: Mapping[str, str]) -> list[str]:
    return [text for pair in mapping.items() for text in pair]
