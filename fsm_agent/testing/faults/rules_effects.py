"""What must be true of who writes and of what is done to the world: one holder an epoch, one result an effect. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import accumulate, pairwise

from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.journal import Entry
from fsm_agent.testing.faults.order_workload import GIVEN_UP, receipt_of
from fsm_agent.testing.faults.rules_history import Verdicts
from fsm_agent.testing.faults.ticket_workload import is_visit

#: The verbs that an epoch fences. The end of an effect is none: what was begun in time may be told late.
_FENCED = ("commit", "begin_effect", "record_attempt", "renew")


def one_commit_a_version(evidence: Evidence) -> Verdicts:
    commits: Counter[tuple[str, int]] = Counter()
    for entry in evidence.done("commit"):
        if entry.is_ok:
            commits[entry.facts["agent"], entry.facts["version"]] += 1
    for (agent, version), times in commits.items():
        yield None if times == 1 else f"version {version} of {agent} was acknowledged {times} times"


def one_holder_an_epoch(evidence: Evidence) -> Verdicts:
    """Each epoch is given to one writer, and nobody else writes under it, but to wake the parent of a child."""
    givings = _givings(evidence)
    givens: dict[tuple[str, int], set[str]] = defaultdict(set)
    for agent, entries in givings.items():
        for entry in entries:
            givens[agent, entry.reply["epoch"]].add(entry.writer)
    for (agent, epoch), writers in givens.items():
        yield None if len(writers) == 1 else f"epoch {epoch} of {agent} was given to {sorted(writers)}"
    for entry in evidence.done(*_FENCED):
        if _is_held(entry) and not _wakes(entry):
            holders = givens.get((entry.facts["agent"], entry.facts["epoch"]), {entry.writer})
            is_holder = entry.writer in holders
            yield None if is_holder else f"{entry.writer} wrote under an epoch of {sorted(holders)}: {_told(entry)}"


def stale_epochs_are_refused(evidence: Evidence) -> Verdicts:
    """Once a later epoch was given, nothing that begins after that is done under an earlier one."""
    givings = _givings(evidence)
    newest = {agent: _newest(entries) for agent, entries in givings.items()}
    for entry in evidence.done(*_FENCED):
        if _is_held(entry) and entry.facts["agent"] in newest:
            times, epochs = newest[entry.facts["agent"]]
            before = bisect_left(times, entry.invoked_ns)
            given = epochs[before - 1] if before else 0
            yield (
                None if given <= entry.facts["epoch"] else f"epoch {given} was given, and then {_told(entry)} was done"
            )


def epochs_only_rise(evidence: Evidence) -> Verdicts:
    commits: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for entry in evidence.done("commit"):
        if entry.is_ok:
            commits[entry.facts["agent"]].append((entry.facts["version"], entry.reply["epoch"]))
    for agent, taken in commits.items():
        for (_, before), (version, after) in pairwise(sorted(taken)):
            yield None if before <= after else f"version {version} of {agent} has epoch {after}, and the last {before}"


def results_are_recorded_once(evidence: Evidence) -> Verdicts:
    """One result for each effect, the one that was acknowledged; and it was done."""
    recorded: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in evidence.said("end_effect"):
        if entry.is_ok and entry.reply["is"]:
            recorded[entry.facts["agent"], entry.facts["key"]].append(entry)
    for (agent, key), entries in recorded.items():
        kept = evidence.agents.get(agent)
        results = [each.result for each in kept.export.effects if each.key == key and not each.is_open] if kept else []
        is_once = results == [entries[0].facts["result"]] and len(entries) == 1
        yield (
            None if is_once else f"effect {key} of {agent} was recorded {len(entries)} times, and is kept as {results}"
        )
    for agent, kept in evidence.agents.items():
        for effect in kept.export.effects:
            is_done = effect.key in evidence.deeds and effect.result == receipt_of(effect.key)
            is_true = effect.is_open or effect.result == GIVEN_UP or is_done
            yield None if is_true else f"effect {effect.key} of {agent} is recorded, and was not done"


def recorded_results_are_not_done_again(evidence: Evidence) -> Verdicts:
    """Once a result is acknowledged, nobody is allowed to do it again."""
    ended: dict[tuple[str, str], int] = {}
    for entry in evidence.done("end_effect"):
        if entry.is_ok and entry.reply["is"] and entry.returned_ns is not None:
            ended.setdefault((entry.facts["agent"], entry.facts["key"]), entry.returned_ns)
    for entry in evidence.done("begin_effect"):
        end_ns = ended.get((entry.facts["agent"], entry.facts["key"]))
        if entry.is_ok and end_ns is not None and end_ns < entry.invoked_ns:
            yield f"effect {entry.facts['key']} was begun after its end" if entry.reply["granted"] else None


def at_most_once_is_never_twice(evidence: Evidence) -> Verdicts:
    for key, modes in evidence.deeds.items():
        if "at_most_once" in modes:
            yield None if len(modes) == 1 else f"effect {key} was done {len(modes)} times"


def _givings(evidence: Evidence) -> Mapping[str, list[Entry]]:
    """What gave a new epoch to who asked, by agent."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in evidence.done("create", "claim", "commit"):
        if entry.is_ok and (entry.verb != "commit" or entry.facts["epoch"] is None):
            found[entry.facts["agent"]].append(entry)
    return found


def _newest(entries: list[Entry]) -> tuple[list[int], list[int]]:
    """When each became known, and the highest epoch that was given until then."""
    ends = sorted((entry.returned_ns or 0, entry.reply["epoch"]) for entry in entries)
    return [end for end, _ in ends], list(accumulate((epoch for _, epoch in ends), max))


def _is_held(entry: Entry) -> bool:
    """Whether it was done under an epoch, and the store said yes."""
    return entry.is_ok and entry.facts["epoch"] is not None and entry.reply.get("held", True)


def _wakes(entry: Entry) -> bool:
    """Whether it may be what wakes a parent: whoever ends the last child does it, if nobody holds the parent."""
    return entry.verb == "record_attempt" and is_visit(entry.facts["agent"])


def _told(entry: Entry) -> str:
    return f"{entry.verb} of {entry.facts['agent']} under epoch {entry.facts['epoch']} by {entry.writer}"
