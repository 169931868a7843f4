"""Counts what the faults of a run hit. A fault that hit nothing proves nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.failpoints import SITE_GROUPS
from fsm_agent.testing.faults.journal import Entry, WriterLog
from fsm_agent.testing.faults.rules_leases import taken_over

#: Counts that may be 0.
OPTIONAL: Final = ("writers started", "orders", "PID namespaces", *(f"kills in {group}" for group in SITE_GROUPS))
#: Counts that must be above 0, in the order in which they are shown.
REQUIRED: Final = (
    "calls",
    "steps",
    "kills",
    *(f"failpoints in {group}" for group in SITE_GROUPS),
    "freezes",
    "agents taken",
    "leases renewed",
    "handovers",
    "zombies refused",
    "server restarts",
    "jumps forward",
    "jumps back",
    "times without disk",
    "unknown outcomes",
    "unknown outcomes asked again",
    "duplicates refused",
    "conflicts",
    "effects recorded",
    "questions closed",
    "questions listed",
    "children joined",
    "merges",
    "rewinds",
    "migrations",
    "users forgotten",
    "agents resealed",
    "agents purged",
    "wake-ups lost",
    "agents woken",
    "engine restarts",
)


def count_hits(evidence: Evidence, injected: Counter[str], killed: Collection[str]) -> Counter[str]:
    """``injected`` are the faults of the nemesis, ``killed`` the writers that it killed."""
    total = Counter(injected)
    total["orders"] = len(evidence.orders)
    total["PID namespaces"] = len({facts["namespace"] for _, facts in evidence.notes("holder")})
    total["times without disk"] = sum(1 for _ in evidence.notes("disk full"))
    total["wake-ups lost"] = sum(1 for _ in evidence.notes("wake-up lost"))
    total["agents woken"] = sum(1 for _ in evidence.notes("woken"))
    for log in evidence.logs:
        _count_end(total, log, is_killed=log.writer in killed)
        _count_calls(total, log)
    _count_refused_zombies(total, evidence)
    _count_leases(total, evidence)
    return total


def missing(total: Mapping[str, int], impossible: Collection[str]) -> list[str]:
    """The names of required counts that are 0."""
    return [name for name in REQUIRED if name not in impossible and not total.get(name)]


def failpoints_hit(evidence: Evidence) -> Counter[str]:
    """``commit:before`` -> how many writers it ended."""
    ends = (log.ended_at for log in evidence.logs if log.ended_at)
    return Counter(f"{end['site']}:{end['moment']}" for end in ends)


def _count_end(total: Counter[str], log: WriterLog, *, is_killed: bool) -> None:
    if log.ended_at is not None:
        total["failpoints"] += 1
        group = next(group for group, verbs in SITE_GROUPS.items() if log.ended_at["site"] in verbs)
        total[f"failpoints in {group}"] += 1
    elif is_killed:
        total["kills"] += 1
        for group, verbs in SITE_GROUPS.items():
            total[f"kills in {group}"] += bool(verbs & log.open_verbs)


def _count_calls(total: Counter[str], log: WriterLog) -> None:
    for entry in log.entries:
        match entry.verb:
            case "start" | "send" | "answer":
                total["calls"] += 1
                total["unknown outcomes"] += entry.is_unknown
                total["unknown outcomes asked again"] += _is_asked_again(entry)
                total["duplicates refused"] += entry.is_ok and entry.reply["delivery"] == "duplicate"
                total["duplicates refused"] += entry.reply.get("type") == "KeyReuse"
                total["questions closed"] += entry.reply.get("type") == "QuestionClosed"
            case "inbox":
                total["questions listed"] += len(entry.reply.get("asked", ()))
            case "commit":
                total["steps"] += entry.is_ok
                total["conflicts"] += entry.reply.get("type") == "Conflict"
                total["children joined"] += entry.is_ok and entry.facts["event"] == "joined"
                total["merges"] += entry.is_ok and entry.facts["merged"]
            case "claim":
                total["handovers"] += entry.is_ok and entry.facts["held_by"] is not None
            case "forget":
                total["users forgotten"] += _has_erased(log, entry)
            case "rewind" | "migrate" | "reseal" | "purge" if entry.is_ok:
                _count_maintenance(total, entry)
            case "end_effect":
                total["effects recorded"] += entry.is_ok and entry.reply["is"]


def _count_leases(total: Counter[str], evidence: Evidence) -> None:
    total["agents taken"] += sum(entry.is_ok for entry in evidence.entries_of("take"))
    total["leases renewed"] += sum(entry.reply.get("held", False) for entry in evidence.entries_of("renew"))
    total["handovers"] += sum(1 for _ in taken_over(evidence))


def _count_maintenance(total: Counter[str], entry: Entry) -> None:
    match entry.verb:
        case "rewind":
            total["rewinds"] += 1
        case "migrate":
            total["migrations"] += "moved" in entry.reply["verdicts"]
        case "reseal":
            total["agents resealed"] += len(entry.reply["agents"])
        case _:
            total["agents purged"] += len(entry.reply["deleted"]) + len(entry.reply["shortened"])


def _has_erased(log: WriterLog, forget: Entry) -> bool:
    """Whether a call of ``forget`` erased something. If the call was cut off, its reply is unknown. But if the writer
    replaced an agent meanwhile, the call has erased it: a writer has one operator, who makes one call at a time."""
    if forget.is_ok:
        return bool(forget.reply["erased"])
    ended_ns = math.inf if forget.returned_ns is None else forget.returned_ns
    return any(
        each.verb == "adopt" and each.is_ok and forget.invoked_ns < each.invoked_ns < ended_ns for each in log.entries
    )


def _is_asked_again(entry: Entry) -> bool:
    """Whether a writer asked again for its predecessor's event: the token is not its own."""
    token = entry.facts["token"]
    return entry.is_ok and entry.verb == "send" and token.startswith("w") and not token.startswith(f"{entry.writer}-")


def _count_refused_zombies(total: Counter[str], evidence: Evidence) -> None:
    """Count the writes that were refused because another writer had a later epoch by then."""
    newest: dict[str, int] = {}
    ended = [entry for entry in evidence.entries if entry.returned_ns is not None]
    for entry in sorted(ended, key=lambda each: each.returned_ns or 0):
        agent, epoch = entry.facts.get("agent", ""), entry.reply.get("epoch", 0)
        if entry.is_ok and entry.verb in ("create", "claim", "take", "commit"):
            newest[agent] = max(newest.get(agent, 0), epoch)
        elif entry.verb in ("commit", "begin_effect", "record_attempt", "renew") and entry.facts["epoch"] is not None:
            is_refused = entry.outcome == "refused" or entry.reply.get("held") is False
            total["zombies refused"] += is_refused and newest.get(agent, 0) > entry.facts["epoch"]
