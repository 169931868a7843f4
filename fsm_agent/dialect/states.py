"""Readers of states, questions, retries and rules for all states, and checks of keys that exclude each other."""

from __future__ import annotations

from fsm_agent.dialect.arguments import built_in_at
from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.context import ReadContext
from fsm_agent.dialect.keys import ASK, CONVERSATION, DEEPEST_STATE, EXCLUDES, LIMITS, NEEDS, PROGRESS, RETRY, STATE
from fsm_agent.dialect.state_names import state_at
from fsm_agent.domain.conversation import ConversationPolicy, ProgressRule
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Ask, Retry, State
from fsm_agent.domain.workflow import Limits


def states(context: ReadContext, value: Json, path: Path) -> tuple[State, ...] | None:
    if not context.is_a(dict, value, path):
        return None
    if not value:
        context.note(Code.NOT_ALLOWED, "`states` is empty: declare at least one state", path)
    if len(path) > 2 * DEEPEST_STATE - 1:
        context.note(Code.TOO_DEEP, f"states may nest {DEEPEST_STATE} levels deep, and these are deeper", path)
        return ()
    for name in value:
        context.is_name(name, (*path, name))
    return tuple(_state(context, body, (*path, name)) for name, body in value.items())


def _state(context: ReadContext, body: Json, path: Path) -> State:
    found = context.entries(STATE, body, path)
    if isinstance(body, dict) and body.keys() <= STATE.keys():  # a misspelt key would look like a missing one here
        _note_misplaced(context, set(body), path)
    if "with" in found:
        found["with_"] = found.pop("with")
    elif isinstance(body, dict) and "with" not in body and "with" not in context.misspelt:
        _note_arguments(context, path)
    return State(path=state_at(path), **found)


def _note_misplaced(context: ReadContext, keys: set[str], path: Path) -> None:
    state = f"state `{state_at(path)}`"
    if "final" in keys and len(path) > 2:
        message = f"{state} cannot be final: an agent ends only in a state at the top level"
        context.note(Code.MISPLACED, message, (*path, "final"))
    if "states" in keys and "initial" not in keys:
        message = f"{state} has `states`, and needs the key `initial`: the child that is entered first"
        context.note(Code.MISSING_KEY, message, path)
    for key, other in NEEDS.items():
        if key in keys and other not in keys:
            message = f"`{key}` says nothing without `{other}`, which {state} does not have"
            context.note(Code.MISPLACED, message, (*path, key), at_key=True)
    for key, others in EXCLUDES.items():
        for other in others if key in keys else ():
            if other in keys:
                message = f"`{other}` cannot stand beside `{key}` in {state}: {_REASONS[key]}"
                context.note(Code.MISPLACED, message, (*path, other), at_key=True)


def _note_arguments(context: ReadContext, path: Path) -> None:
    """Note the arguments that a built-in action needs if it has no ``with`` at all."""
    built_in = built_in_at(context, path)
    if built_in is not None and (needed := built_in.required or built_in.one_of):
        one = " or ".join(f"`{name}`" for name in needed) if built_in.one_of else f"`{needed[0]}`"
        context.note(Code.MISSING_KEY, f"this action needs {one}: give it under `with`", (*path, "do"))


_REASONS = {
    "do": "it works or it asks; let an event lead from the one to the other",
    "states": "only a state without children works or asks",
    "final": "an agent that has ended does nothing more",
}


def ask(context: ReadContext, value: Json, path: Path) -> Ask:
    found = context.entries(ASK, value, path)
    return Ask(found.get("prompt", ""), found.get("events", ()), found.get("to"))


def retry(context: ReadContext, value: Json, path: Path) -> Retry:
    return Retry(**context.entries(RETRY, value, path))


def limits(context: ReadContext, value: Json, path: Path) -> Limits:
    return Limits(**context.entries(LIMITS, value, path))


def conversation(context: ReadContext, value: Json, path: Path) -> ConversationPolicy:
    return ConversationPolicy(**context.entries(CONVERSATION, value, path))


def progress(context: ReadContext, value: Json, path: Path) -> ProgressRule:
    return ProgressRule(**context.entries(PROGRESS, value, path))
