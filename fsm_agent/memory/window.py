"""What of a conversation a model is shown, within a budget of tokens. Pure.

    system messages at the beginning    always
    the last group                      always; if both do not fit, nothing is shown (``WindowTooSmall``)
    the summary                         cut to a quarter of the budget, or to what is left of it
    what comes between                  as the strategy says, as long as it fits

Nothing is ever torn: groups are taken whole or not at all. A strategy is a function of (messages, max_tokens, count)
that returns the messages to show; users may bring their own, and what it returns is ``checked``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.message import Message, Role
from fsm_agent.errors import ActionError, WindowTooSmall
from fsm_agent.memory.groups import Group, flat, grouped, ties
from fsm_agent.memory.token_counts import Counter

#: (messages, max_tokens, count) -> which of them to show, in their order; a summary of its own may stand among them.
Choose: TypeAlias = Callable[[Sequence[Message], int, Counter], Sequence[Message]]

#: what is put where a summary was cut off
_CUT: Final = "…"


class Frame(NamedTuple):
    """A conversation by its parts."""

    system: Sequence[Message]
    summary: Message | None
    groups: Sequence[Group]

    def messages(self) -> list[Message]:
        return [*self.system, *([self.summary] if self.summary else []), *flat(self.groups)]


def framed(messages: Sequence[Message]) -> Frame:
    """The parts of a conversation; of several summaries the last counts, wherever it stands."""
    lead = 0
    while lead < len(messages) and messages[lead].role is Role.SYSTEM:
        lead += 1
    rest = messages[lead:]
    summaries = [message for message in rest if message.role is Role.SUMMARY]
    groups = grouped([message for message in rest if message.role is not Role.SUMMARY])
    return Frame(messages[:lead], summaries[-1] if summaries else None, groups)


def drop_oldest(messages: Sequence[Message], max_tokens: int, count: Counter) -> list[Message]:
    """The newest groups."""
    return filled(framed(messages), max_tokens, count)


def keep_ends(keep_first: int) -> Choose:
    """The first groups, as many as that, and the newest."""

    def choose(messages: Sequence[Message], max_tokens: int, count: Counter) -> list[Message]:
        return filled(framed(messages), max_tokens, count, keep_first)

    return choose


def filled(frame: Frame, max_tokens: int, count: Counter, keep_first: int = 0) -> list[Message]:
    """What fits of a conversation; the first groups are served before the newest."""
    left = _left(frame, max_tokens, count)
    summary = frame.summary and cut(frame.summary, min(left, share(max_tokens)), count)
    shown = [*frame.system, *([summary] if summary else [])]
    left -= count(summary) if summary else 0
    older, last = frame.groups[:-1], frame.groups[-1:]
    first, left = _fitting(older[:keep_first], left, count)
    newest, _ = _fitting(reversed(older[len(first) :]), left, count)
    return [*shown, *flat(first), *flat(reversed(newest)), *flat(last)]


def _left(frame: Frame, max_tokens: int, count: Counter) -> int:
    """The budget that is left beside what must be in."""
    system = weight(frame.system, count)
    last = weight(frame.groups[-1], count) if frame.groups else 0
    if system + last > max_tokens:
        raise WindowTooSmall(max_tokens, system, last)
    return max_tokens - system - last


def _fitting(groups: Iterable[Group], left: int, count: Counter) -> tuple[list[Group], int]:
    """Groups one after the other until one does not fit, and what is left then."""
    taken: list[Group] = []
    for group in groups:
        tokens = weight(group, count)
        if tokens > left:
            break
        taken.append(group)
        left -= tokens
    return taken, left


def weight(messages: Iterable[Message], count: Counter) -> int:
    """The tokens of all of them."""
    return sum(map(count, messages))


def share(max_tokens: int) -> int:
    """How much of a window its summary may take."""
    return max_tokens // 4


def cut(summary: Message, max_tokens: int, count: Counter) -> Message | None:
    """A summary as it is, or its beginning, so that it fits; ``None`` if not even a word does."""
    if count(summary) <= max_tokens:
        return summary
    fits, most, shortest = None, len(summary.content), 1
    while shortest <= most:
        length = (shortest + most) // 2
        shorter = summary._replace(content=summary.content[:length] + _CUT, parts=())
        if count(shorter) <= max_tokens:
            fits, shortest = shorter, length + 1
        else:
            most = length - 1
    return fits


def due(frame: Frame, max_tokens: int, count: Counter) -> int:
    """How many of the oldest groups are to become a summary: none while all fits. When it does not, half of what the
    system messages and the summary leave free stays, so that there is room for a while; the last group always does.
    Raises ``WindowTooSmall`` before anybody pays for a summary that would not help."""
    _left(frame, max_tokens, count)
    summary = min(count(frame.summary), share(max_tokens)) if frame.summary else 0
    system = weight(frame.system, count)
    if system + summary + weight(flat(frame.groups), count) <= max_tokens:
        return 0
    room = max_tokens - system - share(max_tokens)
    staying, _ = _fitting(reversed(frame.groups), room // 2, count)
    return len(frame.groups) - max(len(staying), 1)


def batch(groups: Sequence[Group], max_tokens: int, count: Counter) -> Sequence[Group]:
    """The oldest groups that one request for a summary can hold; at least one."""
    taken, _ = _fitting(groups, max_tokens, count)
    return groups[: max(len(taken), 1)]


def checked(chosen: Sequence[Message], frame: Frame, max_tokens: int, count: Counter, *, name: str) -> list[Message]:
    """What a user's strategy has chosen. Raises ``ActionError`` if it broke a rule."""
    if not isinstance(chosen, Sequence) or not all(isinstance(each, Message) for each in chosen):
        raise ActionError(f"strategy {name!r} must return a list of messages, and returned a {type(chosen).__name__}")
    messages = frame.messages()
    given = {id(message): place for place, message in enumerate(messages)}
    places = [given[id(message)] for message in chosen if id(message) in given]
    for is_broken, rule in (
        (any(id(each) not in given and each.role is not Role.SUMMARY for each in chosen), "made a message up"),
        (places != sorted(set(places)), "changed the order of messages"),
        (places[: len(frame.system)] != list(range(len(frame.system))), "left out a system message of the beginning"),
        (_is_torn(messages, set(places)), "tore a tool call from its results"),
    ):
        if is_broken:
            raise ActionError(f"strategy {name!r} {rule}; it may only leave out whole groups, or put a summary in")
    if (tokens := weight(chosen, count)) > max_tokens:
        raise ActionError(f"strategy {name!r} returned {tokens} tokens, and the window has {max_tokens}")
    return list(chosen)


def _is_torn(messages: Sequence[Message], places: set[int]) -> bool:
    return any((call in places) is not (result in places) for call, result in ties(messages).pairs)
