"""What a transition leaves and enters in XState, and where that is something else than here.

XState leaves what is active below the transition's domain. That is the state in which the transition stands, if the
target lies in it; else the innermost state that both lie in. Here it is the innermost state that the active leaf and
the target lie in, wherever the transition stands.
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm_agent.domain.state import State, Transition
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.engine.machine import move_from

#: the state that all others lie in; its path is empty
ROOT = ""


def reenters(owner: str, target: str) -> bool:
    """Whether XState has to be told to leave a state that the transition stands in: for a target that is that state,
    or lies around it."""
    return owner == target or is_within(owner, target)


def left_anew(workflow: Workflow, owner: str, transition: Transition, *, reenter: bool) -> tuple[str, ...]:
    """The states that one of the two leaves and enters, and the other keeps, in some leaf of ``owner``."""
    if transition.target is None:
        return ()
    found: dict[str, None] = {}
    for leaf in leaves_in(workflow, owner):
        here = move_from(workflow, leaf, transition)
        there = _moved(workflow, owner, leaf.path, transition.target, reenter=reenter)
        found |= dict.fromkeys(sorted({*here.exited, *here.entered} ^ there))
    return tuple(found)


def leaves_in(workflow: Workflow, owner: str) -> Iterator[State]:
    """The leaves in which a transition of ``owner`` can be taken."""
    for leaf in workflow.leaves:
        if not leaf.final and (leaf.path == owner or is_within(leaf.path, owner)):
            yield leaf


def is_within(path: str, state: str) -> bool:
    """Whether a state lies inside another one."""
    return state == ROOT or path.startswith(f"{state}.")


def _moved(workflow: Workflow, owner: str, leaf: str, target: str, *, reenter: bool) -> set[str]:
    """What XState leaves or enters."""
    domain = _domain(owner, target, reenter=reenter)
    passed = (*lineage(leaf), *lineage(workflow.leaf(target).path))
    return {path for path in passed if is_within(path, domain)}


def _domain(owner: str, target: str, *, reenter: bool) -> str:
    if owner == ROOT or (not reenter and (target == owner or is_within(target, owner))):
        return owner
    around = [path for path in lineage(target)[:-1] if is_within(owner, path)]
    return around[-1] if around else ROOT
