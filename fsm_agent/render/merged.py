"""One workflow that has the states and transitions of two versions, so that both are laid out in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fsm_agent.change.alignment import HandlerPair
from fsm_agent.change.difference import Difference
from fsm_agent.domain.state import Candidates, Duration, Handlers, State, Timer, Transition
from fsm_agent.domain.workflow import Workflow


def merged(difference: Difference) -> Workflow:
    """Both versions in one, to be drawn and not to be run. What was removed stands behind what it stood behind."""
    merger = _Merger({site.path: site.pairs for site in difference.sites})
    old, new = difference.renamed, difference.new
    visits = {**old.limits.visits, **new.limits.visits}
    return replace(
        new,
        states=merger.states(old.states, new.states),
        on=merger.handlers(""),
        limits=new.limits._replace(visits=visits),
        must=(),
    )


def transitions_of(pair: HandlerPair) -> Candidates:
    """The candidates of a handler in both versions, those of the new one first."""
    found: list[Transition] = []
    for each in pair.pairs:
        old, new = pair.transition(each)
        found += [each for each in (new, old) if each is not None]
    return tuple(found)


class _Merger:
    def __init__(self, pairs: Mapping[str, Sequence[HandlerPair]]) -> None:
        self._pairs = pairs

    def states(self, olds: Sequence[State], news: Sequence[State]) -> tuple[State, ...]:
        before = {state.path: state for state in olds}
        there = {state.path for state in news}
        found = [self._state(before.get(state.path), state) for state in news]
        for place, state in enumerate(olds):
            if state.path not in there:
                ahead = {each.path for each in olds[:place]}
                at = max((at + 1 for at, each in enumerate(found) if each.path in ahead), default=0)
                found.insert(at, self._state(state, None))
        return tuple(found)

    def _state(self, old: State | None, new: State | None) -> State:
        shown = new or old
        assert shown is not None  # noqa: S101 - one of them is there
        children = self.states(old.states if old else (), new.states if new else ())
        initial = shown.initial or (old.initial if old else None)
        timers = [pair for pair in self._pairs[shown.path] if pair.is_timer]
        return shown._replace(
            on=self.handlers(shown.path),
            after=tuple(Timer(_duration(pair, old, new), transitions_of(pair)) for pair in timers),
            states=children,
            initial=initial if children else None,
            final=shown.final and not children,
        )

    def handlers(self, path: str) -> Handlers:
        pairs = [pair for pair in self._pairs[path] if not pair.is_timer]
        return {pair.event: transitions_of(pair) or None for pair in pairs}


def _duration(pair: HandlerPair, old: State | None, new: State | None) -> Duration:
    label = pair.label.partition(" ")[2]
    timers = [*(new.after if new else ()), *(old.after if old else ())]
    return next(timer.duration for timer in timers if timer.duration.text == label)
