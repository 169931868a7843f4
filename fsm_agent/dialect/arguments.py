"""Readers of arguments under ``with``: any values for an action of the user, a table of kinds for a built-in action.

A reader returns the arguments as they are written, as far as they are right, since actions get them so.
"""

from __future__ import annotations

import re
from typing import Final

from fsm_agent.dialect.builtins import BUILT_INS, BuiltIn
from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.context import ReadContext, described, some, subject
from fsm_agent.dialect.keys import ACTION, APPROVAL, FIELD, FUNCTION, HEADER, TOOL, URL, VARIABLE
from fsm_agent.dialect.scalars import expression, names, prompt, values
from fsm_agent.dialect.state_names import state_at
from fsm_agent.domain.environment import SEALING_KEYS
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import shortened
from fsm_agent.domain.workflow import BUILT_IN_EVENTS

_STATUSES: Final = range(100, 600)


def built_in_at(context: ReadContext, path: Path) -> BuiltIn | None:
    """The built-in action of the state at a document path, if it has one."""
    return BUILT_INS.get(_action_at(context, path))


def _action_at(context: ReadContext, path: Path) -> str:
    """The action of the state at ``path``; empty if its name is wrong or missing."""
    body = context.places.bodies.get(state_at(path))
    do = body.get("do") if isinstance(body, dict) else None
    return do if isinstance(do, str) and (do in BUILT_INS or re.fullmatch(ACTION, do)) else ""


def arguments(context: ReadContext, value: Json, path: Path) -> dict[str, Json] | None:
    """Read the arguments of an action. If the name of the action is wrong, nothing is read and nothing is noted."""
    if not _action_at(context, path):
        return None
    built_in = built_in_at(context, path)
    if built_in is None:
        return values(context, value, path)
    before = len(context.findings)
    context.entries(built_in.arguments, value, path)
    if not isinstance(value, dict):
        return None
    wrong = {each.path[len(path)] for each in context.findings[before:] if len(each.path) > len(path)}
    _note_missing(context, built_in, value, path)
    _note_beside(context, built_in, value, path)
    kept = {name: each for name, each in value.items() if name in built_in.arguments and name not in wrong}
    if "for_each" in built_in.arguments and "for_each" in {*wrong, *context.misspelt}:
        kept["for_each"] = "[]"  # no findings about `item`: the draft is not used otherwise
    return kept


def _note_missing(context: ReadContext, built_in: BuiltIn, given: Json, path: Path) -> None:
    """Note groups of arguments of which exactly one is needed, if none or more are given."""
    choice = [name for name in built_in.one_of if name in given]
    if built_in.one_of and len(choice) != 1:
        one = " or ".join(f"`{name}`" for name in built_in.one_of)
        code = Code.MISPLACED if choice else Code.MISSING_KEY
        context.note(code, f"{subject(path)} needs {one}{', and not both' if choice else ''}", path)


def _note_beside(context: ReadContext, built_in: BuiltIn, given: dict[str, Json], path: Path) -> None:
    apart = [name for name in built_in.apart if name in given]
    if len(apart) > 1:
        message = f"`{apart[1]}` cannot stand beside `{apart[0]}`: they are two forms of one thing"
        context.note(Code.MISPLACED, message, (*path, apart[1]), at_key=True)
    tools = given.get("tools")
    asks = isinstance(tools, list) and any(isinstance(each, dict) and "approval" in each for each in tools)
    if asks and "approval" not in given:
        message = "a tool needs approval: say with `approval: {approve: EVENT, deny: EVENT}` what the answers are"
        context.note(Code.MISSING_KEY, message, (*path, "tools"), at_key=True)


def event(context: ReadContext, value: Json, path: Path) -> str | None:
    """The name of a declared event. ``check`` finds out whether its state handles it."""
    if not context.is_a(str, value, path, "the name of an event"):
        return None
    if value in context.events:
        return str(value)
    what = "is built in, and no action can name it" if value in BUILT_IN_EVENTS else "is not declared"
    message = f"event {shortened(value)} {what}{context.guess(value, context.events)}; declared: {some(context.events)}"
    context.note(Code.UNKNOWN_EVENT, message, path)
    return None


def approval(context: ReadContext, value: Json, path: Path) -> Json:
    return context.entries(APPROVAL, value, path)


