"""Checks of the arguments of built-in actions against their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.check.checker import Checker, Reach
from fsm_agent.check.transition_sites import state_path
from fsm_agent.dialect.builtins import BUILT_INS, first_event
from fsm_agent.dialect.keys import Kind
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow

_RECALLING: Final = Reach(recalls=True)

#: argument -> the kinds of values that it accepts, and these in words
_NEEDED: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "until": (("string", "int"), "a date, a datetime, or milliseconds since 1970"),
    "for_each": (("list",), "a list"),
    "user": (("string", "null"), "the name of a user"),
}


def look_at_arguments(checker: Checker, workflow: Workflow, state: State) -> None:
    """Note mistakes in the texts and expressions under ``with`` of a built-in action."""
    built_in, path = BUILT_INS[state.do or ""], (*state_path(state.path), "with")
    for name, value in state.with_.items():
        where = (*path, name)
        match built_in.kind_of(name):
            case Kind.PROMPT | Kind.URL:
                checker.prompt(value, where, _RECALLING)
            case Kind.HEADERS:
                for header, text in value.items():
                    checker.prompt(text, (*where, header), _RECALLING)
            case Kind.BODY:
                for key, each in value.items():
                    checker.json(each, (*where, key), _RECALLING)
            case Kind.VALUES:
                _look_at_values(checker, workflow, state, name, where)
            case Kind.EXPRESSION:
                _look_at_expression(checker, name, value, where)


def _look_at_expression(checker: Checker, name: str, text: str, path: Path) -> None:
    if name in _NEEDED:
        kinds, needed = _NEEDED[name]
        checker.one_of(text, kinds, needed, path, _RECALLING)
    else:
        checker.addressee(text, path, _RECALLING)


def _look_at_values(checker: Checker, workflow: Workflow, state: State, name: str, path: Path) -> None:
    """Check the values that a child is started with against its declaration. Undeclared ones are reported elsewhere."""
    reach = Reach(recalls=True, items="for_each" in state.with_)
    declared = _declared(workflow.workflows.get(state.with_.get("workflow", "")), name, state.with_.get("event"))
    for field, value in state.with_[name].items():
        checker.value(value, declared.get(field, {}), f"{name}.{field}", (*path, field), reach)


def _declared(child: Workflow | None, name: str, event: Json) -> Mapping[str, Schema]:
    if child is None or child.initial not in child.by_path:  # it is unknown, or a draft
        return {}
    if name == "data":
        return child.data
    return child.events.get(event or first_event(child) or "", {})
