"""A workflow whose states are called otherwise, so that it can be compared with one that has these names."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from fsm_agent.change.state_matches import Renames
from fsm_agent.dialect.terms import TermInvalid, TermKind, named
from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Rule, Terms, Whenever
from fsm_agent.domain.state import Candidates, Handlers, State, Transition
from fsm_agent.domain.workflow import Workflow

_VISITS: Final = re.compile(r"""(visits\s*\[\s*)(["'])([\w.]+)\2(\s*\])""")


def renamed(workflow: Workflow, names: Renames) -> Workflow:
    """The workflow under new names, wherever a state is named: transitions, limits, guards that count visits."""
    if not names:
        return workflow
    renamer = _Renamer(workflow, names)
    visits = {renamer.path(path): most for path, most in workflow.limits.visits.items()}
    return replace(
        workflow,
        initial=renamer.path(workflow.initial),
        on=renamer.handlers(workflow.on),
        states=tuple(map(renamer.state, workflow.states)),
        limits=workflow.limits._replace(visits=visits),
        must=tuple(map(renamer.property, workflow.must)),
    )


class _Renamer:
    def __init__(self, workflow: Workflow, names: Renames) -> None:
        self._workflow = workflow
        self._names = names

    def path(self, path: str) -> str:
        return self._names.get(path, path)

    def state(self, state: State) -> State:
        timers = (timer._replace(transitions=self._candidates(timer.transitions)) for timer in state.after)
        return state._replace(
            path=self.path(state.path),
            initial=None if state.initial is None else self.path(state.initial),
            on=self.handlers(state.on),
            after=tuple(timers),
            states=tuple(map(self.state, state.states)),
        )

    def handlers(self, on: Handlers) -> Handlers:
        return {event: None if chosen is None else self._candidates(chosen) for event, chosen in on.items()}

    def _candidates(self, candidates: Candidates) -> Candidates:
        return tuple(map(self._transition, candidates))

    def _transition(self, transition: Transition) -> Transition:
        target = None if transition.target is None else self.path(transition.target)
        when = None if transition.when is None else self._expression(transition.when)
        return transition._replace(target=target, when=when)

    def _expression(self, text: str) -> str:
        return _VISITS.sub(lambda found: f"{found[1]}{found[2]}{self.path(found[3])}{found[2]}{found[4]}", text)

    def property(self, of: Property) -> Property:
        return replace(of, rule=self._rule(of.rule))

    def _rule(self, rule: Rule) -> Rule:
        match rule:
            case Never(terms, before, after, since, until):
                return Never(*map(self._terms, (terms, before, after, since, until)))
            case AtMost(count, terms, since):
                return AtMost(count, self._terms(terms), self._terms(since))
            case Reaches(terms, since, within):
                return Reaches(self._terms(terms), self._terms(since), within)
            case Whenever(events, holds):
                return Whenever(events, self._expression(holds))

    def _terms(self, terms: Terms) -> Terms:
        return tuple(map(self._term, terms))

    def _term(self, written: str) -> str:
        word, space, name = written.rpartition(" ")
        try:
            kinds = {term.kind for term in named(self._workflow, written)}
        except TermInvalid:
            return written
        return f"{word}{space}{self.path(name)}" if TermKind.STATE in kinds else written
