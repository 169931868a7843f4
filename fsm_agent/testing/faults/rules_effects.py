"""What must be true of effects: one result each, and never done again once that is acknowledged. Pure."""

from __future__ import annotations

from collections import defaultdict

from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.journal import Entry
from fsm_agent.testing.faults.order_workload import GIVEN_UP, receipt_of
from fsm_agent.testing.faults.rules_history import RuleResults


def results_are_recorded_once(evidence: Evidence) -> RuleResults:
    """Each effect has one result, the acknowledged one, and was executed."""
    recorded: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in evidence.order_entries("end_effect"):
        if entry.is_ok and entry.reply["is"]:
            recorded[entry.facts["agent"], entry.facts["key"]].append(entry)
    for (agent, key), entries in recorded.items():
        stored = evidence.orders.get(agent)
        effects = stored.export.effects if stored else ()
        results = [each.result for each in effects if each.key == key and not each.is_open]
        is_once = results == [entries[0].facts["result"]] and len(entries) == 1
        recordings = f"effect {key} of {agent} was recorded {len(entries)} times"
        yield None if is_once else f"{recordings}, and its results are {results}"
    for agent, stored in evidence.orders.items():
        for effect in stored.export.effects:
            is_done = effect.key in evidence.executions and effect.result == receipt_of(effect.key)
            is_true = effect.is_open or effect.result == GIVEN_UP or is_done
            yield None if is_true else f"effect {effect.key} of {agent} is recorded, and was not done"


def recorded_results_are_not_done_again(evidence: Evidence) -> RuleResults:
    """Once its result is acknowledged, nobody may begin an effect again."""
    ended: dict[tuple[str, str], int] = {}
    for entry in evidence.entries_of("end_effect"):
        if entry.is_ok and entry.reply["is"] and entry.returned_ns is not None:
            ended.setdefault((entry.facts["agent"], entry.facts["key"]), entry.returned_ns)
    for entry in evidence.entries_of("begin_effect"):
        end_ns = ended.get((entry.facts["agent"], entry.facts["key"]))
        if entry.is_ok and end_ns is not None and end_ns < entry.invoked_ns:
            yield f"effect {entry.facts['key']} was begun after its end" if entry.reply["granted"] else None


def at_most_once_is_never_twice(evidence: Evidence) -> RuleResults:
    for key, modes in evidence.executions.items():
        if "at_most_once" in modes:
            yield None if len(modes) == 1 else f"effect {key} was done {len(modes)} times"
