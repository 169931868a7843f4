"""The built-in actions as literal tables: the arguments of each, and the events that it may end with.

The arguments stand under ``with`` like those of any action, but each has its own kind: a prompt, the name of a data
field, an event. An action gets them as they are written. Readers, checks, pictures, the JSON Schema and the engine use
these tables.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Final, NamedTuple

from fsm_agent.dialect.keys import Key, Kind, Table
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow


class Ending(StrEnum):
    """How an action ends."""

    #: with the event that `emit` names, or the only declared one that the state itself handles
    EVENT = auto()
    #: with any event that is legal then
    CHOICE = auto()
    #: with a question: the agent waits for one of its answers in the state
    QUESTION = auto()


class Extra(NamedTuple):
    """A package that must be installed too."""

    name: str
    #: the top-level module of the package
    module: str


class BuiltIn(NamedTuple):
    """The arguments of a built-in action, and how it ends."""

    arguments: Table
    #: the description in editors
    says: str
    ending: Ending = Ending.EVENT
    #: groups of arguments of which exactly one is given
    one_of: tuple[str, ...] = ()
    #: arguments that exclude each other
    apart: tuple[str, ...] = ()
    extra: Extra | None = None

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(name for name, key in self.arguments.items() if key.required)

    def kind_of(self, argument: str) -> Kind:
        """The kind of an argument. Raises ``KeyError`` if the action does not take it."""
        return self.arguments[argument].kind


_LLM: Final = Extra("llm", "pydantic_ai")
_MCP: Final = Extra("mcp", "mcp")
_EMIT: Final = Key(Kind.EVENT, "The event that says that it is done; without it, the only one of the state's own.")
_FIELD: Final = Key(Kind.FIELD, "The data field that the result goes into.")
_MODEL: Final[Table] = {
    "prompt": Key(Kind.PROMPT, "What the model is told, with CEL in {{ }}.", required=True),
    "system": Key(Kind.PROMPT, "What it is told before everything else, with CEL in {{ }}."),
    "model": Key(Kind.LANGUAGE_MODEL, "Which model; without it, the one that is set for all."),
}
_TALKS: Final = Key(Kind.TRUE, "The conversation goes into the request, and prompt and reply are added to it.")
_SETTINGS: Final = Key(Kind.FIELD_VALUES, "Of the model, such as temperature or max_tokens, as they are.")
_INTO: Final = Key(Kind.INTO, "The data field, or fields, that the reply goes into, typed by their schemas.")

BUILT_INS: Final[Mapping[str, BuiltIn]] = {
    "http.request": BuiltIn(
        {
            "url": Key(Kind.URL, "Where to, with CEL in {{ }} behind the host.", required=True),
            "method": Key(Kind.METHOD, "Default: GET."),
            "headers": Key(Kind.HEADERS, "By name, with CEL in {{ }}."),
            "json": Key(Kind.BODY, "The body as JSON, by key: literals, or CEL when the value is a string."),
            "body": Key(Kind.PROMPT, "The body as text, with CEL in {{ }}."),
            "auth": Key(Kind.VARIABLE, "The environment variable that holds a bearer token."),
            "into": _FIELD,
            "expect": Key(Kind.STATUSES, "The statuses that are no error; without it, all of 200 to 299."),
            "mode": Key(Kind.EFFECT_MODE, "What becomes of a request that was begun and has no answer."),
            "emit": _EMIT,
        },
        "Sends one request.",
        apart=("json", "body"),
        extra=Extra("http", "httpx2"),
    ),
    "human.ask": BuiltIn(
        {
            "prompt": Key(Kind.PROMPT, "The question, with CEL in {{ }}.", required=True),
            "events": Key(Kind.ANSWERS, "The possible answers; the payload of each is its form.", required=True),
            "to": Key(Kind.EXPRESSION, "Who may answer, in CEL: a name, or a list of names."),
        },
        "Asks a person, and waits for the answer in this state.",
        Ending.QUESTION,
    ),
    "llm.agent": BuiltIn(
        {
            **_MODEL,
            "tools": Key(Kind.TOOLS, "What the model may call: names, `module:function`, or mappings with `tool`."),
            "mcp": Key(Kind.NAMES, "MCP servers whose tools it may call, by the names they have in pyproject.toml."),
            "approval": Key(Kind.APPROVAL, "The events that answer whether a tool may be called."),
            "rounds": Key(Kind.COUNT, "How many replies there may be. Default: 20."),
            "into": _INTO,
            "settings": _SETTINGS,
            "emit": _EMIT,
        },
        "A model works with tools until it has an answer.",
        extra=_LLM,
    ),
    "llm.decide": BuiltIn(
        {
            **_MODEL,
            "prompt": Key(Kind.PROMPT, "What the model is told, with CEL in {{ }}."),
            "conversation": _TALKS,
            "settings": _SETTINGS,
            "tries": Key(Kind.COUNT, "How many replies there may be until one is legal. Default: 3."),
        },
        "A model chooses what happens next, among the events that are legal now.",
        Ending.CHOICE,
        extra=_LLM,
    ),
    "llm.generate": BuiltIn(
        {**_MODEL, "into": _INTO, "conversation": _TALKS, "settings": _SETTINGS, "emit": _EMIT},
        "A model writes.",
        extra=_LLM,
    ),
    "wait": BuiltIn(
        {
            "for": Key(Kind.DURATION, "How long, such as 2h."),
            "until": Key(Kind.EXPRESSION, "Until when, in CEL: a date, a datetime, or milliseconds since 1970."),
            "emit": _EMIT,
        },
        "Time passes.",
        one_of=("for", "until"),
    ),
    "workflow.run": BuiltIn(
        {
            "workflow": Key(Kind.NAME, "Which of `workflows`.", required=True),
            "event": Key(
                Kind.NAME, "The event that it begins with; without it, it works at once, or takes the only one."
            ),
            "payload": Key(Kind.VALUES, "Of that event: literals, or CEL, in which `item` and `index` are known."),
            "data": Key(Kind.VALUES, "At the beginning: literals, or CEL, in which `item` and `index` are known."),
            "for_each": Key(Kind.EXPRESSION, "A list, in CEL: one child for each `item`."),
            "at_once": Key(Kind.COUNT, "How many children may work at once. Default: 10."),
            "on_failure": Key(Kind.ON_FAILURE, "What one failure does: fail (default), cancel_rest or continue."),
            "into": _FIELD,
            "outcomes": Key(Kind.FIELD, "The data field for how each child fared: id, status, output, error, ..."),
            "user": Key(Kind.EXPRESSION, "Whom the children serve, in CEL; without it, the same user."),
            "emit": _EMIT,
        },
        "Child agents do the work.",
    ),
}


def emission(workflow: Workflow, state: State) -> str | None:
    """The event that the built-in action of ``state`` ends with: ``emit``, or else the only declared event that the
    state itself handles and that answers no question. ``None`` if there is no such event, or more than one."""
    if "emit" in state.with_:
        return str(state.with_["emit"])
    answers = set(state.with_.get("approval", {}).values())
    handled = [event for event, chosen in state.on.items() if event in workflow.events and chosen is not None]
    mine = [event for event in handled if event not in answers]
    return mine[0] if len(mine) == 1 else None


def emitted_by(workflow: Workflow, state: State) -> frozenset[str] | None:
    """The only events that the built-in action of ``state`` may end with. ``None`` if all legal events are possible, or
    if the action is not built in."""
    built_in = BUILT_INS.get(state.do or "")
    match built_in and built_in.ending:
        case Ending.EVENT:
            event = emission(workflow, state)
            return frozenset() if event is None else frozenset({event})
        case Ending.QUESTION:
            return frozenset()
        case _:
            return None


def claimed_by(workflow: Workflow, state: State) -> frozenset[str]:
    """The events that only the built-in action of ``state`` may name while it works. If it chooses an event, these are
    the events that the state itself handles; events that its ancestors handle may be chosen, and also sent."""
    ending_events = emitted_by(workflow, state)
    if ending_events is not None:
        return ending_events
    return frozenset(event for event, chosen in state.on.items() if event in workflow.events and chosen is not None)


def extras_of(state: State) -> tuple[Extra, ...]:
    """The packages that the built-in action of ``state`` needs."""
    built_in = BUILT_INS.get(state.do or "")
    if built_in is None or built_in.extra is None:
        return ()
    return (built_in.extra, _MCP) if state.with_.get("mcp") else (built_in.extra,)


def tools_of(state: State) -> dict[str, tuple[str | int, ...]]:
    """The tools that the model of a state may call: name -> path below ``tools``."""
    given = state.with_.get("tools", ()) if state.do == "llm.agent" else ()
    return {
        each["tool"] if isinstance(each, dict) else each: (index, "tool") if isinstance(each, dict) else (index,)
        for index, each in enumerate(given)
    }


def first_event(child: Workflow) -> str | None:
    """The first event of a child where none is given: ``created`` if its initial state works or asks, or else the only
    declared event that this state itself handles. ``None`` if it must be given."""
    leaf = child.leaf(child.initial)
    if leaf.do is not None or leaf.ask is not None:
        return "created"
    taken = [event for event, chosen in leaf.on.items() if event in child.events and chosen is not None]
    return taken[0] if len(taken) == 1 else None
