"""Checks of all expressions of a workflow: they are compiled in their scope, and compared with their place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from fsm_agent.check.arguments import look_at_arguments
from fsm_agent.check.checker import DATA_ALONE, Checker, Reach
from fsm_agent.check.codes import Code
from fsm_agent.check.transition_sites import Site, sites, state_path
from fsm_agent.dialect.builtins import BUILT_INS
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.kinds import item_schema, json_types
from fsm_agent.domain.state import State
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.domain.workflow import BUILT_IN_PAYLOADS, Workflow
from fsm_agent.expressions.compiler import ExpressionInvalid, Guards

#: a list that is declared no longer than this may be converted at every event
SHORT_LIST: Final = 100

#: part of progress -> the kinds that it accepts, and these in words
_PROGRESS: Final = {
    "goal": (("string", "null"), "text"),
    "done": (("list", "int", "null"), "a list of steps or their number"),
    "remaining": (("list", "int", "null"), "a list of steps or their number"),
    "current": (("string", "null"), "text"),
}


def expression_findings(workflow: Workflow) -> list[Finding]:
    """Mistakes in the expressions and literals of a workflow; it may be a draft with other mistakes."""
    checker = Checker(Guards(workflow), knows_data=workflow.knows_data)
    for site in sites(workflow):
        if site.event.startswith("after ") or site.event in workflow.events or site.event in BUILT_IN_PAYLOADS:
            _look_at_transition(checker, workflow, site)
    for state in workflow.by_path.values():
        _look_at_state(checker, workflow, state)
    if workflow.conversation.thread is not None:
        path = ("conversation", "thread")
        checker.one_of(workflow.conversation.thread, ("string",), "the name of a thread", path, DATA_ALONE)
    for key, text in workflow.progress.to_json().items():
        kinds, needed = _PROGRESS[key]
        checker.one_of(text, kinds, needed, ("progress", key), DATA_ALONE)
    if workflow.must:
        from fsm_agent.check.properties import look_at_conditions  # imported for workflows that have properties alone

        look_at_conditions(checker, workflow)
    return checker.findings


def long_lists(workflow: Workflow) -> Iterator[Finding]:
    """Guards that convert a list of unknown length at every event; guards that do not compile are left out."""
    guards = Guards(workflow)
    for site in sites(workflow):
        event = _event(site)
        for name in sorted(_converted(guards, site.transition.when, event)):
            root, _, field = name.partition(".")
            fields = workflow.data if root == "data" else workflow.payload_fields(event)
            if fields.get(field, {}).get("maxItems", SHORT_LIST + 1) > SHORT_LIST:
                why = f"`{name}` is converted whole whenever this guard is asked; "
                way_out = (
                    f"declare `maxItems` (at most {SHORT_LIST}), count it with size(), or keep the answer in a field"
                )
                yield Code.WHOLE_LIST.found(why + way_out, (*site.path, "when"))


def _converted(guards: Guards, when: str | None, event: str) -> Collection[str]:
    """The lists that a guard converts. Compiling is slow, so guards without the name of a list are skipped."""
    if when is None or not any(name.rpartition(".")[2] in when for name in guards.lists(event)):
        return ()
    try:
        return guards.compile(when, event=event).lists
    except ExpressionInvalid:
        return ()


def _event(site: Site) -> str:
    return "after" if site.event.startswith("after ") else site.event


def _look_at_transition(checker: Checker, workflow: Workflow, site: Site) -> None:
    transition, reach, data = site.transition, Reach(_event(site)), workflow.data
    if not workflow.knows_data:
        _look_at_values(checker, site, reach)
        return
    if transition.when is not None:
        checker.guard(transition.when, (*site.path, "when"), reach)
    for field, value in transition.assign.items():
        path = (*site.path, "assign", field)
        if _is_field(checker, workflow, field, path):
            checker.value(value, data[field], field, path, reach)
    for field, value in transition.append.items():
        path = (*site.path, "append", field)
        if _is_field(checker, workflow, field, path) and _is_list(checker, workflow, field, path):
            checker.value(value, item_schema(data[field]), f"an item of {field}", path, reach)


def _look_at_values(checker: Checker, site: Site, reach: Reach) -> None:
    """The checks that are left if no data field is known."""
    if site.transition.when is not None:
        checker.guard(site.transition.when, (*site.path, "when"), reach)
    for key, values in (("assign", site.transition.assign), ("append", site.transition.append)):
        for field, value in values.items():
            checker.json(value, (*site.path, key, field), reach)


def _look_at_state(checker: Checker, workflow: Workflow, state: State) -> None:
    path = state_path(state.path)
    if state.do in BUILT_INS:
        look_at_arguments(checker, workflow, state)
    else:
        for name, value in state.with_.items():
            checker.json(value, (*path, "with", name), DATA_ALONE)
    for name, value in state.output.items():
        checker.json(value, (*path, "output", name), DATA_ALONE)
    if state.ask is None:
        return
    checker.prompt(state.ask.prompt, (*path, "ask", "prompt"), DATA_ALONE)
    if state.ask.to is not None:
        checker.addressee(state.ask.to, (*path, "ask", "to"), DATA_ALONE)


def _is_field(checker: Checker, workflow: Workflow, field: str, path: Path) -> bool:
    if field in workflow.data:
        return True
    near = did_you_mean(field, workflow.data) or f"; there is {listed(workflow.data)}"
    checker.note(Code.UNKNOWN_FIELD, f"there is no data field `{field}`{near}", path, at_key=True)
    return False


def _is_list(checker: Checker, workflow: Workflow, field: str, path: Path) -> bool:
    types = json_types(workflow.data[field])
    if "array" in types:
        return True
    checker.note(Code.NO_LIST, f"`{field}` is {' or '.join(sorted(types))}, no list to append to", path, at_key=True)
    return False
