"""A workflow becomes a machine of XState."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from fsm_agent.domain.decision import timer_event
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Candidates, Handlers, State, Timer, Transition, compact
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import MachineInvalid
from fsm_agent.xstate.domains import ROOT, is_within, left_anew, reenters
from fsm_agent.xstate.losses import Loss
from fsm_agent.xstate.uncarried import carried_arguments, losses_of

#: the action that tells the active leaf of a timer; its ``params`` have the ``type`` of the event
RAISE: Final = "raise"
#: it is a key like any other in JSON, and none in the objects in which XState keeps states and events
_IMPOSSIBLE: Final = "__proto__"
#: a transition that goes nowhere and does nothing: what outer levels would do is forbidden
_FORBIDDING: Final[Mapping[str, Json]] = {}


class Exported(NamedTuple):
    """A machine, and what it lacks."""

    #: for ``createMachine``
    machine: dict[str, Json]
    losses: tuple[Loss, ...]
    #: handlers that stand in each leaf instead of once
    flattened: tuple[Loss, ...]


def export(workflow: Workflow) -> Exported:
    """Raises ``MachineInvalid`` for a name that XState cannot have."""
    for name in (*(state.name for state in workflow.by_path.values()), *workflow.events):
        if name == _IMPOSSIBLE:
            raise MachineInvalid(f"XState can have no state and no event of the name `{name}`: choose another one")
    writer = _Writer(workflow)
    return Exported(writer.machine(), tuple(losses_of(workflow)), tuple(writer.flattened()))


class _Writer:
    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._owners: dict[str, Handlers] = {
            ROOT: workflow.on,
            **{path: state.on for path, state in workflow.by_path.items()},
        }
        #: handlers that would leave something else in XState, where they stand: owner and event
        self._unequal = {
            (owner, event): states
            for owner, on in self._owners.items()
            for event, chosen in on.items()
            if (states := self._left_anew(owner, chosen or ()))
        }
        #: the same of timers: owner and duration
        self._unequal_timers = {
            (path, timer.duration.text): states
            for path, state in workflow.by_path.items()
            for timer in state.after
            if (states := self._left_anew(path, timer.transitions))
        }

    def _left_anew(self, owner: str, chosen: Candidates) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for each in chosen:
            reenter = each.target is not None and owner != ROOT and reenters(owner, each.target)
            found |= dict.fromkeys(left_anew(self._workflow, owner, each, reenter=reenter))
        return tuple(found)

    def machine(self) -> dict[str, Json]:
        workflow = self._workflow
        return compact(
            id=workflow.name,
            version=str(workflow.version),
            description=workflow.description,
            context={name: schema.get("default") for name, schema in workflow.data.items()},
            initial=workflow.initial,
            on=dict(self._handlers(ROOT)),
            states={state.name: self._state(state) for state in workflow.states},
        )

    def flattened(self) -> Iterator[Loss]:
        for (owner, event), states in self._unequal.items():
            place = f"states.{owner}.on.{event}" if owner else f"on.{event}"
            yield Loss(place, f"it stands in each state inside, since XState would also leave {_named(states)} here")
        for (owner, length), states in self._unequal_timers.items():
            place = f"states.{owner}.after.{length}"
            told = f"it raises the event `{timer_event(owner, length)}`, which each state inside handles"
            yield Loss(place, f"{told}, since XState would also leave {_named(states)} here")

    def _state(self, state: State) -> dict[str, Json]:
        return compact(
            description=state.description,
            type="final" if state.final else None,
            initial=state.initial.rpartition(".")[2] if state.initial else None,
            invoke=compact(src=state.do, input=carried_arguments(state)) if state.do else None,
            on=dict(self._handlers(state.path)),
            after=self._timers(state),
            states={child.name: self._state(child) for child in state.states},
        )

    def _handlers(self, owner: str) -> Iterator[tuple[str, Json]]:
        """The handlers that stand in a state: those that may stay, and in a leaf also what it takes from outside."""
        state = self._workflow.by_path.get(owner)
        is_leaf = state is not None and state.is_leaf
        levels = list(self._levels(owner)) if is_leaf else []
        for event in dict.fromkeys(event for level in [owner, *levels] for event in self._owners[level]):
            if event == "timeout":
                continue
            outermost = [level for level in levels if (level, event) in self._unequal]
            if outermost and is_leaf:
                inner = levels[: levels.index(outermost[-1]) + 1]
                yield event, _written(self._flat(owner, event, inner))
            elif event in self._owners[owner] and not self._is_moved(owner, event):
                yield event, _written(self._transitions(owner, self._owners[owner][event]))
        if state is not None and is_leaf:
            yield from self._of_time(state)

    def _levels(self, owner: str) -> Iterator[str]:
        """A leaf, the states around it, and the whole, from the inside outward."""
        yield from (state.path for state in self._workflow.chain(owner))
        yield ROOT

    def _is_moved(self, owner: str, event: str) -> bool:
        """Whether leaves have it instead."""
        return any(name == event and (owner == around or is_within(owner, around)) for around, name in self._unequal)

    def _flat(self, leaf: str, event: str, levels: Iterable[str]) -> Iterator[Mapping[str, Json]]:
        for level in levels:
            chosen = self._owners[level].get(event, ())
            yield from self._transitions(leaf, chosen)
            if chosen is None:
                return

    def _of_time(self, leaf: State) -> Iterator[tuple[str, Json]]:
        """What a leaf does when its action takes too long, and when a timer around it has told it."""
        if leaf.timeout and (chosen := self._workflow.candidates(leaf.path, "timeout")):
            yield "timeout", _written(self._transitions(leaf.path, chosen))
        for state in self._workflow.chain(leaf.path):
            for timer in state.after:
                if (state.path, timer.duration.text) in self._unequal_timers:
                    name = timer_event(state.path, timer.duration.text)
                    yield name, _written(self._transitions(leaf.path, timer.transitions))

    def _timers(self, state: State) -> dict[str, Json]:
        found: dict[str, list[Mapping[str, Json]]] = {}
        for timer in state.after:
            found.setdefault(str(timer.duration.ms), []).extend(self._of_timer(state, timer))
        return {length: _written(transitions) for length, transitions in found.items()}

    def _of_timer(self, state: State, timer: Timer) -> Iterator[Mapping[str, Json]]:
        if (state.path, timer.duration.text) not in self._unequal_timers:
            yield from self._transitions(state.path, timer.transitions)
        else:
            event = timer_event(state.path, timer.duration.text)
            yield {"actions": [{"type": RAISE, "params": {"type": event}}]}

    def _transitions(self, owner: str, chosen: Candidates | None) -> Iterator[Mapping[str, Json]]:
        if chosen is None:
            yield _FORBIDDING
        for each in chosen or ():
            yield compact(
                target=f"#{self._workflow.name}.{each.target}" if each.target else None,
                reenter=bool(each.target and owner != ROOT and reenters(owner, each.target)),
                guard=each.when,
                actions=list(_actions(each)),
                description=each.description,
            )


def _actions(transition: Transition) -> Iterator[str]:
    """The names of the actions: what they have to do."""
    for field, value in transition.assign.items():
        yield f"{field} = {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
    for field, item in transition.append.items():
        yield f"{field} += {item}"


def _written(transitions: Iterable[Mapping[str, Json]]) -> Json:
    """A list of one as its item."""
    found = [dict(each) for each in transitions]
    return found[0] if len(found) == 1 else found


def _named(states: Iterable[str]) -> str:
    return " and ".join(f"`{state}`" for state in states)
