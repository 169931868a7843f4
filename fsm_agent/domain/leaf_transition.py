"""Names of transitions: where each is declared, and in which leaves it may be taken."""

from collections.abc import Iterator
from typing import NamedTuple

from fsm_agent.domain.decision import timer_event
from fsm_agent.domain.state import State, Transition
from fsm_agent.domain.workflow import Workflow


class DeclaredTransition(NamedTuple):
    """One candidate as it is declared."""

    #: path of the state that declares it; empty for the workflow itself
    owner: str
    #: the event under ``on``, or ``after 3d`` of a timer
    event: str
    #: 1 for the first candidate of the event
    number: int

    def __str__(self) -> str:
        return f"{self.owner or 'workflow'}: {self.event} ({self.number})"


class LeafTransition(NamedTuple):
    """One way out of a leaf. A transition that is declared in a compound state, or in the workflow, is one for each
    leaf that inherits it."""

    leaf: str
    #: what happens; a ``timeout`` may be taken by a transition that is declared for ``error``
    event: str
    declared: DeclaredTransition
    #: the leaf where it comes to rest
    target: str

    def __str__(self) -> str:
        number = f" ({self.declared.number})" if self.declared.number > 1 else ""
        return f"{self.leaf}: {self.event}{number} -> {self.target}"


class Outgoing(NamedTuple):
    """A leaf transition as the table of a machine has it."""

    #: of the table: of a timer it has the state that arms it
    event: str
    transition: Transition
    name: LeafTransition


def outgoing(workflow: Workflow, leaf: State) -> Iterator[Outgoing]:
    """The ways out of a leaf that there can be, in the order in which candidates are tried. Left out is ``error`` where
    no action works, and ``timeout`` where none is declared; a transition for ``error`` takes no ``timeout`` that one of
    its own always takes."""
    for event in workflow.handled(leaf.path):
        if (event == "error" and leaf.do is None) or (event == "timeout" and leaf.timeout is None):
            continue
        always_taken = False
        for declared, transition in candidates(workflow, leaf.path, event):
            if always_taken and declared.event != event:
                break
            always_taken |= transition.when is None
            name = LeafTransition(leaf.path, event, declared, _target(workflow, leaf, transition))
            yield Outgoing(event, transition, name)
    for state in workflow.chain(leaf.path):
        for timer in state.after:
            event = f"after {timer.duration.text}"
            for number, transition in enumerate(timer.transitions, start=1):
                declared = DeclaredTransition(state.path, event, number)
                name = LeafTransition(leaf.path, event, declared, _target(workflow, leaf, transition))
                yield Outgoing(timer_event(state.path, timer.duration.text), transition, name)


def candidates(workflow: Workflow, leaf: str, event: str) -> Iterator[tuple[DeclaredTransition, Transition]]:
    """``workflow.candidates`` with the place of each."""
    levels = [*((state.path, state.on) for state in workflow.chain(leaf)), ("", workflow.on)]
    for owner, on in levels:
        if event not in on:
            continue
        here = on[event]
        if here is None:
            break
        for number, transition in enumerate(here, start=1):
            yield DeclaredTransition(owner, event, number), transition
    if event == "timeout":
        yield from candidates(workflow, leaf, "error")


def leaf_transitions(workflow: Workflow) -> tuple[LeafTransition, ...]:
    """Every way out of every leaf, in order of declaration."""
    leaves = [leaf for leaf in workflow.leaves if not leaf.final]
    return tuple(each.name for leaf in leaves for each in outgoing(workflow, leaf))


def _target(workflow: Workflow, leaf: State, transition: Transition) -> str:
    return leaf.path if transition.target is None else workflow.leaf(transition.target).path
