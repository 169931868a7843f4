"""Ranges of the sorted sets in which agents are found: members of equal scores, in the order of their bytes."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from itertools import groupby, islice

from fsm_agent.domain.agent import Status
from fsm_agent.stores import codec
from fsm_agent.stores.redis.resp import Command


def listings(
    index: str, statuses: Collection[Status], workflow: str | None, after: str | None, limit: int
) -> list[Command]:
    """One command for each status that is wanted; each gives ``limit`` members after the id ``after``."""
    start = "s" if workflow is None else f"w{workflow}\0"
    return [_after(index, f"{start}{codec.status_number(each)}\0", after or "", limit) for each in statuses]


def held_by(held: str, host: str) -> Command:
    return ("ZRANGEBYLEX", held, f"[{host}\0", f"({host}\1")


def held(held: str) -> Command:
    return ("ZRANGEBYLEX", held, "-", "+")


def held_ids(members: Sequence[str]) -> list[str]:
    return [member.rpartition("\0")[2] for member in members]


def ids_of(answers: Sequence[Sequence[str]], limit: int) -> list[str]:
    """The first ids, in order, of several lists of members that are in order; the last part of a member is its id.
    One may have moved from one list to another while they were read."""
    sorted_ids = ([member.rpartition("\0")[2] for member in members] for members in answers)
    return list(islice((each for each, _ in groupby(heapq.merge(*sorted_ids))), limit))


def _after(key: str, start: str, after: str, limit: int) -> Command:
    return ("ZRANGEBYLEX", key, f"({start}{after}", f"({start[:-1]}\1", "LIMIT", 0, limit)
