"""What must be true of every event that anybody sent: once, never lost, and nothing of what was refused. Pure."""

from __future__ import annotations

from collections import defaultdict

from fsm_agent.domain.agent import Status
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.testing.faults.evidence import Evidence, Kept
from fsm_agent.testing.faults.journal import Entry
from fsm_agent.testing.faults.rules_history import Verdicts
from fsm_agent.testing.faults.store import token_of

_CALLS = ("start", "send", "answer")


def no_event_happens_twice(evidence: Evidence) -> Verdicts:
    for agent, kept in evidence.agents.items():
        for token, versions in _found(kept).items():
            yield None if len(versions) == 1 else f"{token} happened to {agent} at versions {versions}"


def no_event_comes_from_nowhere(evidence: Evidence) -> Verdicts:
    said = {(entry.facts["agent"], entry.facts["token"]) for entry in evidence.said(*_CALLS)}
    for agent, kept in evidence.agents.items():
        for token in _found(kept):
            yield None if (agent, token) in said else f"{token} happened to {agent}, and nobody said it"


def acknowledged_events_are_there(evidence: Evidence) -> Verdicts:
    """Decided at one version, the acknowledged one where that is known; or the agent is parked with it."""
    found = {agent: _found(kept) for agent, kept in evidence.agents.items()}
    for entry in evidence.said(*_CALLS):
        if not entry.is_ok:
            continue
        agent, token = entry.facts["agent"], entry.facts["token"]
        versions = found.get(agent, {}).get(token, [])
        is_exact = entry.facts.get("drive") is False and entry.reply["delivery"] == "applied"
        if is_exact and versions != [entry.reply["version"]]:
            yield f"{token} was acknowledged at version {entry.reply['version']} of {agent}, and stands at {versions}"
        elif versions or _is_parked_with(evidence.agents.get(agent), token):
            yield None
        else:
            yield f"{token} was {entry.reply['delivery']} to {agent}, by {entry.writer}, and is not there"


def refused_events_leave_nothing(evidence: Evidence) -> Verdicts:
    """No step and no key, unless somebody else said the same and was heard."""
    heard = {_of(entry) for entry in evidence.said(*_CALLS) if entry.outcome != "refused"}
    for entry in evidence.said(*_CALLS):
        kept = evidence.agents.get(entry.facts["agent"])
        if entry.outcome == "refused" and kept is not None and _of(entry) not in heard:
            token = entry.facts["token"]
            leaves = token in _found(kept) or _is_queued(kept, token)
            yield f"{token} was refused by {kept.export.head.id}, and is there" if leaves else None


def unknown_outcomes_are_told_by_key(evidence: Evidence) -> Verdicts:
    """Who asks the store for the key learns whether the event happened, and at which version."""
    for entry in evidence.said("send", "answer"):
        agent, key = entry.facts["agent"], entry.facts["key"]
        kept = evidence.agents.get(agent)
        if not entry.is_unknown or key is None or kept is None:
            continue
        outcome = kept.outcomes.get(key)
        versions = _found(kept).get(entry.facts["token"], [])
        is_told = not versions or (outcome is not None and versions == [outcome.version])
        yield None if is_told else f"{key} of {agent} stands at versions {versions}, and its key tells {outcome}"


def repeats_get_the_first_outcome(evidence: Evidence) -> Verdicts:
    """A duplicate is one: the event stands once, and before the version that the repeat was shown."""
    for entry in evidence.said(*_CALLS):
        if entry.is_ok and entry.reply["delivery"] == "duplicate":
            kept = evidence.agents.get(entry.facts["agent"])
            versions = _found(kept).get(entry.facts["token"], []) if kept else []
            is_known = len(versions) == 1 or (kept is not None and _is_queued(kept, entry.facts["token"]))
            yield None if is_known else f"{entry.facts['token']} was called a duplicate, and stands at {versions}"


def nothing_stays_queued(evidence: Evidence) -> Verdicts:
    for agent, kept in evidence.agents.items():
        is_decided = not kept.export.queue or kept.export.head.status is Status.PARKED
        yield (
            None if is_decided else f"{agent} is {kept.export.head.status} with {len(kept.export.queue)} events queued"
        )


def errors_are_ours(evidence: Evidence) -> Verdicts:
    """Whatever goes wrong says so in the words of ``fsm_agent.errors``."""
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


def _found(kept: Kept) -> dict[str, list[int]]:
    """Where each event stands: taken, or refused on record."""
    found: dict[str, list[int]] = defaultdict(list)
    for step in kept.steps:
        if (token := token_of(step)) is not None and step.kind is not StepKind.PARKED:
            found[token].append(step.version)
    return found


def _is_queued(kept: Kept, token: str) -> bool:
    return any(token_of(queued.event) == token for queued in kept.export.queue)


def _is_parked_with(kept: Kept | None, token: str) -> bool:
    return kept is not None and kept.export.head.status is Status.PARKED and _is_queued(kept, token)


def _of(entry: Entry) -> tuple[str, str]:
    return entry.facts["agent"], entry.facts["token"]
