"""Which messages belong together: tool calls and their results, and what was said between them. Pure.

    call, result, result          one group; a provider refuses half of it
    call, word, result            one group too: what was said between stays between
    result without a call         an orphan: left out, since every provider refuses it
    call without a result         at the very end it stays, for its result comes next; else nobody waits for it any
                                  more, and it is left out, as are the results of the other calls in that message

A result belongs to the nearest call of its id before it, unless that has one already, and it comes at most ``REACH``
messages after it. So what belongs together can be told from a part of a thread, however long the thread is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.message import Message

#: how many messages after a call its result may come
REACH: Final = 128

Group: TypeAlias = tuple[Message, ...]


class Ties(NamedTuple):
    """Messages that belong together, by their places in a list."""

    #: of a call and its result
    pairs: Sequence[tuple[int, int]]
    #: of results without a call
    orphans: Collection[int]
    #: of calls without a result
    unanswered: Collection[int]


def ties(messages: Sequence[Message]) -> Ties:
    """The ties between the messages of a list."""
    pairs: list[tuple[int, int]] = []
    orphans: set[int] = set()
    last: dict[str, int] = {}
    waiting: set[tuple[int, str]] = set()
    for place, message in enumerate(messages):
        if not message.parts:
            continue
        for call in message.calls:
            last[call] = place
            waiting.add((place, call))
        for result in message.results:
            at = last.get(result)
            if at is None or place - at > REACH or (at, result) not in waiting:
                orphans.add(place)
            else:
                pairs.append((at, place))
                waiting.remove((at, result))
    return Ties(pairs, orphans, {place for place, _ in waiting})


def grouped(messages: Sequence[Message]) -> list[Group]:
    """The groups of a conversation, in order, without what no provider would take."""
    found = ties(messages)
    left_out = _unsound(len(messages), found)
    until = list(range(len(messages)))
    for call, result in found.pairs:
        if call not in left_out:
            until[call] = max(until[call], result)
    groups: list[list[Message]] = []
    end = -1
    for place, message in enumerate(messages):
        if place in left_out:
            continue
        if place > end:
            groups.append([])
        groups[-1].append(message)
        end = max(end, until[place])
    return [tuple(group) for group in groups]


def _unsound(count: int, found: Ties) -> set[int]:
    """The places of what is left out: all that is tied to an orphan, or to a call that nobody answers any more."""
    if not found.orphans and not found.unanswered:
        return set()
    linked = _linked(found)
    left_out: set[int] = set()
    for place in (*found.orphans, *found.unanswered):
        family = linked.get(place, {place})
        is_last = place in found.unanswered and family.issuperset(range(place, count))
        if place in found.orphans or not is_last:
            left_out |= family
    return left_out


def _linked(found: Ties) -> dict[int, set[int]]:
    """For every place that is tied to another, all that it is tied to, itself included."""
    linked: dict[int, set[int]] = {}
    for call, result in found.pairs:
        family = linked.get(call, {call}) | linked.get(result, {result})
        linked.update(dict.fromkeys(family, family))
    return linked


def known_from(messages: Sequence[Message]) -> int:
    """The place from which on groups are known, where others may come *before* these messages."""
    found = ties(messages)
    open_ = [place for place in found.orphans if place < REACH]
    if not open_:
        return 0
    edge, before = max(open_), -1
    while before != edge:
        before = edge
        edge = max([edge, *(result for call, result in found.pairs if call <= edge)])
    return edge + 1


def known_until(messages: Sequence[Message]) -> int:
    """The place before which groups are known, where others may come *after* these messages."""
    found = ties(messages)
    edge = min((place for place in found.unanswered if place + REACH >= len(messages)), default=len(messages))
    before = -1
    while before != edge:
        before = edge
        edge = min([edge, *(call for call, result in found.pairs if result >= edge)])
    return edge


def flat(groups: Iterable[Group]) -> list[Message]:
    return [message for group in groups for message in group]
