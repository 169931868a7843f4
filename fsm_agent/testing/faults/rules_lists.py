"""What must be true of lists: they have everybody that they should have, and nobody else, as they are. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import NamedTuple

from fsm_agent.domain.selection import asks
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.testing.faults.evidence import Evidence, StoredAgent
from fsm_agent.testing.faults.journal import Entry
from fsm_agent.testing.faults.rules_answers import questions_by_version
from fsm_agent.testing.faults.rules_history import RuleResults


class _Known(NamedTuple):
    """Times, in order, and the highest version that was known to be there, or might be there, by each of them."""

    times: list[int]
    versions: list[int]

    def before(self, time_ns: int) -> int:
        """The highest version known before a time; 0 if none was."""
        place = bisect_left(self.times, time_ns)
        return self.versions[place - 1] if place else 0


def heads_never_go_back(evidence: Evidence) -> RuleResults:
    """Heads that are read at once have all that was acknowledged, and all that was read of them, before."""
    reads = [entry for entry in evidence.entries_of("heads") if entry.is_ok]
    known = _known(evidence, [(entry, entry.reply["versions"]) for entry in reads])
    for entry in reads:
        for agent in entry.facts["agents"]:
            least, version = known[agent].before(entry.invoked_ns), entry.reply["versions"].get(agent, 0)
            is_so = least <= version <= _last(evidence.orders.get(agent))
            yield None if is_so else f"{entry.writer} read {agent} at version {version}, and it was at {least}"


def inboxes_have_the_open_questions(evidence: Evidence) -> RuleResults:
    """An inbox has a question for as long as it is open, as it is asked, and no other."""
    reads = [entry for entry in evidence.entries_of("inbox") if entry.is_ok]
    known, begun = _known(evidence, []), _begun(evidence)
    asked_then = {agent: _asked(stored) for agent, stored in evidence.orders.items()}
    for entry in reads:
        for agent, asked in asked_then.items():
            told = entry.reply["asked"].get(agent)
            least, most = known[agent].before(entry.invoked_ns), begun[agent].before(entry.returned_ns or 0)
            if told is not None:
                version, *question = told
                is_so = version >= least and asked.get(version) == tuple(question)
                yield (
                    None if is_so else f"{entry.writer} found {agent} asking {told}, and it asked {asked.get(version)}"
                )
            elif least and entry.reply["is_all"] and all(version in asked for version in range(least, most + 1)):
                yield f"{entry.writer} did not find {agent}, which asked from version {least} to {most}"
            else:
                yield None


def lists_have_everybody(evidence: Evidence) -> RuleResults:
    """In the end each list has the agents that it should have, once and no others."""
    lists, kept = evidence.lists, {**evidence.orders, **evidence.tickets}
    if lists is None:
        return
    heads = [stored.export.head for stored in kept.values()]
    yield _same("questions", lists.asking, (head.id for head in heads if asks(head, None)))
    yield _same("the number of questions", [lists.asking_count], [sum(asks(head, None) for head in heads)])
    for user, found in lists.serving.items():
        yield _same(f"agents of {user}", found, (head.id for head in heads if head.user == user))
    yield _same("newest agents", lists.newest, (head.id for head in heads))
    yield _same("the number of agents", [lists.counted], [len(heads)])
    yield "; ".join(lists.damage) or None


def _same(what: str, found: Iterable[object], expected: Iterable[object]) -> str | None:
    told, right = sorted(map(str, found)), sorted(map(str, expected))
    return None if told == right else f"{what} are {told}, and should be {right}"


def _known(evidence: Evidence, read: Iterable[tuple[Entry, Mapping[str, int]]]) -> Mapping[str, _Known]:
    """agent -> what was acknowledged or ``read`` by when."""
    ends: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for entry in evidence.entries_of("create", "commit"):
        if entry.is_ok:
            ends[entry.facts["agent"]].append((entry.returned_ns or 0, entry.facts["version"]))
    for entry, versions in read:
        for agent, version in versions.items():
            ends[agent].append((entry.returned_ns or 0, version))
    return _highest(ends)


def _begun(evidence: Evidence) -> Mapping[str, _Known]:
    """agent -> the versions of steps that somebody had begun to write by when."""
    begins: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for entry in evidence.entries_of("create", "commit"):
        if entry.outcome != "refused":
            begins[entry.facts["agent"]].append((entry.invoked_ns, entry.facts["version"]))
    return _highest(begins)


def _highest(found: Mapping[str, list[tuple[int, int]]]) -> Mapping[str, _Known]:
    known: dict[str, _Known] = defaultdict(lambda: _Known([], []))
    for agent, moments in found.items():
        moments.sort()
        known[agent] = _Known([time for time, _ in moments], [*accumulate((each for _, each in moments), max)])
    return known


def _asked(stored: StoredAgent) -> Mapping[int, tuple[int, str]]:
    """version -> the question that is open then; one that is parked asks nobody."""
    parked = {step.version for step in stored.steps if step.kind is StepKind.PARKED}
    return {version: asked for version, asked in questions_by_version(stored).items() if version not in parked}


def _last(stored: StoredAgent | None) -> int:
    return stored.export.head.version if stored else 0
