"""What must be true of the history of every order, and of what was read of it. Pure.

A rule yields ``None`` for each thing that is right, and a sentence for each that is wrong.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

from fsm_agent.domain.agent import ENDED, Status
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.testing.faults.digests import digest_of_steps, digest_of_values
from fsm_agent.testing.faults.evidence import Evidence, StoredAgent
from fsm_agent.testing.faults.journal import Entry
from fsm_agent.testing.faults.store import token_of

RuleResults: TypeAlias = Iterator[str | None]


def versions_have_no_gap(evidence: Evidence) -> RuleResults:
    for agent, stored in evidence.orders.items():
        versions = [step.version for step in stored.steps]
        is_whole = versions == list(range(1, len(versions) + 1))
        yield None if is_whole else f"{agent} has the versions {versions}"


def each_step_stands_on_the_last(evidence: Evidence) -> RuleResults:
    for agent, stored in evidence.orders.items():
        for before, after in pairwise(stored.steps):
            is_linear = after.source == before.target and after.kind is not StepKind.CREATED
            yield (
                None
                if is_linear
                else f"{agent} was in {before.target}, and version {after.version} left {after.source}"
            )


def the_head_is_the_last_step(evidence: Evidence) -> RuleResults:
    for agent, stored in evidence.orders.items():
        head, last = stored.export.head, stored.steps[-1] if stored.steps else None
        told = (head.version, head.state, head.updated_ms)
        found = (last.version, last.target, last.at_ms) if last else None
        yield None if told == found else f"{agent} has the head {told}, and its last step is {found}"


def history_folds_to_the_data(evidence: Evidence) -> RuleResults:
    for agent, stored in evidence.orders.items():
        folded = deque(stored.folded(), maxlen=1).pop()[1] if stored.steps else {}
        yield (
            None if folded == stored.values else f"{agent} has {dict(stored.values)}, and its history folds to {folded}"
        )


def history_replays_to_the_head(evidence: Evidence) -> RuleResults:
    """The engine makes state, visits, timers and question of the head again from the steps."""
    for stored in evidence.orders.values():
        yield from stored.replay_results()


def keys_lead_to_their_steps(evidence: Evidence) -> RuleResults:
    """A key leads to the step of the event that was sent with it, and the other way round."""
    said: dict[tuple[str, str], str] = {}
    for entry in evidence.order_entries("send", "answer"):
        if entry.facts["key"]:
            said[entry.facts["agent"], entry.facts["token"]] = entry.facts["key"]
    for agent, stored in evidence.orders.items():
        queued = {queued.event.key for queued in stored.export.queue}
        for key, outcome in stored.export.keys.items():
            token = None if outcome.version is None else token_of(stored.steps[outcome.version - 1])
            leads = key in queued if outcome.version is None else said.get((agent, token or "")) == key
            yield None if leads else f"key {key} of {agent} leads to version {outcome.version}, where {token} stands"
        for step in stored.steps:
            key_said = said.get((agent, token_of(step) or ""))
            known = stored.export.keys.get(key_said) if key_said else None
            if key_said is not None and step.kind is not StepKind.PARKED:
                is_kept = known is not None and known.version == step.version
                yield None if is_kept else f"version {step.version} of {agent} was said with {key_said}: {known}"


def acknowledged_steps_stand(evidence: Evidence) -> RuleResults:
    """Each acknowledged step is there at its version, as it was written."""
    for entry in evidence.order_entries("commit"):
        if entry.is_ok:
            step = _step(evidence.orders.get(entry.facts["agent"]), entry.facts["version"])
            told = tuple(entry.facts[name] for name in ("event", "kind", "token"))
            found = step and (step.event, str(step.kind), token_of(step))
            yield None if told == found else f"{_where(entry)} was acknowledged as {told}, and there is {found}"


def reads_are_prefixes(evidence: Evidence) -> RuleResults:
    """Whatever was read is what the agent was at that version."""
    for agent, entries in _by_agent(evidence, "get", "history").items():
        if (stored := evidence.orders.get(agent)) is None:
            yield f"{agent} was read, and is not there"
            continue
        prefixes = digest_of_steps(stored.steps)
        values = _digests(stored, {entry.reply["version"] for entry in entries if entry.verb == "get"})
        for entry in entries:
            version = entry.reply["version"]
            if not 0 < version <= len(prefixes):
                yield f"{agent} was read at version {version}, and has {len(prefixes)}"
            elif entry.verb == "history":
                yield _unless(entry.reply["digest"] == prefixes[version - 1], entry, "read another history")
            else:
                told = (entry.reply["state"], entry.reply["digest"])
                yield _unless(told == (stored.steps[version - 1].target, values[version]), entry, f"read {told}")


def reads_are_not_late(evidence: Evidence) -> RuleResults:
    """A read contains everything that was acknowledged before it began."""
    reads = _by_agent(evidence, "get", "history")
    for agent, commits in _by_agent(evidence, "commit").items():
        ends = sorted((entry.returned_ns or 0, entry.facts["version"]) for entry in commits)
        times, newest = [end for end, _ in ends], list(accumulate((version for _, version in ends), max))
        for entry in reads.get(agent, ()):
            before = bisect_left(times, entry.invoked_ns)
            least = newest[before - 1] if before else 0
            yield _unless(entry.reply["version"] >= least, entry, f"read a version below {least}")


def orders_are_at_rest(evidence: Evidence) -> RuleResults:
    """The recovery has driven all orders until nothing was due."""
    yield from evidence.failures
    for agent, stored in evidence.orders.items():
        head = stored.export.head
        is_done = head.status is not Status.RUNNING and (not stored.export.queue or head.status is Status.PARKED)
        yield None if is_done else f"{agent} is {head.status} in {head.state}, {len(stored.export.queue)} events queued"


def definitions_stay(evidence: Evidence) -> RuleResults:
    """An order, and all that was read of it, have the definition that it began with."""
    begun = {
        entry.facts["agent"]: entry.facts["definition"] for entry in evidence.order_entries("create") if entry.is_ok
    }
    for agent, stored in evidence.orders.items():
        now = stored.export.head.definition
        is_pinned = begun.get(agent, now) == now == stored.workflow.hash
        yield None if is_pinned else f"{agent} began with {begun.get(agent)}, and has {now}"
    for entry in evidence.order_entries("get"):
        if entry.is_ok and (read := evidence.orders.get(entry.facts["agent"])):
            is_same = entry.reply["workflow_version"] == read.export.head.workflow_version
            yield _unless(is_same, entry, f"read of version {entry.reply['workflow_version']} of its workflow")


def timers_are_never_early(evidence: Evidence) -> RuleResults:
    """A timer fires in the state that armed it, not before it is due, and once."""
    for agent, stored in evidence.orders.items():
        entered_ms, fired = 0, set[str]()
        for step in stored.steps:
            if step.event == "after" and step.kind is StepKind.EVENT:
                label = step.payload["after"]
                due_ms = entered_ms + stored.durations(step.source or "").get(label, 1 << 62)
                is_due = step.at_ms >= due_ms and label not in fired
                yield None if is_due else f"timer {label} of {agent} fired at {step.at_ms}, version {step.version}"
                fired.add(label)
            if step.entered:
                entered_ms, fired = step.at_ms, set()


def timers_are_armed_with_their_state(evidence: Evidence) -> RuleResults:
    for agent, stored in evidence.orders.items():
        head = stored.export.head
        armed = {timer.label for timer in head.timers}
        expected = set() if head.status in ENDED else set(stored.durations(head.state))
        yield None if armed <= expected else f"{agent} is in {head.state}, and has the timers {sorted(armed)}"


def time_never_goes_back(evidence: Evidence) -> RuleResults:
    for writer, facts in evidence.notes("clock"):
        yield f"{writer} was told {facts['is']} after {facts['was']}"
    for agent, stored in evidence.orders.items():
        for before, after in pairwise(stored.steps):
            yield None if before.at_ms <= after.at_ms else f"version {after.version} of {agent} is older than the last"


def _digests(stored: StoredAgent, versions: set[int]) -> dict[int, str]:
    """The digest of the data at each of these versions."""
    return {version: digest_of_values(values) for version, values in stored.folded() if version in versions}


def _by_agent(evidence: Evidence, *verbs: str) -> Mapping[str, list[Entry]]:
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in evidence.order_entries(*verbs):
        if entry.is_ok:
            found[entry.facts["agent"]].append(entry)
    return found


def _step(stored: StoredAgent | None, version: int) -> Any:
    return stored.steps[version - 1] if stored and version <= len(stored.steps) else None


def _where(entry: Entry) -> str:
    return f"version {entry.facts['version']} of {entry.facts['agent']}, by {entry.writer}"


def _unless(holds: bool, entry: Entry, what: str) -> str | None:  # noqa: FBT001 - a verdict is no option
    return None if holds else f"{entry.facts['agent']} at version {entry.reply['version']}, {entry.writer}: {what}"
