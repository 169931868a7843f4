"""Whether built-in actions fit their states: the fields, events, tools and children that they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fsm_agent.check.codes import Code
from fsm_agent.check.transition_sites import state_path
from fsm_agent.dialect.builtins import BUILT_INS, Ending, emission, first_event
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.json import Json, Schema, is_required
from fsm_agent.domain.kinds import json_types
from fsm_agent.domain.similarity import nearest
from fsm_agent.domain.state import State
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.domain.workflow import Workflow


def built_in_findings(workflow: Workflow, *, knows_children: bool = True) -> Iterator[Finding]:
    """Mistakes that keep built-in actions from working. How children are started is only checked if all their workflows
    are known and right (``knows_children``)."""
    for state in workflow.by_path.values():
        if state.do in BUILT_INS:
            if workflow.knows_data:
                yield from _goals(workflow, state)
            yield from _endings(workflow, state)
            yield from _approvals(workflow, state)
            if "workflow" in state.with_ and knows_children:
                yield from _children(workflow, state)


def _goals(workflow: Workflow, state: State) -> Iterator[Finding]:
    """Fields that results go into."""
    for argument in ("into", "outcomes"):
        into, path = state.with_.get(argument, []), _argument(state, argument)
        for index, field in enumerate(into if isinstance(into, list) else [into]):
            yield from _goal(workflow, state, field, (*path, index) if isinstance(into, list) else path)


def _goal(workflow: Workflow, state: State, field: str, where: Path) -> Iterator[Finding]:
    if field not in workflow.data:
        near = did_you_mean(field, workflow.data) or f"; there is {listed(workflow.data)}"
        yield Code.UNKNOWN_FIELD.found(f"there is no data field `{field}` for the result{near}", where)
    elif "for_each" in state.with_ and "array" not in (types := json_types(workflow.data[field])):
        kinds = " or ".join(sorted(types))
        yield Code.MISFIT.found(f"`for_each` gives a list of results, and `{field}` takes {kinds}", where)


def _endings(workflow: Workflow, state: State) -> Iterator[Finding]:
    """Events that end the work, or that can be chosen."""
    match BUILT_INS[state.do or ""].ending:
        case Ending.CHOICE if not any(event in workflow.events for event in workflow.allowed(state.path)):
            message = f"nothing can be chosen in state `{state.path}`: it handles no declared event"
            yield Code.NO_CHOICE.found(message, _do(state))
        case Ending.EVENT:
            event = emission(workflow, state)
            if event is None:
                mine = [each for each in state.on if each in workflow.events]
                message = f"`{state.do}` ends with an event of state `{state.path}`, whose `on` has {listed(mine)}"
                yield Code.NO_EVENT.found(f"{message}: say which with `emit`", _do(state))
            elif event not in workflow.handled(state.path):
                message = f"`emit` names the event `{event}`, and nothing in state `{state.path}` handles it"
                yield Code.UNHANDLED_RESULT.found(message, _argument(state, "emit"))


def _approvals(workflow: Workflow, state: State) -> Iterator[Finding]:
    """Answers to the question for approval of a tool."""
    answers: Mapping[str, str] = state.with_.get("approval", {})
    path = _argument(state, "approval")
    for answer, event in answers.items():
        if event not in workflow.handled(state.path):
            message = f"event `{event}` answers whether a tool may be called, and state `{state.path}` does not take it"
            yield Code.NO_APPROVAL.found(message, (*path, answer))
    approve = answers.get("approve", "")
    if approve and approve == answers.get("deny"):
        message = f"`approve` and `deny` are both `{approve}`: nobody could tell one answer from the other"
        yield Code.NO_APPROVAL.found(message, (*path, "deny"))
    targets = {each.target for each in workflow.candidates(state.path, approve) if each.target}
    if approve in workflow.handled(state.path) and state.path not in {workflow.leaf(each).path for each in targets}:
        message = f"event `{approve}` allows a call, and does not lead back into state `{state.path}`, which makes it"
        yield Code.NO_APPROVAL.found(message, (*path, "approve"))


def _children(workflow: Workflow, state: State) -> Iterator[Finding]:
    name = state.with_["workflow"]
    child = workflow.workflows.get(name)
    if child is None:
        near = did_you_mean(name, workflow.workflows) or f"; there is {listed(workflow.workflows)}"
        yield Code.UNKNOWN_CHILD.found(f"`workflows` has no `{name}`{near}", _argument(state, "workflow"))
        return
    if child.knows_data:
        yield from _given(state, "data", child.data, f"workflow `{name}`")
    event = state.with_.get("event") or first_event(child)
    sendable = [each for each in child.allowed(child.leaf(child.initial).path) if each in child.events]
    if event is None:
        message = f"workflow `{name}` can begin with {listed(sendable)}: say which with `event`"
        yield Code.NO_START.found(message, _argument(state, "workflow"))
    elif event != "created" and event not in sendable:
        near = did_you_mean(event, sendable) or f"; it takes {listed(sendable)}"
        message = f"workflow `{name}` cannot begin with event `{event}`{near}"
        yield Code.NO_START.found(message, _argument(state, "event"))
    else:
        fields = child.events.get(event, {})
        yield from _given(state, "payload", fields, f"event `{event}` of workflow `{name}`")


def _given(state: State, argument: str, fields: Mapping[str, Schema], whose: str) -> Iterator[Finding]:
    """Fields that are given to a child and that it has not, and fields that it needs and does not get."""
    given: Mapping[str, Json] = state.with_.get(argument, {})
    for field in given:
        if field not in fields:
            near = did_you_mean(field, fields) or f"; it has {listed(fields)}"
            where = (*_argument(state, argument), field)
            yield Code.NO_START.found(f"{whose} has no field `{field}`{near}", where, at_key=True)
    meant = {nearest(field, fields) for field in given if field not in fields}  # it is reported as unknown already
    for field, schema in fields.items():
        if is_required(schema) and field not in given and field not in meant:
            where = _argument(state, argument if argument in state.with_ else "workflow")
            yield Code.NO_START.found(f"{whose} needs `{field}`: give it under `{argument}`", where)


def _do(state: State) -> Path:
    return (*state_path(state.path), "do")


def _argument(state: State, name: str) -> Path:
    return (*state_path(state.path), "with", name)
