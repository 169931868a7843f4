"""What the faults of a run hit. A fault that hit nothing proves nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.journal import Entry, Life
from fsm_agent.testing.faults.places import KINDS

#: Told besides.
TOLD: Final = ("lives", "agents", "namespaces of pids", *(f"kills inside {kind}" for kind in KINDS))
#: What must have happened, in the order in which it is told.
REQUIRED: Final = (
    "calls",
    "steps",
    "kills",
    *(f"failpoints in {kind}" for kind in KINDS),
    "freezes",
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
    "children joined",
    "merges",
    "rewinds",
    "migrations",
    "users forgotten",
    "agents resealed",
    "agents purged",
)


def tallied(evidence: Evidence, done: Counter[str], killed: Collection[str]) -> Counter[str]:
    """``done`` is what the nemesis did, ``killed`` whom it killed."""
    total = Counter(done)
    total["agents"] = len(evidence.agents)
    total["namespaces of pids"] = len({facts["namespace"] for _, facts in evidence.notes("holder")})
    total["times without disk"] = sum(1 for _ in evidence.notes("disk full"))
    for life in evidence.lives:
        _tally_the_end(total, life, is_killed=life.writer in killed)
        _tally_calls(total, life)
    _tally_holders(total, evidence)
    return total


def missing(total: Mapping[str, int], impossible: Collection[str]) -> list[str]:
    """What should have happened, and did not."""
    return [name for name in REQUIRED if name not in impossible and not total.get(name)]


def failpoints_hit(evidence: Evidence) -> Counter[str]:
    """``commit:before`` -> how many writers it ended."""
    ends = (life.ended_at for life in evidence.lives if life.ended_at)
    return Counter(f"{end['place']}:{end['moment']}" for end in ends)


def _tally_the_end(total: Counter[str], life: Life, *, is_killed: bool) -> None:
    if life.ended_at is not None:
        total["failpoints"] += 1
        kind = next(kind for kind, verbs in KINDS.items() if life.ended_at["place"] in verbs)
        total[f"failpoints in {kind}"] += 1
    elif is_killed:
        total["kills"] += 1
        for kind, verbs in KINDS.items():
            total[f"kills inside {kind}"] += bool(verbs & life.open_verbs)


def _tally_calls(total: Counter[str], life: Life) -> None:
    for entry in life.entries:
        match entry.verb:
            case "start" | "send" | "answer":
                total["calls"] += 1
                total["unknown outcomes"] += entry.is_unknown
                total["unknown outcomes asked again"] += _is_asked_again(entry)
                total["duplicates refused"] += entry.is_ok and entry.reply["delivery"] == "duplicate"
                total["duplicates refused"] += entry.reply.get("type") == "KeyReuse"
                total["questions closed"] += entry.reply.get("type") == "QuestionClosed"
            case "commit":
                total["steps"] += entry.is_ok
                total["conflicts"] += entry.reply.get("type") == "Conflict"
                total["children joined"] += entry.is_ok and entry.facts["event"] == "joined"
                total["merges"] += entry.is_ok and entry.facts["merged"]
            case "claim":
                total["handovers"] += entry.is_ok and entry.facts["held_by"] is not None
            case "forget":
                total["users forgotten"] += _has_erased(life, entry)
            case "rewind" | "migrate" | "reseal" | "purge" if entry.is_ok:
                _tally_upkeep(total, entry)
            case "end_effect":
                total["effects recorded"] += entry.is_ok and entry.reply["is"]


def _tally_upkeep(total: Counter[str], entry: Entry) -> None:
    match entry.verb:
        case "rewind":
            total["rewinds"] += 1
        case "migrate":
            total["migrations"] += "moved" in entry.reply["verdicts"]
        case "reseal":
            total["agents resealed"] += len(entry.reply["agents"])
        case _:
            total["agents purged"] += len(entry.reply["deleted"]) + len(entry.reply["shortened"])


def _has_erased(life: Life, forgetting: Entry) -> bool:
    """Whether it hit something, as far as is known. Of one that was cut off nobody learnt it; but an agent that was
    written anew meanwhile was erased, since a writer has one operator, who does one thing at a time."""
    if forgetting.is_ok:
        return bool(forgetting.reply["erased"])
    ended_ns = math.inf if forgetting.returned_ns is None else forgetting.returned_ns
    return any(
        each.verb == "adopt" and each.is_ok and forgetting.invoked_ns < each.invoked_ns < ended_ns
        for each in life.entries
    )


def _is_asked_again(entry: Entry) -> bool:
    """Whether an heir learnt what its forebear never did: the token is not its own."""
    token = entry.facts["token"]
    return entry.is_ok and entry.verb == "send" and token.startswith("w") and not token.startswith(f"{entry.writer}-")


def _tally_holders(total: Counter[str], evidence: Evidence) -> None:
    """Who had an epoch and was refused, because another had a later one by then."""
    given: dict[str, int] = {}
    ended = [entry for entry in evidence.entries if entry.returned_ns is not None]
    for entry in sorted(ended, key=lambda each: each.returned_ns or 0):
        agent, epoch = entry.facts.get("agent", ""), entry.reply.get("epoch", 0)
        if entry.is_ok and entry.verb in ("create", "claim", "commit"):
            given[agent] = max(given.get(agent, 0), epoch)
        elif entry.verb in ("commit", "begin_effect", "record_attempt", "renew") and entry.facts["epoch"] is not None:
            is_refused = entry.outcome == "refused" or entry.reply.get("held") is False
            total["zombies refused"] += is_refused and given.get(agent, 0) > entry.facts["epoch"]
