"""What must be true of leases and epochs: one holder at a time, and no lease is left over. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise

from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.journal import Entry, WriterLog
from fsm_agent.testing.faults.rules_history import RuleResults
from fsm_agent.testing.faults.ticket_workload import is_ticket

#: The verbs that an epoch fences. ``end_effect`` is not fenced: an effect that began in time may be recorded late.
_FENCED = ("commit", "begin_effect", "record_attempt", "renew")
#: How often the recovery may claim an agent without doing anything: once to give an orphaned lease up, once for what
#: another task has just done.
_MOST_IDLE_CLAIMS = 3
#: The name of the writer that drives all agents when the faults have ended.
RECOVERY_WRITER = "z-recovery"


def one_commit_a_version(evidence: Evidence) -> RuleResults:
    commits: Counter[tuple[str, int]] = Counter()
    for entry in evidence.entries_of("commit"):
        if entry.is_ok:
            commits[entry.facts["agent"], entry.facts["version"]] += 1
    for (agent, version), times in commits.items():
        yield None if times == 1 else f"version {version} of {agent} was acknowledged {times} times"


def one_holder_an_epoch(evidence: Evidence) -> RuleResults:
    """Each epoch is given to one writer, and only that writer writes under it. A parent may be woken by another one."""
    holders_of: dict[tuple[str, int], set[str]] = defaultdict(set)
    for agent, entries in _new_epochs(evidence).items():
        for entry in entries:
            holders_of[agent, entry.reply["epoch"]].add(entry.writer)
    for (agent, epoch), writers in holders_of.items():
        yield None if len(writers) == 1 else f"epoch {epoch} of {agent} was given to {sorted(writers)}"
    for entry in evidence.entries_of(*_FENCED):
        if _is_held(entry) and not _may_wake_parent(entry):
            holders = holders_of.get((entry.facts["agent"], entry.facts["epoch"]), {entry.writer})
            is_holder = entry.writer in holders
            yield None if is_holder else f"{entry.writer} wrote under an epoch of {sorted(holders)}: {_describe(entry)}"


def stale_epochs_are_refused(evidence: Evidence) -> RuleResults:
    """Once a later epoch was given, no write that begins after that is done under an earlier epoch."""
    newest = {agent: _newest(entries) for agent, entries in _new_epochs(evidence).items()}
    for entry in evidence.entries_of(*_FENCED):
        if _is_held(entry) and entry.facts["agent"] in newest:
            times, epochs = newest[entry.facts["agent"]]
            before = bisect_left(times, entry.invoked_ns)
            given = epochs[before - 1] if before else 0
            yield (
                None
                if given <= entry.facts["epoch"]
                else f"epoch {given} was given, and then {_describe(entry)} was done"
            )


def epochs_only_rise(evidence: Evidence) -> RuleResults:
    commits: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for entry in evidence.entries_of("commit"):
        if entry.is_ok:
            commits[entry.facts["agent"]].append((entry.facts["version"], entry.reply["epoch"]))
    for agent, taken in commits.items():
        for (_, before), (version, after) in pairwise(sorted(taken)):
            yield None if before <= after else f"version {version} of {agent} has epoch {after}, and the last {before}"


def running_leases_are_not_taken(evidence: Evidence) -> RuleResults:
    """A lease that runs is taken only from a dead process; it does not matter in which PID namespace that was."""
    logs = _logs_by_holder(evidence)
    for entry in evidence.entries_of("claim"):
        holder, left_ms = entry.facts["held_by"], entry.facts.get("left_ms", 0)
        held = logs.get(holder, [])
        if not entry.is_ok or left_ms <= 0 or len(held) != 1 or held[0].writer == entry.writer:
            continue
        is_dead = held[0].last_ns < entry.invoked_ns
        taken = f"{entry.facts['agent']} was taken by {entry.writer} from {held[0].writer}, which went on"
        yield None if is_dead else f"{taken}, {left_ms} ms early"


def takes_leave_running_leases(evidence: Evidence) -> RuleResults:
    """Whoever takes the longest due takes no lease that runs by its own clock, whether the holder lives or not."""
    for entry, until_ms in taken_over(evidence):
        left_ms = until_ms - entry.reply["now_ms"]
        taken = f"{entry.facts['agent']} was taken by {entry.writer}, {left_ms} ms early"
        yield None if left_ms <= 0 else taken


def taken_over(evidence: Evidence) -> Iterator[tuple[Entry, int]]:
    """The takes of agents that somebody held, and how long the lease ran at least."""
    moved = {entry.facts["agent"] for entry in evidence.entries_of("adopt", "delete", "shorten")}
    under: dict[tuple[str, int], list[Entry]] = defaultdict(list)
    for entry in evidence.entries_of("create", "claim", "take", "commit", "renew", "release"):
        epoch = entry.reply.get("epoch", None if entry.verb == "claim" else entry.facts.get("epoch"))
        if epoch is not None:
            under[entry.facts["agent"], epoch].append(entry)
    for entry in evidence.entries_of("take"):
        if entry.is_ok and entry.facts["agent"] not in moved:
            until_ms = _known_until(under[entry.facts["agent"], entry.reply["epoch"] - 1], entry)
            if until_ms is not None:
                yield entry, until_ms


def _known_until(entries: list[Entry], taken: Entry) -> int | None:
    """How long the lease of an epoch ran at least when it was taken, as far as writers knew it; ``None`` where it may
    have been given up. What was written last counts: a step may bring the earlier end of its lease back."""
    if any(entry.verb == "release" or entry.facts.get("until_ms") is None for entry in entries):
        return None
    written = [entry for entry in entries if entry.outcome != "refused" and entry.reply.get("held", True)]
    known = [entry for entry in written if entry.is_ok and (entry.returned_ns or 0) < taken.invoked_ns]
    last_ns = max((entry.invoked_ns for entry in known), default=None)
    if last_ns is None:
        return None
    last = [entry for entry in written if entry.is_unknown or (entry.returned_ns or last_ns) >= last_ns]
    return min(int(entry.facts["until_ms"]) for entry in last)


def no_lease_is_left_over(evidence: Evidence) -> RuleResults:
    """Nobody holds an agent that has nothing to do. Otherwise its parent would not be told, and no purge could delete
    it."""
    for agent, stored in {**evidence.orders, **evidence.tickets}.items():
        lease = stored.export.head.lease
        yield None if lease is None else f"{agent} has nothing to do, and is held by {lease.holder}"


def sweeps_do_not_repeat_claims(evidence: Evidence) -> RuleResults:
    """The recovery does not claim one agent again and again without doing anything."""
    idle: Counter[str] = Counter()
    for entry in evidence.entries_of("claim", "take", "commit", "record_attempt"):
        if entry.writer == RECOVERY_WRITER and entry.is_ok:
            agent = entry.facts["agent"]
            idle[agent] = idle[agent] + 1 if entry.verb in ("claim", "take") else 0
            is_fine = idle[agent] <= _MOST_IDLE_CLAIMS
            yield None if is_fine else f"{agent} was claimed {idle[agent]} times, and nothing was done"


def _new_epochs(evidence: Evidence) -> Mapping[str, list[Entry]]:
    """agent -> the entries that gave a new epoch to the writer."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in evidence.entries_of("create", "claim", "take", "commit"):
        if entry.is_ok and (entry.verb != "commit" or entry.facts["epoch"] is None):
            found[entry.facts["agent"]].append(entry)
    return found


def _newest(entries: list[Entry]) -> tuple[list[int], list[int]]:
    """When each epoch became known, and the highest epoch until then."""
    ends = sorted((entry.returned_ns or 0, entry.reply["epoch"]) for entry in entries)
    return [end for end, _ in ends], list(accumulate((epoch for _, epoch in ends), max))


def _is_held(entry: Entry) -> bool:
    """Whether the store accepted a write under an epoch."""
    return entry.is_ok and entry.facts["epoch"] is not None and entry.reply.get("held", True)


def _may_wake_parent(entry: Entry) -> bool:
    """Whoever ends the last child wakes the parent, if nobody holds it."""
    return entry.verb == "record_attempt" and is_ticket(entry.facts["agent"])


def _describe(entry: Entry) -> str:
    return f"{entry.verb} of {entry.facts['agent']} under epoch {entry.facts['epoch']} by {entry.writer}"


def _logs_by_holder(evidence: Evidence) -> dict[str, list[WriterLog]]:
    found: dict[str, list[WriterLog]] = defaultdict(list)
    for log in evidence.logs:
        for note, facts in log.notes:
            if note == "holder":
                found[facts["name"]].append(log)
    return found
