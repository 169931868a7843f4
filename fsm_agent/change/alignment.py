"""Which transition of the old version is which of the new one, and which timer.

Transitions belong together only if they stand under one event of one state, or under one timer. Timers belong together
if they are as long, else if they do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.change.change import new_key, old_key
from fsm_agent.domain.state import Candidates, Duration, Handlers, Timer, Transition


class Pair(NamedTuple):
    """Places of two candidates that belong together; ``None`` where there is none."""

    old: int | None
    new: int | None


class HandlerPair(NamedTuple):
    """What one event or timer of a state leads to, in both versions."""

    #: as guards see it: ``after`` for every timer
    event: str
    #: ``refund``, or ``after 3d``; ``None`` where it is not handled
    old_label: str | None
    new_label: str | None
    #: ``None`` where an inherited handler is forbidden
    old: Candidates | None
    new: Candidates | None
    pairs: tuple[Pair, ...] = ()

    @property
    def label(self) -> str:
        return self.new_label or self.old_label or self.event

    @property
    def is_timer(self) -> bool:
        return self.event == "after"

    @property
    def is_as_long(self) -> bool:
        """Whether a timer takes the same time in both versions, as ``2d`` and ``48h`` do."""
        if not self.is_timer or self.old_label is None or self.new_label is None:
            return False
        old, new = (Duration.parse(_place(label)[1]).ms for label in (self.old_label, self.new_label))
        return old == new

    def transition(self, pair: Pair) -> tuple[Transition | None, Transition | None]:
        """The candidates of a pair."""
        old = None if pair.old is None or self.old is None else self.old[pair.old]
        new = None if pair.new is None or self.new is None else self.new[pair.new]
        return old, new

    def keys(self, pair: Pair) -> tuple[str, ...]:
        old = () if pair.old is None else (old_key(*_place(self.old_label), pair.old),)
        new = () if pair.new is None else (new_key(*_place(self.new_label), pair.new),)
        return (*old, *new)

    def place(self, side: str) -> str:
        """Where the handler stands in the state, on the side ``old`` or ``new``."""
        return ".".join(_place(self.new_label if side == "new" else self.old_label))

    @property
    def whole_keys(self) -> tuple[str, ...]:
        """The keys of the handler itself, without its candidates."""
        old = () if self.old_label is None else (old_key(*_place(self.old_label)),)
        new = () if self.new_label is None else (new_key(*_place(self.new_label)),)
        return (*old, *new)

    @property
    def is_reordered(self) -> bool:
        """Whether candidates that are in both versions are tried in another order."""
        places = [new for _, new in sorted(self.matched)]
        return places != sorted(places)

    @property
    def matched(self) -> list[tuple[int, int]]:
        return [(pair.old, pair.new) for pair in self.pairs if pair.old is not None and pair.new is not None]


def _place(label: str | None) -> tuple[str, str]:
    word, _, length = (label or "").partition(" ")
    return ("after", length) if length else ("on", word)


def bare(transition: Transition) -> Transition:
    """A transition without what only explains it."""
    return transition._replace(description="")


def unguarded(transition: Transition) -> Transition:
    """The effect of a transition once it is taken."""
    return transition._replace(when=None, description="")


def all_bare(candidates: Candidates | None) -> Candidates | None:
    return None if candidates is None else tuple(map(bare, candidates))


def handler_pairs(
    old_on: Handlers, new_on: Handlers, old_after: Sequence[Timer] = (), new_after: Sequence[Timer] = ()
) -> Iterator[HandlerPair]:
    """All handlers of one state or of the workflow: events first, in the order of the new version."""
    for event in dict.fromkeys([*new_on, *old_on]):
        olds, news = old_on.get(event, ()), new_on.get(event, ())
        old_label, new_label = event if event in old_on else None, event if event in new_on else None
        yield HandlerPair(event, old_label, new_label, olds, news, aligned(olds or (), news or ()))
    for this, that in _timer_pairs(old_after, new_after):
        olds, news = this.transitions if this else (), that.transitions if that else ()
        old_label, new_label = (None if each is None else f"after {each.duration}" for each in (this, that))
        yield HandlerPair("after", old_label, new_label, olds, news, aligned(olds, news))


_Alike: TypeAlias = Callable[[Transition, Transition], bool]

#: from the surest to the least sure
_RULES: Final[tuple[_Alike, ...]] = (
    lambda old, new: bare(old) == bare(new),
    lambda old, new: old.target == new.target and old.when == new.when,
    lambda old, new: old.target == new.target,
    lambda old, new: old.when is not None and old.when == new.when,
    lambda old, new: old.when is None and new.when is None,
)


def aligned(olds: Candidates, news: Candidates) -> tuple[Pair, ...]:
    """Each candidate once, alone or with the one that it has become; in the order of the new version."""
    if len(olds) == len(news) == 1:
        return _lone(olds[0], news[0])
    left, right = list(range(len(olds))), list(range(len(news)))
    pairs: list[Pair] = []
    for alike in _RULES:
        for place in tuple(left):
            other = next((each for each in right if alike(olds[place], news[each])), None)
            if other is not None:
                pairs.append(Pair(place, other))
                left.remove(place)
                right.remove(other)
    pairs += [Pair(None, other) for other in right]
    return (
        *sorted(pairs, key=lambda pair: -1 if pair.new is None else pair.new),
        *(Pair(place, None) for place in left),
    )


def _lone(old: Transition, new: Transition) -> tuple[Pair, ...]:
    belong = any(alike(old, new) for alike in _RULES)
    return (Pair(0, 0),) if belong else (Pair(None, 0), Pair(0, None))


def _timer_pairs(olds: Sequence[Timer], news: Sequence[Timer]) -> Iterator[tuple[Timer | None, Timer | None]]:
    left, right = list(olds), list(news)
    found: dict[int, Timer] = {}
    for alike in _TIMER_RULES:
        for timer in tuple(right):
            other = next((each for each in left if alike(each, timer)), None)
            if other is not None:
                found[news.index(timer)] = other
                left.remove(other)
                right.remove(timer)
    for place, timer in enumerate(news):
        yield found.get(place), timer
    for timer in left:
        yield timer, None


_TIMER_RULES: Final[tuple[Callable[[Timer, Timer], bool], ...]] = (
    lambda old, new: old.duration.text == new.duration.text,
    lambda old, new: old.duration.ms == new.duration.ms,
    lambda old, new: all_bare(old.transitions) == all_bare(new.transitions),
)
