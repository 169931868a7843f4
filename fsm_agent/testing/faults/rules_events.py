"""What must be true of every event that was sent to an order: it is never lost, and never happens twice. Pure."""

from __future__ import annotations

from collections import defaultdict

from fsm_agent.domain.agent import Status
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.testing.faults.evidence import Evidence, StoredAgent
from fsm_agent.testing.faults.journal import Entry
from fsm_agent.testing.faults.rules_history import RuleResults
from fsm_agent.testing.faults.store import token_of

_CALLS = ("start", "send", "answer")


def no_event_happens_twice(evidence: Evidence) -> RuleResults:
    for agent, stored in evidence.orders.items():
        for token, versions in _found(stored).items():
            yield None if len(versions) == 1 else f"{token} happened to {agent} at versions {versions}"


def no_event_comes_from_nowhere(evidence: Evidence) -> RuleResults:
    said = {(entry.facts["agent"], entry.facts["token"]) for entry in evidence.order_entries(*_CALLS)}
    for agent, stored in evidence.orders.items():
        for token in _found(stored):
            yield None if (agent, token) in said else f"{token} happened to {agent}, and nobody said it"


def acknowledged_events_are_there(evidence: Evidence) -> RuleResults:
    """An acknowledged event happened, at the acknowledged version if that is known; or the agent is parked with it."""
    found = {agent: _found(stored) for agent, stored in evidence.orders.items()}
    for entry in evidence.order_entries(*_CALLS):
        if not entry.is_ok:
            continue
        agent, token = entry.facts["agent"], entry.facts["token"]
        versions = found.get(agent, {}).get(token, [])
        is_exact = entry.facts.get("drive") is False and entry.reply["delivery"] == "applied"
        if is_exact and versions != [entry.reply["version"]]:
            yield f"{token} was acknowledged at version {entry.reply['version']} of {agent}, and stands at {versions}"
        elif versions or _is_parked_with(evidence.orders.get(agent), token):
            yield None
        else:
            yield f"{token} was {entry.reply['delivery']} to {agent}, by {entry.writer}, and is not there"


def refused_events_leave_nothing(evidence: Evidence) -> RuleResults:
    """A refused event leaves no step and no key, unless somebody else sent the same event and it was accepted."""
    heard = {_of(entry) for entry in evidence.order_entries(*_CALLS) if entry.outcome != "refused"}
    for entry in evidence.order_entries(*_CALLS):
        stored = evidence.orders.get(entry.facts["agent"])
        if entry.outcome == "refused" and stored is not None and _of(entry) not in heard:
            token = entry.facts["token"]
            leaves = token in _found(stored) or _is_queued(stored, token)
            yield f"{token} was refused by {stored.export.head.id}, and is there" if leaves else None


def unknown_outcomes_are_told_by_key(evidence: Evidence) -> RuleResults:
    """The key tells whether an event happened, and at which version."""
    for entry in evidence.order_entries("send", "answer"):
        agent, key = entry.facts["agent"], entry.facts["key"]
        stored = evidence.orders.get(agent)
        if not entry.is_unknown or key is None or stored is None:
            continue
        outcome = stored.outcomes.get(key)
        versions = _found(stored).get(entry.facts["token"], [])
        is_told = not versions or (outcome is not None and versions == [outcome.version])
        yield None if is_told else f"{key} of {agent} stands at versions {versions}, and its key tells {outcome}"


def repeats_get_the_first_outcome(evidence: Evidence) -> RuleResults:
    """If a reply says that an event is a duplicate, that event happened once, or is queued."""
    for entry in evidence.order_entries(*_CALLS):
        if entry.is_ok and entry.reply["delivery"] == "duplicate":
            stored = evidence.orders.get(entry.facts["agent"])
            versions = _found(stored).get(entry.facts["token"], []) if stored else []
            is_known = len(versions) == 1 or (stored is not None and _is_queued(stored, entry.facts["token"]))
            yield None if is_known else f"{entry.facts['token']} was called a duplicate, and stands at {versions}"


def nothing_stays_queued(evidence: Evidence) -> RuleResults:
    for agent, stored in evidence.orders.items():
        is_decided = not stored.export.queue or stored.export.head.status is Status.PARKED
        yield (
            None
            if is_decided
            else f"{agent} is {stored.export.head.status} with {len(stored.export.queue)} events queued"
        )


def errors_are_ours(evidence: Evidence) -> RuleResults:
    """Every error is one of ``fsm_agent.errors``."""
    for writer, facts in evidence.notes("broken"):
        yield f"{writer}: {facts['why']}"
    for entry in evidence.entries:
        if entry.outcome in ("refused", "failed", "broken") and entry.verb != "action":
            is_ours = entry.outcome != "broken"
            yield (
                None
                if is_ours
                else f"{entry.verb} of {entry.writer} ended in {entry.reply['type']}: {entry.reply['why']}"
            )


def _found(stored: StoredAgent) -> dict[str, list[int]]:
    """token -> the versions at which its event happened, or was refused on record."""
    found: dict[str, list[int]] = defaultdict(list)
    for step in stored.steps:
        if (token := token_of(step)) is not None and step.kind is not StepKind.PARKED:
            found[token].append(step.version)
    return found


def _is_queued(stored: StoredAgent, token: str) -> bool:
    return any(token_of(queued.event) == token for queued in stored.export.queue)


def _is_parked_with(stored: StoredAgent | None, token: str) -> bool:
    return stored is not None and stored.export.head.status is Status.PARKED and _is_queued(stored, token)


def _of(entry: Entry) -> tuple[str, str]:
    return entry.facts["agent"], entry.facts["token"]
