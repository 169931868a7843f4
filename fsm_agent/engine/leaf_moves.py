"""The moves of a machine by the names of their transitions."""

from __future__ import annotations

from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from fsm_agent.domain.decision import Move
from fsm_agent.domain.leaf_transition import LeafTransition, outgoing
from fsm_agent.engine.machine import Machine


class LeafMove(NamedTuple):
    """One way out of a leaf."""

    name: LeafTransition
    #: of the table; of a timer it has the state that arms it
    event: str
    #: the very one that the machine decides for
    move: Move


#: what was asked for so far, for as long as a machine is there
_KNOWN: Final[WeakKeyDictionary[Machine, dict[str, tuple[LeafMove, ...]]]] = WeakKeyDictionary()


def leaf_moves(machine: Machine, leaf: str) -> tuple[LeafMove, ...]:
    """The ways out of a leaf that there can be, in the order in which candidates are tried."""
    known = _KNOWN.setdefault(machine, {})
    if leaf not in known:
        known[leaf] = _found(machine, leaf)
    return known[leaf]


def _found(machine: Machine, leaf: str) -> tuple[LeafMove, ...]:
    state = machine.workflow.by_path[leaf]
    if state.final:
        return ()
    found, places = [], dict[str, int]()
    for each in outgoing(machine.workflow, state):
        place = places[each.event] = places.get(each.event, -1) + 1
        found.append(LeafMove(each.name, each.event, machine.moves(leaf, each.event)[place]))
    return tuple(found)
