"""What must be true of every history by itself, and of what was read of it. Pure.

A rule yields ``None`` for each thing that holds, and a sentence for each that does not.
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
from fsm_agent.testing.faults.evidence import Evidence, Kept
from fsm_agent.testing.faults.journal import Entry
from fsm_agent.testing.faults.store import token_of

Verdicts: TypeAlias = Iterator[str | None]


def versions_have_no_gap(evidence: Evidence) -> Verdicts:
    for agent, kept in evidence.agents.items():
        versions = [step.version for step in kept.steps]
        is_whole = versions == list(range(1, len(versions) + 1))
        yield None if is_whole else f"{agent} has the versions {versions}"


def each_step_stands_on_the_last(evidence: Evidence) -> Verdicts:
    for agent, kept in evidence.agents.items():
        for before, after in pairwise(kept.steps):
            is_linear = after.source == before.target and after.kind is not StepKind.CREATED
            yield (
                None
                if is_linear
                else f"{agent} was in {before.target}, and version {after.version} left {after.source}"
            )


def the_head_is_the_last_step(evidence: Evidence) -> Verdicts:
    for agent, kept in evidence.agents.items():
        head, last = kept.export.head, kept.steps[-1] if kept.steps else None
        told = (head.version, head.state, head.updated_ms)
        found = (last.version, last.target, last.at_ms) if last else None
        yield None if told == found else f"{agent} has the head {told}, and its last step is {found}"


def history_folds_to_the_data(evidence: Evidence) -> Verdicts:
    for agent, kept in evidence.agents.items():
        folded = deque(kept.folded(), maxlen=1).pop()[1] if kept.steps else {}
        yield None if folded == kept.values else f"{agent} has {dict(kept.values)}, and its history folds to {folded}"


def history_tells_the_head(evidence: Evidence) -> Verdicts:
    """State, visits, timers, question and all else that is not the store's own, as the engine makes it of the steps."""
    for agent, kept in evidence.agents.items():
        yield None if not kept.mismatches else f"{agent} is not what its history tells: {'; '.join(kept.mismatches)}"


def keys_lie_with_their_steps(evidence: Evidence) -> Verdicts:
    """A key leads to the step that it was said for; a step that was said with a key is what that key leads to."""
    said: dict[tuple[str, str], str] = {}
    for entry in evidence.said("send", "answer"):
        if entry.facts["key"]:
            said[entry.facts["agent"], entry.facts["token"]] = entry.facts["key"]
    for agent, kept in evidence.agents.items():
        queued = {queued.event.key for queued in kept.export.queue}
        for key, outcome in kept.export.keys.items():
            token = None if outcome.version is None else token_of(kept.steps[outcome.version - 1])
            leads = key in queued if outcome.version is None else said.get((agent, token or "")) == key
            yield None if leads else f"key {key} of {agent} leads to version {outcome.version}, where {token} stands"
        for step in kept.steps:
            key_said = said.get((agent, token_of(step) or ""))
            known = kept.export.keys.get(key_said) if key_said else None
            if key_said is not None and step.kind is not StepKind.PARKED:
                is_kept = known is not None and known.version == step.version
                yield None if is_kept else f"version {step.version} of {agent} was said with {key_said}: {known}"


def acknowledged_steps_stand(evidence: Evidence) -> Verdicts:
    """Each at its version, as it was written."""
    for entry in evidence.said("commit"):
        if entry.is_ok:
            step = _step(evidence.agents.get(entry.facts["agent"]), entry.facts["version"])
            told = tuple(entry.facts[name] for name in ("event", "kind", "token"))
            found = step and (step.event, str(step.kind), token_of(step))
            yield None if told == found else f"{_where(entry)} was acknowledged as {told}, and there is {found}"


def reads_are_prefixes(evidence: Evidence) -> Verdicts:
    """Whatever was read is how the agent once was."""
    for agent, entries in _by_agent(evidence, "get", "history").items():
        if (kept := evidence.agents.get(agent)) is None:
            yield f"{agent} was read, and is not there"
            continue
        prefixes = digest_of_steps(kept.steps)
        values = _digests(kept, {entry.reply["version"] for entry in entries if entry.verb == "get"})
        for entry in entries:
            version = entry.reply["version"]
            if not 0 < version <= len(prefixes):
                yield f"{agent} was read at version {version}, and has {len(prefixes)}"
            elif entry.verb == "history":
                yield _unless(entry.reply["digest"] == prefixes[version - 1], entry, "read another history")
            else:
                told = (entry.reply["state"], entry.reply["digest"])
                yield _unless(told == (kept.steps[version - 1].target, values[version]), entry, f"read {told}")


