"""Whether properties speak of what there is, whether a run could break them at all, and whether one does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from fsm_agent.check.checker import Checker, Reach
from fsm_agent.check.codes import Code
from fsm_agent.check.reachability import Behaviour
from fsm_agent.dialect.terms import TAKEN, Term, TermInvalid, TermKind, named, resolve
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Rule, Terms, Whenever
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.text import listed
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.proof.prover import prove
from fsm_agent.proof.verdicts import Outcome, Verdict

#: a workflow, some of its properties, and what is known of actions -> a verdict for each property
Prover: TypeAlias = Callable[[Workflow, Sequence[Property], Mapping[str, Signature]], Sequence[Verdict]]

#: states that a finding names of the way to where a property is broken
_MOST_STATES: Final = 5


def term_findings(workflow: Workflow) -> Iterator[Finding]:
    """Terms that name nothing, or several things, in a workflow whose states and events are known."""
    for each in workflow.must:
        for key, terms in each.rule.terms_by_key.items():
            for index, written in enumerate(terms):
                try:
                    named(workflow, written, among=_kinds(key))
                except TermInvalid as invalid:
                    code = Code.AMBIGUOUS_TERM if invalid.meanings else Code.UNKNOWN_TERM
                    yield code.found(str(invalid), (*_path(each), key, index))


def look_at_conditions(checker: Checker, workflow: Workflow) -> None:
    """Note what is wrong with ``holds``: it is asked at each of the events, and so must fit each of them."""
    for each in workflow.must:
        if isinstance(each.rule, Whenever):
            for event in _events(workflow, each.rule):
                before = len(checker.findings)
                path = (*_path(each), "holds")
                checker.one_of(each.rule.holds, ("bool",), "true or false", path, Reach(event))
                if len(checker.findings) > before:
                    break  # most likely it is wrong at the others in the same way


def vacuous_rules(behaviour: Behaviour) -> Iterator[Finding]:
    """Rules that no run can break, because what they speak of never happens.

    A plain ``never`` is left out: that what it names never happens is what it says.
    """
    happens = _Happenings(behaviour)
    for each in behaviour.workflow.must:
        for key in _conditions(each.rule):
            terms = each.rule.terms_by_key[key]
            meant = _known(behaviour.workflow, key, terms)
            if meant and not any(map(happens.can_happen, meant)):
                what = listed(f"`{written}`" for written in terms)
                verb = "never happens" if len(terms) == 1 else "never happen"
                message = f"nothing can break `{each.name}`: {what} {verb} in this workflow"
                yield Code.VACUOUS.found(message, (*_path(each), key))


def unproved(workflow: Workflow, actions: Mapping[str, Signature], prover: Prover | None = None) -> Iterator[Finding]:
    """The properties that some run breaks, or perhaps. Those whose terms are wrong are told elsewhere."""
    whole = [each for each in workflow.must if _is_whole(workflow, each.rule)]
    for verdict in (prover or _proved)(workflow, whole, actions):
        path = ("must", verdict.name)
        why = f": {verdict.why}" if verdict.why else ""
        if verdict.outcome is Outcome.VIOLATED:
            message = f"a run breaks `{verdict.name}`{_way(verdict)}{why}; `fsm-agent prove` shows it step by step"
            yield Code.BROKEN_PROPERTY.found(message, path)
        elif verdict.outcome is Outcome.OPEN:
            message = f"it is open whether every run keeps `{verdict.name}`{_way(verdict)}{why}"
            yield Code.OPEN_PROPERTY.found(message, path)


def _proved(workflow: Workflow, properties: Sequence[Property], actions: Mapping[str, Signature]) -> Sequence[Verdict]:
    """The verdicts of the proof alone, without an agent that tries them."""
    return prove(workflow, properties, signatures=actions).verdicts


def _is_whole(workflow: Workflow, rule: Rule) -> bool:
    """Whether each term of a rule names something."""
    return all(_known(workflow, key, (term,)) for key, terms in rule.terms_by_key.items() for term in terms)


def _way(verdict: Verdict) -> str:
    """The states on the way to where it is broken."""
    states = [*(step.source for step in verdict.path[:1]), *(step.target for step in verdict.path)]
    shown = states if len(states) <= _MOST_STATES else [*states[:2], "...", *states[-2:]]
    return f" ({' → '.join(shown)})" if states else ""


def _path(of: Property) -> Path:
    return ("must", of.name)


def _kinds(key: str) -> frozenset[TermKind]:
    return TAKEN if key == "whenever" else frozenset(TermKind)


def _events(workflow: Workflow, rule: Whenever) -> Iterator[str]:
    """The different events that guards would see, in order; terms that are wrong are told elsewhere."""
    known = [term for written in rule.events for term in _known(workflow, "whenever", (written,))]
    yield from dict.fromkeys(term.event for term in known)


def _known(workflow: Workflow, key: str, terms: Terms) -> frozenset[Term]:
    """The things that these terms name; nothing if one of them is wrong."""
    try:
        return resolve(workflow, terms, among=_kinds(key))
    except TermInvalid:
        return frozenset()


def _conditions(rule: Rule) -> tuple[str, ...]:
    """The keys of what must happen for the rule to be broken."""
    match rule:
        case Never(before=(), after=(), since=()):
            return ()
        case Never():
            return ("never", "after", "from")
        case AtMost():
            return ("of",)
        case Reaches():
            return ("from",)
        case Whenever():
            return ("whenever",)


class _Happenings:
    """What can happen to agents of a workflow, whatever guards and people decide."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._workflow = behaviour.workflow
        self._reached = [behaviour.workflow.by_path[path] for path in behaviour.reached]
        self._ways = [way for way in behaviour.ways if way.source in behaviour.reached]
        self._events = {way.event for way in self._ways}

    def can_happen(self, term: Term) -> bool:
        match term.kind:
            case TermKind.STATE:
                return any(term.name in lineage(leaf.path) for leaf in self._reached)
            case TermKind.EVENT:
                return term.name in self._events or term.name in _ALWAYS
            case TermKind.ACTION:
                return any(leaf.do == term.name for leaf in self._reached)
            case TermKind.TIMER:
                return str(term) in self._events
            case TermKind.OUTCOME:
                return self._can_end(term.name)

    def _can_end(self, outcome: str) -> bool:
        if outcome == "parked" or any(leaf.final and leaf.outcome == outcome for leaf in self._reached):
            return True
        return outcome == "cancelled" and any(
            not leaf.final and "cancel" not in self._workflow.handled(leaf.path) for leaf in self._reached
        )


#: Every agent is created, and can be cancelled wherever it is.
_ALWAYS: Final = frozenset({"created", "cancel"})
