"""Whether events and their handlers fit together. Each function is one diagnostic."""

from __future__ import annotations

from collections.abc import Iterator

from fsm_agent.check.codes import Code
from fsm_agent.check.reachability import Behaviour, can_happen, choosable
from fsm_agent.check.transition_sites import Site, sites, state_path, timer_sites
from fsm_agent.dialect.claims import answers_of
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import lineage


def shadowed_transitions(behaviour: Behaviour) -> Iterator[Finding]:
    """Transitions that no leaf chooses, because another one is always before them."""
    chosen = {site.path for choices in behaviour.choices.values() for _, candidates in choices for site in candidates}
    siblings: list[Site] = []
    for site in sites(behaviour.workflow):
        if siblings and siblings[-1].path[:-1] != site.path[:-1]:
            siblings = []
        if site.path not in chosen:
            yield Code.SHADOWED.found(f"this transition is never chosen: {_shadow(site, siblings)}", site.path)
        siblings.append(site)


def unhandled_events(behaviour: Behaviour) -> Iterator[Finding]:
    """Declared events that no state handles."""
    handled = {event for events in behaviour.handled.values() for event in events}
    for event in behaviour.workflow.events:
        if event not in handled:
            message = f"event `{event}` is declared, and no state handles it"
            yield Code.UNHANDLED.found(message, ("events", event), at_key=True)


def impossible_events(behaviour: Behaviour) -> Iterator[Finding]:
    """Handlers of ``error`` and ``timeout`` where no action can cause them."""
    for event, needed in (("error", "`do`"), ("timeout", "`do` and `timeout`")):
        causes = [leaf.path for leaf in behaviour.leaves if can_happen(event, leaf)]
        covering = {path for cause in causes for path in lineage(cause)}
        for owner in (None, *behaviour.workflow.by_path.values()):
            handlers, is_possible = (
                (behaviour.workflow.on, bool(causes)) if owner is None else (owner.on, owner.path in covering)
            )
            if handlers.get(event) and not is_possible:
                message = f"event `{event}` never happens here: no state that this covers has {needed}"
                path = (*(state_path(owner.path) if owner else ()), "on", event)
                yield Code.IMPOSSIBLE.found(message, path, at_key=True)


def impossible_timers(behaviour: Behaviour) -> Iterator[Finding]:
    """Timers that never fire, because an earlier timer of the same state always leaves it before."""
    for state in behaviour.workflow.by_path.values():
        timers = sorted(state.after, key=lambda timer: timer.duration.ms)
        written = timer_sites(state)
        for at, timer in enumerate(timers):
            sure = [each for each in timers[:at] if _leads_out(state, written[each.duration.text])]
            if sure:
                message = f"`after {timer.duration}` is never due: by then `after {sure[0].duration}` has led out"
                yield Code.IMPOSSIBLE.found(
                    message, (*state_path(state.path), "after", timer.duration.text), at_key=True
                )


def endless_questions(behaviour: Behaviour) -> Iterator[Finding]:
    """Questions that may wait for ever."""
    for leaf in behaviour.leaves:
        if (leaf.ask or answers_of(leaf)) and not any(behaviour.timers(leaf.path)):
            message = f"the question of state `{leaf.path}` has no deadline: add a timer under `after`"
            yield Code.NO_DEADLINE.found(message, (*state_path(leaf.path), "ask" if leaf.ask else "do"), at_key=True)


def _shadow(site: Site, before: list[Site]) -> str:
    """Why a transition is never chosen; ``before`` are those before it in the same list."""
    if any((other.transition.when or "true").strip() == "true" for other in before):
        return "the one without a guard before it always is"
    if any(other.transition.when == site.transition.when for other in before):
        return f"the guard `{site.transition.when}` stands before it already"
    return f"every state that it covers decides on `{site.event}` itself, or forbids it"


def _leads_out(state: State, timer: tuple[Site, ...]) -> bool:
    """Whether a timer certainly ends the stay in its state; entering the state again is a new stay."""
    candidates = list(choosable(timer))
    targets = [site.transition.target for site in candidates]
    is_sure = bool(candidates) and (candidates[-1].transition.when or "true").strip() == "true"
    return is_sure and all(target and state.path not in lineage(target)[:-1] for target in targets)
