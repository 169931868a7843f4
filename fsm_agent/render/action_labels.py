"""Labels of built-in actions: what they do, in few words for a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.dialect.builtins import tools_of
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Ask, State
from fsm_agent.domain.workflow import Workflow

#: characters of a prompt that a picture shows
_LONGEST: Final = 110


def deed(state: State) -> str:
    """The name of the action, and its object."""
    given = state.with_
    match state.do:
        case "http.request":
            return f"{given.get('method', 'GET')} {given['url']}"
        case "wait":
            return f"wait {given['for']}" if "for" in given else f"wait until {given['until']}"
        case "workflow.run":
            each = f" \N{MULTIPLICATION SIGN} each of {given['for_each']}" if "for_each" in given else ""
            return f"workflow.run {given['workflow']}{each}"
        case _:
            return str(state.do)


def choices(workflow: Workflow, state: State) -> str:
    """The events that a model can choose here."""
    return ", ".join(event for event in workflow.allowed(state.path) if event in workflow.events)


def prompt(state: State) -> str:
    """The beginning of the prompt for a model."""
    text = " ".join(str(state.with_.get("prompt", "")).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…"


def tools(state: State) -> str:
    """The tools of a model. A mark shows which of them a person must approve."""
    given: list[Json] = state.with_.get("tools", [])
    asks = [isinstance(each, Mapping) and "approval" in each for each in given]
    named = (f"{name} (asks first)" if first else name for name, first in zip(tools_of(state), asks, strict=True))
    return ", ".join([*named, *(f"all of {server}" for server in state.with_.get("mcp", ()))])


def goal(state: State) -> str:
    """The fields that the result goes into."""
    into = state.with_.get("into", "")
    return into if isinstance(into, str) else ", ".join(into)


def question(state: State) -> Ask | None:
    """The question to people, whether the state or its action asks it."""
    if state.do != "human.ask":
        return state.ask
    given = state.with_
    return Ask(given["prompt"], tuple(given["events"]), given.get("to"))
