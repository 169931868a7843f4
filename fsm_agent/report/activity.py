"""What agents did over time, told from their histories: steps taken, and questions that were open. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

_MINUTE_MS: Final = 60_000
#: spans that people read easily, in ms
_SPANS: Final = tuple(minutes * _MINUTE_MS for minutes in (1, 5, 15, 60, 6 * 60, 24 * 60, 7 * 24 * 60, 28 * 24 * 60))


class Activity(NamedTuple):
    """Equal spans of time, one after the other."""

    begin_ms: int
    span_ms: int
    #: in each span, how many steps were taken
    steps: tuple[int, ...]
    #: at the end of each span, how many questions were open
    open_questions: tuple[int, ...]


class Moment(NamedTuple):
    """A step of an agent: when it was taken, and whether the agent asks something after it."""

    at_ms: int
    asks: bool


class Life(NamedTuple):
    """The steps of one agent that are kept, in their order."""

    moments: Sequence[Moment]
    #: whether it asked something before the first of them
    has_asked: bool = False


def activity(lives: Iterable[Life], *, now_ms: int, spans: int = 48) -> Activity | None:
    """What happened from the first step until now, in at most so many spans; ``None`` if nothing did. What is too long
    ago even for long spans is left out."""
    told = [life for life in lives if life.moments]
    taken = [moment.at_ms for life in told for moment in life.moments]
    if not taken:
        return None
    first_ms, now_ms = min(taken), max(now_ms, *taken)
    span_ms = next((span for span in _SPANS if now_ms // span - first_ms // span < spans), _SPANS[-1])
    last = now_ms // span_ms
    first = max(first_ms // span_ms, last - spans + 1)
    steps, changes = [0] * (last - first + 1), [0] * (last - first + 1)
    for at_ms in taken:
        if at_ms // span_ms >= first:
            steps[at_ms // span_ms - first] += 1
    for life in told:
        for at_ms, change in _changes(life):
            changes[max(at_ms // span_ms, first) - first] += change
    return Activity(first * span_ms, span_ms, tuple(steps), tuple(accumulate(changes)))


def _changes(life: Life) -> Iterator[tuple[int, int]]:
    """When an agent began to ask something (1), and when it did not any more (-1)."""
    asks = False
    for at_ms, asks_then in [(life.moments[0].at_ms, life.has_asked), *life.moments]:
        if asks_then != asks:
            yield at_ms, 1 if asks_then else -1
            asks = asks_then
