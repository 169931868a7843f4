"""Builders of evidence: a sound history, with whatever is to be wrong in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.effect import EffectEntry, EffectMode
from fsm_agent.domain.record import AgentExport
from fsm_agent.domain.step import Delta, KeyOutcome, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.testing.faults.evidence import Evidence, StoredAgent
from fsm_agent.testing.faults.journal import Entry, Outcome, WriterLog
from fsm_agent.testing.faults.order_workload import order_workflow, receipt_of

AGENT = "order-0-0"


def a_step(version: int, event: str = "note", *, to: str = "idle", **changes: Any) -> Step:
    """Taken a second after the last, with a token that is its version."""
    token = f"t{version}"
    step = Step(
        version=version,
        kind=StepKind.EVENT,
        event=event,
        payload={"token": token},
        source=to,
        target=to,
        at_ms=NEW_YEAR_MS + 1_000 * version,
        delta=Delta(append={"log": [token]}),
    )
    return step._replace(**changes)


def steps(count: int = 4) -> list[Step]:
    """Created, and then notes."""
    values = {"log": [], "worked": 0, "sums": {}, "receipt": None}
    created = a_step(1, "created", kind=StepKind.CREATED, source=None, payload={}, delta=Delta(values), entered=1)
    return [created, *(a_step(version) for version in range(2, count + 1))]


def an_agent(history: list[Step] | None = None, *, head: Mapping[str, Any] | None = None, **export: Any) -> StoredAgent:
    """As the store would keep it; ``head`` and ``export`` are fields that are different."""
    history = steps() if history is None else history
    last, workflow = history[-1], order_workflow(1)
    made = Head(
        id=AGENT,
        workflow=workflow.name,
        workflow_version=1,
        definition=workflow.hash,
        state=last.target,
        status=Status.WAITING,
        version=last.version,
        created_ms=history[0].at_ms,
        updated_ms=last.at_ms,
    )
    kept = StoredAgent(AgentExport(made._replace(**(head or {})), tuple(history), **export), {}, workflow)
    values: dict[str, Any] = {}
    for _, values in kept.folded():  # noqa: B007 - the last one
        pass
    return replace(kept, values=values)


def an_entry(verb: str, outcome: Outcome = "ok", *, at: int = 1, took: int | None = 1, **rest: Any) -> Entry:
    """Something that writer ``w`` did to the agent at ``at``; ``facts``, ``reply`` and ``writer`` may be given."""
    facts = {"agent": AGENT, **rest.get("facts", {})}
    end = None if took is None else at + took
    return Entry(rest.get("writer", "w"), at, verb, facts, at, end, outcome, rest.get("reply", {}))


def a_send(token: str, outcome: Outcome = "ok", *, key: str | None = None, **reply: Any) -> Entry:
    facts = {"token": token, "key": key, "event": "note", "drive": reply.pop("drive", True)}
    return an_entry("send", outcome, facts=facts, reply={"delivery": "applied", "version": 9, **reply})


def a_commit(version: int, **rest: Any) -> Entry:
    """Under epoch 1, of the step that ``steps`` has there; ``epoch`` and ``given`` are that before and after."""
    facts = {
        "version": version,
        "epoch": rest.pop("epoch", 1),
        "event": "note",
        "kind": "event",
        "token": f"t{version}",
    }
    return an_entry("commit", facts=facts, reply={"epoch": rest.pop("given", 1)}, **rest)


def a_claim(epoch: int, **rest: Any) -> Entry:
    return an_entry("claim", facts={"epoch": epoch - 1, "held_by": None}, reply={"epoch": epoch}, **rest)


def a_take(
    epoch: int, *, now_ms: int = 99, until_ms: int = 199, agents: tuple[str, ...] = (AGENT,), **rest: Any
) -> Entry:
    """Of all these agents at once; the clock says ``now_ms`` then."""
    reply = {"claimed": dict.fromkeys(agents, epoch), "now_ms": now_ms}
    taken = an_entry("take", reply=reply, **rest)
    return taken._replace(facts={"limit": 9, "until_ms": 199})


def a_renewal(epoch: int, *, until_ms: int = 299, is_held: bool = True, **rest: Any) -> Entry:
    """Of this agent and of one that somebody else holds."""
    renewed = an_entry("renew_all", reply={"renewed": [AGENT] if is_held else []}, **rest)
    return renewed._replace(facts={"held": {AGENT: epoch, "lost": 1}, "until_ms": until_ms})


def an_effect(key: str = "k", **changes: Any) -> EffectEntry:
    """Recorded."""
    entry = EffectEntry(key, 2, "charge", 1, EffectMode.AT_MOST_ONCE, "f", 1, NEW_YEAR_MS, NEW_YEAR_MS, receipt_of(key))
    return entry._replace(**changes)


def an_end(key: str = "k", **rest: Any) -> Entry:
    return an_entry("end_effect", facts={"key": key, "epoch": 1, "result": receipt_of(key)}, reply={"is": True}, **rest)


def evidence(*entries: Entry, kept: StoredAgent | None = None, notes: Any = (), **rest: Any) -> Evidence:
    """Evidence of one order. The events of its history that ``entries`` do not mention were sent, too."""
    kept = kept or an_agent()
    said = {entry.facts["token"] for entry in entries if entry.verb == "send"}
    tokens = [step.payload["token"] for step in kept.steps if "token" in step.payload]
    others = [a_send(token) for token in dict.fromkeys(tokens) if token not in said]
    log = WriterLog("w", (*entries, *others), tuple(notes), None)
    return Evidence(**{"orders": {AGENT: kept}, "logs": (log,), **rest})


def keys(**versions: int | None) -> dict[str, KeyOutcome]:
    return {key: KeyOutcome(version, "f") for key, version in versions.items()}