def reads_are_not_late(evidence: Evidence) -> Verdicts:
    """What was acknowledged before a reading began is in it."""
    reads = _by_agent(evidence, "get", "history")
    for agent, commits in _by_agent(evidence, "commit").items():
        ends = sorted((entry.returned_ns or 0, entry.facts["version"]) for entry in commits)
        times, newest = [end for end, _ in ends], list(accumulate((version for _, version in ends), max))
        for entry in reads.get(agent, ()):
            before = bisect_left(times, entry.invoked_ns)
            least = newest[before - 1] if before else 0
            yield _unless(entry.reply["version"] >= least, entry, f"read a version below {least}")


def agents_are_at_rest(evidence: Evidence) -> Verdicts:
    """A process without faults has gone on with all of them."""
    yield from evidence.troubles
    for agent, kept in evidence.agents.items():
        head = kept.export.head
        is_done = head.status is not Status.RUNNING and (not kept.export.queue or head.status is Status.PARKED)
        yield None if is_done else f"{agent} is {head.status} in {head.state}, {len(kept.export.queue)} events queued"


def definitions_stay(evidence: Evidence) -> Verdicts:
    """An agent and all that was read of it are of the definition that it began with."""
    begun = {entry.facts["agent"]: entry.facts["definition"] for entry in evidence.said("create") if entry.is_ok}
    for agent, kept in evidence.agents.items():
        now = kept.export.head.definition
        is_pinned = begun.get(agent, now) == now == kept.workflow.hash
        yield None if is_pinned else f"{agent} began with {begun.get(agent)}, and has {now}"
    for entry in evidence.said("get"):
        if entry.is_ok and (read := evidence.agents.get(entry.facts["agent"])):
            is_same = entry.reply["workflow_version"] == read.export.head.workflow_version
            yield _unless(is_same, entry, f"read of version {entry.reply['workflow_version']} of its workflow")


def timers_are_never_early(evidence: Evidence) -> Verdicts:
    """A timer fires in the state that armed it, when it is due, and once; time never goes back."""
    for agent, kept in evidence.agents.items():
        entered_ms, fired = 0, set[str]()
        for step in kept.steps:
            if step.event == "after" and step.kind is StepKind.EVENT:
                label = step.payload["after"]
                due_ms = entered_ms + kept.durations(step.source or "").get(label, 1 << 62)
                is_due = step.at_ms >= due_ms and label not in fired
                yield None if is_due else f"timer {label} of {agent} fired at {step.at_ms}, version {step.version}"
                fired.add(label)
            if step.entered:
                entered_ms, fired = step.at_ms, set()


def timers_are_armed_with_their_state(evidence: Evidence) -> Verdicts:
    for agent, kept in evidence.agents.items():
        head = kept.export.head
        armed = {timer.label for timer in head.timers}
        expected = set() if head.status in ENDED else set(kept.durations(head.state))
        yield None if armed <= expected else f"{agent} is in {head.state}, and has the timers {sorted(armed)}"


def time_never_goes_back(evidence: Evidence) -> Verdicts:
    for writer, facts in evidence.notes("clock"):
        yield f"{writer} was told {facts['is']} after {facts['was']}"
    for agent, kept in evidence.agents.items():
        for before, after in pairwise(kept.steps):
            yield None if before.at_ms <= after.at_ms else f"version {after.version} of {agent} is older than the last"


def _digests(kept: Kept, versions: set[int]) -> dict[int, str]:
    """Of the data as it was at each of these versions."""
    return {version: digest_of_values(values) for version, values in kept.folded() if version in versions}


def _by_agent(evidence: Evidence, *verbs: str) -> Mapping[str, list[Entry]]:
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in evidence.said(*verbs):
        if entry.is_ok:
            found[entry.facts["agent"]].append(entry)
    return found


def _step(kept: Kept | None, version: int) -> Any:
    return kept.steps[version - 1] if kept and version <= len(kept.steps) else None


def _where(entry: Entry) -> str:
    return f"version {entry.facts['version']} of {entry.facts['agent']}, by {entry.writer}"


def _unless(holds: bool, entry: Entry, what: str) -> str | None:  # noqa: FBT001 - a verdict is no option
    return None if holds else f"{entry.facts['agent']} at version {entry.reply['version']}, {entry.writer}: {what}"
