"""In what agents are found: the members of `listed`, a sorted set of equal scores, stand in the order of their bytes.

What they begin with says by what agents are found there; the id is the last part, behind U+0000:

    s  status                                   w  workflow, status
    n  when it was made                         u  user, when it was made
    q  workflow, deadline, when it was made     l  name and text of a label, when it was made
    t  who is asked, deadline, when it was made

Times are hexadecimal numbers of one length. Scripts write all of that (`words.lua`); what they cannot know of a head
comes with it in ``asks`` and ``tags``.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby, islice
from operator import itemgetter
from typing import Final

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.selection import ANYBODY, QuestionPlace, asks, question_place
from fsm_agent.stores import codec
from fsm_agent.stores.damage import UNREADABLE
from fsm_agent.stores.redis.resp import Command

#: stands before all times, none of which is so long ago
_ERA_MS: Final = 10**14
_DIGITS: Final = 13
#: in place of a deadline, and behind all of them
_NEVER: Final = "g"
#: characters of a name that stands in a member as it is
_LONGEST_NAME: Final = 128


def time_text(at_ms: int) -> str:
    return f"{at_ms + _ERA_MS:0{_DIGITS}x}"


def time_of(text: str) -> int:
    return int(text, 16) - _ERA_MS


def name_text(name: str) -> str:
    """A name in a member: in JSON, which has no U+0000 in it; of a long one its digest."""
    if len(name) <= _LONGEST_NAME:
        return codec.encode(name)
    return f"#{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def asks_text(head: Head) -> str:
    """The deadline of a question and whom it asks, line by line; empty is no question."""
    if head.asked is None or not asks(head, None):
        return ""
    people = [name_text(name) for name in dict.fromkeys(head.asked.to)]
    return "\n".join([_due_text(question_place(head)), *(people or [ANYBODY])])


def tags_text(head: Head) -> str:
    """The texts by which an agent is found as long as it lives, line by line."""
    labels = [f"l{name_text(name)}\0{name_text(text)}" for name, text in head.labels.items()]
    return "\n".join([*([] if head.user is None else [f"u{name_text(head.user)}"]), *labels])


def members_of(head: Head) -> Iterator[str]:
    """All members of an agent."""
    made, status = f"{time_text(head.created_ms)}\0{head.id}", codec.status_number(head.status)
    yield f"s{status}\0{head.id}"
    yield f"w{head.workflow}\0{status}\0{head.id}"
    yield f"n{made}"
    for tag in filter(None, tags_text(head).split("\n")):
        yield f"{tag}\0{made}"
    due, *people = asks_text(head).split("\n")
    for under in [f"q{head.workflow}", *(f"t{who}" for who in people)] if due else ():
        yield f"{under}\0{due}{made}"


def _due_text(place: QuestionPlace) -> str:
    return _NEVER if place.due_ms is None else time_text(place.due_ms)


def place_text(place: QuestionPlace) -> str:
    """Where a question stands behind what it is found by."""
    return f"{_due_text(place)}{time_text(place.created_ms)}\0{place.agent_id}"


def place_of(text: str) -> QuestionPlace:
    times, _, agent_id = text.partition("\0")
    due, made = times[:-_DIGITS], times[-_DIGITS:]
    return QuestionPlace(None if due == _NEVER else time_of(due), time_of(made), agent_id)


def listings(
    index: str, statuses: Collection[Status], workflow: str | None, after: str | None, limit: int
) -> list[Command]:
    """One command for each status that is wanted; each gives ``limit`` members after the id ``after``."""
    return [_after(index, listed_under(workflow, each), after or "", limit) for each in statuses]


def due_by(due: str, now_ms: int, limit: int) -> list[Command]:
    """Those who are needed at once, which stand below 0, and those who are due by a time, which stand above."""
    bounds: list[Command] = [("-inf", "(0"), (0, now_ms)]
    return [("ZRANGEBYSCORE", due, *each, "WITHSCORES", "LIMIT", 0, limit) for each in bounds]


def longest_due(answers: Sequence[Sequence[str]], limit: int) -> list[str]:
    """The first ids of both, in the order of since when they are due. One may have gone from one to the other while
    they were read."""
    at_once, by_time = ([(float(at), each) for each, at in zip(told[::2], told[1::2], strict=True)] for told in answers)
    since = [(at + _ERA_MS, each) for at, each in at_once]
    merged = heapq.merge(since, by_time, key=itemgetter(0))
    return list(islice(dict.fromkeys(agent_id for _, agent_id in merged), limit))


def held_by(held: str, host: str) -> Command:
    return ("ZRANGEBYLEX", held, f"[{host}\0", f"({host}\1")


def held(held: str) -> Command:
    return ("ZRANGEBYLEX", held, "-", "+")


def held_ids(members: Sequence[str]) -> list[str]:
    return [member.rpartition("\0")[2] for member in members]


def ids_of(answers: Sequence[Sequence[str]], limit: int) -> list[str]:
    """The first ids, in order, of several lists of members that are in order; the last part of a member is its id.
    One may have moved from one list to another while they were read."""
    return first_of(([id_of(member) for member in members] for members in answers), limit)


def first_of(sorted_texts: Iterable[Sequence[str]], limit: int) -> list[str]:
    """The first texts, in order, of several lists that are in order."""
    return list(islice((each for each, _ in groupby(heapq.merge(*sorted_texts))), limit))


def id_of(member: str) -> str:
    return member.rpartition("\0")[2]


def age_of(member: str) -> tuple[int, str]:
    """When an agent was made, and its id, of a member that ends with both."""
    under, _, agent_id = member.rpartition("\0")
    return time_of(under[-_DIGITS:]), agent_id


def made_at(pin: str) -> int:
    """When an agent was made; 0 if its pin is damaged."""
    with suppress(*UNREADABLE):
        return int(codec.decode(pin.rsplit("\n", 1)[1])[2])
    return 0


def listed_under(workflow: str | None, status: Status) -> str:
    """What those of a status stand under, of all workflows or of one."""
    start = "s" if workflow is None else f"w{workflow}\0"
    return f"{start}{codec.status_number(status)}\0"


def behind(key: str, under: str, after: str, limit: int) -> Command:
    """Members that begin with ``under`` and U+0000, from behind ``after`` on; without limit if that is negative."""
    return _after(key, f"{under}\0", after, limit)


def counted(key: str, under: str) -> Command:
    """How many members begin with ``under``."""
    return ("ZLEXCOUNT", key, f"[{under}", f"({_past(under)}")


def before(key: str, under: str, place: str | None, limit: int) -> Command:
    """Members that begin with ``under``, from the last one back, or from before ``place``."""
    start = f"({_past(under)}" if place is None else f"({under}{place}"
    return ("ZREVRANGEBYLEX", key, start, f"[{under}", "LIMIT", 0, limit)


def _past(text: str) -> str:
    """Behind all that begins with a text, and before everything else."""
    return text[:-1] + chr(ord(text[-1]) + 1)


def _after(key: str, start: str, after: str, limit: int) -> Command:
    return ("ZRANGEBYLEX", key, f"({start}{after}", f"({start[:-1]}\1", "LIMIT", 0, limit)
