"""What must be true of who drives agents: never two at once, and nobody is left alone. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict

from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.journal import Life
from fsm_agent.testing.faults.rules_history import Verdicts

#: How often an agent may be taken into hand in the end without anything coming of it: what is orphaned is given up, and
#: what was just done by somebody else is seen once.
_MOST_IN_VAIN = 3
#: the writer that goes on with everything when the faults have ended
FINISHER = "z-finisher"


def leases_that_run_are_not_taken(evidence: Evidence) -> Verdicts:
    """From a process that lives: whoever is not known to be dead is waited for, in whatever namespace of pids it is."""
    lives = _lives_by_holder(evidence)
    for entry in evidence.done("claim"):
        holder, left_ms = entry.facts["held_by"], entry.facts.get("left_ms", 0)
        held = lives.get(holder, [])
        if not entry.is_ok or left_ms <= 0 or len(held) != 1 or held[0].writer == entry.writer:
            continue
        is_dead = held[0].last_ns < entry.invoked_ns
        taken = f"{entry.facts['agent']} was taken by {entry.writer} from {held[0].writer}, who lived on"
        yield None if is_dead else f"{taken}, {left_ms} ms early"


def nobody_is_held_in_the_end(evidence: Evidence) -> Verdicts:
    """Who has nothing to do is held by nobody: or no parent would be told, and no purge would dare."""
    for agent, kept in {**evidence.agents, **evidence.visits}.items():
        lease = kept.export.head.lease
        yield None if lease is None else f"{agent} has nothing to do, and is held by {lease.holder}"


def sweeps_end(evidence: Evidence) -> Verdicts:
    """Whoever goes on with all agents does not take one into hand again and again for nothing."""
    in_vain: Counter[str] = Counter()
    for entry in evidence.done("claim", "commit", "record_attempt"):
        if entry.writer == FINISHER and entry.is_ok:
            agent = entry.facts["agent"]
            in_vain[agent] = in_vain[agent] + 1 if entry.verb == "claim" else 0
            is_worth_it = in_vain[agent] <= _MOST_IN_VAIN
            yield None if is_worth_it else f"{agent} was taken into hand {in_vain[agent]} times, and nothing was done"


def _lives_by_holder(evidence: Evidence) -> dict[str, list[Life]]:
    found: dict[str, list[Life]] = defaultdict(list)
    for life in evidence.lives:
        for note, facts in life.notes:
            if note == "holder":
                found[facts["name"]].append(life)
    return found
