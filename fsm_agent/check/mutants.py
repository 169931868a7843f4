"""How many small changes of what a workflow means are noticed: by checks, by its properties, or by nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from fsm_agent.check import behaviour_findings, value_findings
from fsm_agent.check.document_checks import examine
from fsm_agent.check.mutations import Mutation, mutations
from fsm_agent.domain.finding import Path
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.proof.prover import first_unproved, prove
from fsm_agent.proof.verdicts import Outcome

#: who notices a mutant
CHECK: Final = "check"


class Mutant(NamedTuple):
    """One change, and who notices it: ``check``, a property by its name, or nobody (empty)."""

    path: Path
    change: str
    noticed_by: str
    #: what the workflow is then; empty if it cannot be read
    hash: str = ""


class Mutants(NamedTuple):
    """All changes of one workflow that change how agents behave."""

    all: tuple[Mutant, ...]
    #: how many changes change nothing, or the same as another one
    equivalent: int

    @property
    def by_check(self) -> int:
        return sum(each.noticed_by == CHECK for each in self.all)

    @property
    def by_properties(self) -> int:
        return sum(each.noticed_by not in ("", CHECK) for each in self.all)

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        return tuple(each for each in self.all if not each.noticed_by)


class Judge:
    """Judges the mutants of one workflow. It can be handed to another process."""

    def __init__(self, workflow: Workflow, actions: Mapping[str, Signature]) -> None:
        self._actions = dict(actions)
        self._hash = workflow.hash
        self._known = Counter(_codes(workflow, actions))
        verdicts = prove(workflow, workflow.must, signatures=actions).verdicts
        proved = {verdict.name for verdict in verdicts if verdict.outcome is Outcome.PROVED}
        self._properties = [each for each in workflow.must if each.name in proved]

    def __call__(self, mutation: Mutation) -> Mutant:
        """Properties are asked only where ``check`` finds nothing new."""
        path, change, document = mutation
        workflow, findings = examine(document)
        if workflow is None:
            return Mutant(path, change, CHECK)
        if workflow.hash == self._hash:
            return Mutant(path, change, "", self._hash)
        new = Counter([*(each.code for each in findings), *_codes(workflow, self._actions)]) - self._known
        if new:
            return Mutant(path, change, CHECK, workflow.hash)
        broken = first_unproved(workflow, self._properties, signatures=self._actions)
        return Mutant(path, change, broken or "", workflow.hash)


def _codes(workflow: Workflow, actions: Mapping[str, Signature]) -> list[str]:
    """The codes of what ``check`` finds, but for properties."""
    found = [*behaviour_findings(workflow, actions=actions), *value_findings(workflow, actions)]
    return [each.code for each in found]


def judged(
    workflow: Workflow, actions: Mapping[str, Signature], spread: Callable[..., Iterable[Mutant]] = map
) -> Mutants:
    """What becomes of all changes of a workflow. ``spread`` maps a function over them, perhaps in several processes; so
    the order stays. Changes inside of children are not made."""
    known, found, equivalent = {workflow.hash}, list[Mutant](), 0
    for mutant in spread(Judge(workflow, actions), list(mutations(workflow))):
        if mutant.hash in known:
            equivalent += 1
            continue
        known.update(filter(None, [mutant.hash]))
        found.append(mutant)
    return Mutants(tuple(found), equivalent)