def field(context: ReadContext, value: Json, path: Path) -> str | None:
    """The name of a data field. ``check`` finds out whether the field exists."""
    if not context.is_a(str, value, path, "the name of a data field"):
        return None
    return value if context.is_name(value, path, FIELD, at_key=False) else None


def into(context: ReadContext, value: Json, path: Path) -> Json:
    if not isinstance(value, list):
        return field(context, value, path)
    found = names(context, value, path, "data fields") or {}
    return [name for name, index in found.items() if field(context, name, (*path, index)) is not None]


def language_model(context: ReadContext, value: Json, path: Path) -> str | None:
    """The name of a model. Whether the model exists turns out when it is asked."""
    if not context.is_a(str, value, path, "the name of a model"):
        return None
    if not value.strip():
        context.note(Code.NOT_ALLOWED, f"{subject(path)} is empty: name a model, or leave it out", path)
        return None
    return str(value)


def different_names(context: ReadContext, value: Json, path: Path) -> tuple[str, ...] | None:
    found = names(context, value, path, "names")
    return None if found is None else tuple(found)


def tools(context: ReadContext, value: Json, path: Path) -> Json:
    if not context.is_a(list, value, path, "a list of tools"):
        return None
    if not value:
        context.note(Code.NOT_ALLOWED, f"{subject(path)} is empty: list at least one tool, or leave it out", path)
    named: dict[str, int] = {}
    for index, each in enumerate(value):
        where = (*path, index)
        if isinstance(each, dict):
            name, at = context.entries(TOOL, each, where).get("tool"), (*where, "tool")
        else:
            name, at = each if context.is_a(str, each, where, "the name of a tool, or a mapping") else None, where
        if name is not None and not (re.fullmatch(ACTION, name) or re.fullmatch(FUNCTION, name)):
            message = f"{shortened(name)} cannot name a tool: write its name, or `module:function`"
            context.note(Code.BAD_NAME, message, at)
        elif name is not None and named.setdefault(name, index) != index:
            context.note(Code.NOT_ALLOWED, f"{subject(path)} has {shortened(name)} twice", at)
    return value


def url(context: ReadContext, value: Json, path: Path) -> str | None:
    """A URL that names its host completely before the first expression, so that no data can choose the host."""
    if prompt(context, value, path) is None:
        return None
    if re.fullmatch(URL, value) is None:
        message = f"{subject(path)} must name its host before any expression: https://host/..."
        context.note(Code.NOT_ALLOWED, message, path)
        return None
    return str(value)


def headers(context: ReadContext, value: Json, path: Path) -> dict[str, str] | None:
    if not context.is_a(dict, value, path, "a mapping of names to texts"):
        return None
    for name, each in value.items():
        if re.fullmatch(HEADER, name) is None:
            context.note(Code.BAD_NAME, f"{shortened(name)} cannot name a header", (*path, name), at_key=True)
        prompt(context, each, (*path, name))
    return dict(value)


def body(context: ReadContext, value: Json, path: Path) -> dict[str, Json] | None:
    """Literals stay as they are; strings are CEL. Any key is allowed."""
    if not context.is_a(dict, value, path):
        return None
    for name, each in value.items():
        if isinstance(each, str):
            expression(context, each, (*path, name))
    return dict(value)


def variable(context: ReadContext, value: Json, path: Path) -> str | None:
    """The name of an environment variable. A wrong name is not quoted, since it may be a secret."""
    if value == SEALING_KEYS:
        message = f"{subject(path)} cannot be {SEALING_KEYS}: the keys of sealed agents are sent to nobody"
        context.note(Code.NOT_ALLOWED, message, path)
        return None
    if isinstance(value, str) and re.fullmatch(VARIABLE, value):
        return value
    message = f"{subject(path)} must be the name of an environment variable, such as API_TOKEN, never a token itself"
    context.note(Code.NOT_ALLOWED, message, path)
    return None


def statuses(context: ReadContext, value: Json, path: Path) -> tuple[int, ...] | None:
    if not context.is_a(list, value, path, "a list of statuses such as 200"):
        return None
    if not value:
        context.note(Code.NOT_ALLOWED, f"{subject(path)} is empty: list at least one status", path)
    for index, each in enumerate(value):
        if type(each) is not int or each not in _STATUSES:
            message = f"{described(each)} is no status: write integers from 100 to 599"
            context.note(Code.NOT_ALLOWED, message, (*path, index))
    return tuple(value)
