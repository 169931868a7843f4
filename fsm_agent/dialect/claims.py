"""Events that only the action of a state may name, and events that come from outside.

A known action lists its events. For an unknown action the safe answer is used: it owns every event that its state
handles, except those that come from outside somewhere in the workflow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from fsm_agent.dialect.builtin_names import ASKING, BUILT_IN_NAMES
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import Handlers, State
from fsm_agent.domain.workflow import Workflow


def claimed(
    workflow: Workflow, head: Head, signature: Callable[[str], Signature | None] = lambda _: None
) -> frozenset[str]:
    """The events that only the agent's action may name while it works or waits for an answer. Nobody may send them
    meanwhile, except the answers. ``signature`` returns ``None`` for an unknown action."""
    state = workflow.by_path[head.state]
    if state.do is None or not is_at_work(head):
        return frozenset()
    return claimed_in(workflow, state, signature).difference(head.asked.events if head.asked else ())


def is_at_work(head: Head) -> bool:
    """Whether the action of the state is at work, or has asked something and waits for the answer."""
    return head.status is Status.RUNNING or (head.status is Status.WAITING and head.asked is not None)


def claimed_in(workflow: Workflow, state: State, signature: Callable[[str], Signature | None]) -> frozenset[str]:
    """The events that only the action of ``state`` may name."""
    if state.do in BUILT_IN_NAMES:
        from fsm_agent.dialect.builtins import claimed_by

        return claimed_by(workflow, state)
    known = signature(state.do or "")
    return unsaid_events(workflow, state) if known is None else known.emits or frozenset()


def unsaid_events(workflow: Workflow, state: State, external: Collection[str] | None = None) -> frozenset[str]:
    """The events that an action may name if it does not list them: those that are handled in its state and do not come
    from outside. ``external`` are the events from outside, if the caller knows them."""
    handled = frozenset(_handled(workflow, state)) & workflow.events.keys()
    return handled.difference(external_events(workflow) if external is None else external)


def external_events(workflow: Workflow) -> frozenset[str]:
    """The events that come from outside: those that a question offers, that a state without an action handles, or that
    the workflow itself handles in every state."""
    found = {event for event, chosen in workflow.on.items() if chosen}
    for leaf in workflow.leaves:
        found.update(answers_of(leaf))
        if not leaf.final and (leaf.do is None or leaf.do in ASKING):
            found.update(_handled(workflow, leaf), leaf.ask.events if leaf.ask else ())
    return frozenset(found)


def answers_of(state: State) -> tuple[str, ...]:
    """The events that answer a question of the state's built-in action."""
    match state.do:
        case "human.ask":
            return tuple(state.with_.get("events", ()))
        case "llm.agent":
            return tuple(state.with_.get("approval", {}).values())
        case _:
            return ()


def _handled(workflow: Workflow, leaf: State) -> set[str]:
    """The events that a leaf, its ancestors or the workflow handle. The innermost level with an entry decides."""
    levels: list[Handlers] = [*(state.on for state in workflow.chain(leaf.path)), workflow.on]
    nearest: dict[str, bool] = {}
    for handlers in levels:
        for event, chosen in handlers.items():
            nearest.setdefault(event, bool(chosen))
    return {event for event, is_handled in nearest.items() if is_handled}
