"""Prove the properties of a workflow: control first, then with data what fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from fsm_agent.domain.property import Property, Reaches, Rule, Whenever
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.machine import Machine
from fsm_agent.proof.deadlines import duration, human, longest
from fsm_agent.proof.environment import Knowledge
from fsm_agent.proof.explore import Edge, Exploration
from fsm_agent.proof.liveness import Failure, unreached
from fsm_agent.proof.model import Model
from fsm_agent.proof.rules import automaton, conditions_of, failing
from fsm_agent.proof.search import path_to, product
from fsm_agent.proof.verdicts import Outcome, Proof, Verdict, told

#: how many configurations are looked at with data before a verdict is open
MOST: Final = 20_000

ASSUMPTIONS: Final = (
    "no agent is rewound, forked or migrated in mid-life, and none is ended by force",
    "every action is there, and leaves no effect in doubt",
    "an action asks people only if its own text says so (`ctx.ask`)",
    "data stay within their limit of size",
)
FAIRNESS: Final = "timers fire, actions end, and operators see to parked agents"
PUNCTUALITY: Final = "what is due is done at once, and an operator's time does not count"
DEFAULTS: Final = "agents begin with the defaults of their data"
#: of a path that only such an agent surely takes
GIVEN: Final = "the agent is given data at its creation"


def prove(
    workflow: Workflow,
    properties: Sequence[Property],
    *,
    signatures: Mapping[str, Signature] | None = None,
    most: int = MOST,
) -> Proof:
    """A verdict for each of ``properties``.

    ``signatures`` says which events actions name, which fields they write, and whether they ask people (``ctx.ask``).
    Of others nothing is known: they may name and write what they like. ``most`` bounds how many states are looked at
    in one search. Raises ``ValueError`` for a term that names nothing in the workflow.
    """
    prover = _Prover(workflow, signatures or {}, properties, most)
    verdicts = tuple(prover.verdict(each) for each in properties)
    states = max((verdict.states for verdict in verdicts), default=0)
    return Proof(verdicts, states, prover.is_complete, ASSUMPTIONS)


def first_unproved(
    workflow: Workflow, properties: Sequence[Property], *, signatures: Mapping[str, Signature], most: int = MOST
) -> str | None:
    """The name of the first of ``properties`` that is not proved, as by ``prove``; ``None`` if all of them are."""
    prover = _Prover(workflow, signatures, properties, most)
    return next((each.name for each in properties if prover.verdict(each).outcome is not Outcome.PROVED), None)


class _Broken(NamedTuple):
    """How a rule is broken."""

    path: tuple[Edge, ...] = ()
    cycle: tuple[Edge, ...] = ()
    why: str = ""
    #: why it is not sure that the rule is broken at the end of the path; empty if it is
    doubt: str = ""

    @property
    def length(self) -> int:
        return len(self.path) + len(self.cycle)

    @property
    def is_certain(self) -> bool:
        return not self.doubt and all(edge.is_certain for edge in (*self.path, *self.cycle))


class _Prover:
    def __init__(self, workflow: Workflow, known: Knowledge, properties: Sequence[Property], most: int) -> None:
        self._workflow = workflow
        self._machine = Machine(workflow)
        self._known = known
        self._most = most
        self._conditions = [
            guard
            for each in properties
            if isinstance(each.rule, Whenever)
            for guard in conditions_of(workflow, each.rule)
        ]
        self._explorations: dict[tuple[bool, bool], Exploration] = {}

    @property
    def is_complete(self) -> bool:
        return all(exploration.is_complete for exploration in self._explorations.values())

    def verdict(self, of: Property) -> Verdict:
        """What holds whatever the data are needs no look at them, and what holds for any data none at the defaults."""
        control = self._judged(of, self._exploration(has_data=False), is_last=False)
        if control.outcome is Outcome.PROVED:
            return control
        anyhow = self._judged(of, self._exploration(has_data=True))
        if anyhow.outcome is Outcome.PROVED:
            return anyhow
        verdict = self._judged(of, self._exploration(has_data=True, has_defaults=True))
        if verdict.outcome is Outcome.PROVED:
            return verdict._replace(assumptions=(*verdict.assumptions, DEFAULTS))
        if verdict.outcome is Outcome.OPEN and anyhow.outcome is Outcome.VIOLATED:
            return anyhow._replace(assumptions=(GIVEN,))
        return verdict

    def _exploration(self, *, has_data: bool, has_defaults: bool = False) -> Exploration:
        """One for each view, shared by all properties."""
        if (has_data, has_defaults) not in self._explorations:
            model = Model(self._workflow, self._machine, self._known, self._conditions if has_data else None)
            self._explorations[has_data, has_defaults] = Exploration(model, has_defaults=has_defaults, most=self._most)
        return self._explorations[has_data, has_defaults]

    def _judged(self, of: Property, exploration: Exploration, *, is_last: bool = True) -> Verdict:
        """The first way in which the rule is broken counts, if it is certain; else one that is, if there is one. Where
        data will be looked at next, it does not matter which."""
        broken = first = _broken(exploration, of.rule, only_certain=False)
        if is_last and first is not None and not first.is_certain:
            broken = _broken(exploration, of.rule, only_certain=True) or first
        states = len(exploration.configurations)
        if broken is None and exploration.is_complete:
            why = f"in all {states} states"
            return Verdict(of.name, Outcome.PROVED, cause=why, assumptions=_assumptions(of.rule), states=states)
        if broken is None:
            doubt = f"the search ended at its bound of {self._most} states"
            return Verdict(of.name, Outcome.OPEN, doubt=doubt, states=states)
        verdict = self._unproved(of, exploration, broken)
        if first is None or first.length >= broken.length:
            return verdict
        return verdict._replace(shorter=self._unproved(of, exploration, first))

    def _unproved(self, of: Property, exploration: Exploration, broken: _Broken) -> Verdict:
        doubt, states = _doubt(exploration, broken), len(exploration.configurations)
        outcome = Outcome.OPEN if doubt else Outcome.VIOLATED
        asked = conditions_of(self._workflow, of.rule) if isinstance(of.rule, Whenever) else ()
        path, cycle = told(exploration, broken.path, asked), told(exploration, broken.cycle)
        return Verdict(of.name, outcome, path, cycle, broken.why, doubt, states=states)


def _assumptions(rule: Rule) -> tuple[str, ...]:
    if not isinstance(rule, Reaches):
        return ()
    return (FAIRNESS,) if rule.within is None else (FAIRNESS, PUNCTUALITY)


def _doubt(exploration: Exploration, broken: _Broken) -> str:
    """Why an agent perhaps cannot go a path; empty if one surely can."""
    limits = exploration.model.workflow.limits
    unsure = [edge.event for edge in (*broken.path, *broken.cycle) if not edge.is_certain]
    if unsure:
        return f"it is not sure that `{unsure[0]}` can lead on like this"
    if broken.doubt:
        return broken.doubt
    entered = [path for edge in broken.path if edge.move for path in edge.move.entered]
    if limits.steps is not None and len(broken.path) >= limits.steps:
        return "the path is longer than `limits.steps` allows"
    if any(entered.count(path) >= most for path, most in limits.visits.items()):
        return "the path may be longer than `limits.visits` allows"
    return ""


def _broken(exploration: Exploration, rule: Rule, *, only_certain: bool) -> _Broken | None:
    if not isinstance(rule, Reaches):
        space = exploration.model.space
        step = automaton(exploration.model.workflow, rule, space, only_certain=only_certain)
        path = product(exploration, step, only_certain=only_certain).broken
        if path is None:
            return None
        if not isinstance(rule, Whenever) or not path:
            return _Broken(path)
        path = (*path[:-1], path[-1]._replace(known=failing(exploration.model.workflow, rule, space, path[-1])))
        return _Broken(path, doubt="" if only_certain else "it is not sure that the condition fails there")
    failure = unreached(exploration, rule, only_certain=only_certain)
    if failure is not None:
        return _Broken(failure.path, failure.cycle, failure.why + _hint(exploration, rule, failure))
    return None if rule.within is None or only_certain else _late(exploration, rule, rule.within.ms)


def _hint(exploration: Exploration, rule: Reaches, failure: Failure) -> str:
    """That nobody need begin what a rule without a beginning wants of every agent."""
    if rule.since or failure.path or failure.cycle:
        return ""
    leaf = exploration.configurations[0].leaf
    return f"; agents begin in `{leaf}` and may wait there for ever: say `from` what on it is to be reached"


def _late(exploration: Exploration, rule: Reaches, within_ms: int) -> _Broken | None:
    """A path that takes too long, if there may be one."""
    bound = longest(exploration, rule)
    if bound.ms <= within_ms:
        return None
    takes_ms = duration(exploration, bound.path, is_new=not rule.since)
    doubt = "" if takes_ms > within_ms else "it is not sure that an agent takes so long"
    tree = product(exploration, lambda _, __: 0, only_certain=False).tree
    before = path_to(tree, (bound.path[0].source, 0))
    return _Broken((*before, *bound.path), (), f"it may take {human(bound.ms)}: {bound.why}", doubt)
