"""What agents did over time, told from their histories: steps taken, and questions that were open. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from fsm_agent.domain.step import Step
from fsm_agent.domain.workflow import Workflow

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


class Life(NamedTuple):
    """The steps of one agent, and its workflow."""

    workflow: Workflow
    steps: Sequence[Step]


def activity(lives: Iterable[Life], *, now_ms: int, spans: int = 48) -> Activity | None:
    """What happened from the first step until now, in at most so many spans; ``None`` if nothing did."""
    taken, changes = [], []
    for life in lives:
        taken += [step.at_ms for step in life.steps]
        changes += _questions(life)
    if not taken:
        return None
    first_ms = min(taken)
    span_ms = next((span for span in _SPANS if (now_ms - first_ms) // span < spans), _SPANS[-1])
    begin_ms = max(first_ms, now_ms - span_ms * spans) // span_ms * span_ms
    count = max(1, (now_ms - begin_ms) // span_ms + 1)
    steps, opened = [0] * count, [0] * count
    for at_ms in taken:
        if begin_ms <= at_ms:
            steps[min(count - 1, (at_ms - begin_ms) // span_ms)] += 1
    for at_ms, change in changes:
        opened[min(count - 1, max(0, (at_ms - begin_ms) // span_ms))] += change
    return Activity(begin_ms, span_ms, tuple(steps), tuple(_sums(opened)))


def _questions(life: Life) -> list[tuple[int, int]]:
    """When a question of an agent was opened (1) and closed (-1)."""
    changes = []
    is_open = False
    for step in life.steps:
        state = life.workflow.by_path.get(step.target)
        asks = state is not None and state.ask is not None
        if asks != is_open:
            changes.append((step.at_ms, 1 if asks else -1))
            is_open = asks
    return changes


def _sums(changes: Iterable[int]) -> list[int]:
    total, sums = 0, []
    for change in changes:
        total += change
        sums.append(total)
    return sums
