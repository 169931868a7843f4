"""``@action``: a function that does the work of a state and ends by naming the event that happened."""

import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, TypeVar, Union, overload

from fsm_agent.domain.json import Json
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.step import NOTHING

Function = TypeVar("Function", bound=Callable[..., Any])


class Mode(StrEnum):
    """How an action runs: awaited on the event loop, in its own thread, or called on the event loop."""

    ASYNC = "async"
    THREAD = "thread"
    INLINE = "inline"


#: every step asks for this mode, and a constant is faster than an attribute of the enum
ASYNC: Final = Mode.ASYNC
THREAD: Final = Mode.THREAD


class Emission(NamedTuple):
    """An event with a payload, as ``ctx.emit`` makes it for an action to return."""

    event: str
    payload: Mapping[str, Json] = NOTHING


class Asking(NamedTuple):
    """A question, as ``ctx.ask`` makes it for an action to return."""

    prompt: str
    events: tuple[str, ...]
    to: tuple[str, ...] = ()


class Pause(NamedTuple):
    """Nothing to do before ``until_ms``. The action is called again then, in any process, or earlier if somebody drives
    the agent. No process waits with the agent meanwhile."""

    until_ms: int


class Action(NamedTuple):
    """An action's function, with its name, its events and its parameters."""

    name: str
    function: Callable[..., Any]
    mode: Mode
    signature: Signature


@overload
def action(function: Function, /) -> Function: ...
@overload
def action(
    *,
    name: str | None = None,
    emits: Collection[str] | None = None,
    writes: Collection[str] | None = None,
    inline: bool = False,
) -> Callable[[Function], Function]: ...
def action(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    emits: Collection[str] | None = None,
    writes: Collection[str] | None = None,
    inline: bool = False,
) -> Function | Callable[[Function], Function]:
    """Mark a function as an action; it stays an ordinary function.

    The first parameter is the ``Context``; the arguments of ``with`` are given by keyword. A coroutine function is
    awaited, a plain function runs in a thread (about 100 us). With ``inline=True`` it runs on the event loop: only for
    functions that are short and pure. ``emits`` lists the events that it may return; without it, a return annotation
    with ``Literal`` does. ``writes`` lists the data fields that it may write; without it, it may write all of them.
    """

    def mark(marked: Function) -> Function:
        known = _read(marked, name=name, emits=emits, writes=writes, inline=inline)
        marked.__dict__.update(action=known, action_name=known.name)
        return marked

    return mark if function is None else mark(function)


def describe(function: Callable[..., Any]) -> Action:
    """The action of a function: from its ``@action`` mark, or else from its signature."""
    known = getattr(function, "action", None)
    return known if isinstance(known, Action) else _read(function)


def _read(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    emits: Collection[str] | None = None,
    writes: Collection[str] | None = None,
    inline: bool = False,
) -> Action:
    mode = Mode.ASYNC if inspect.iscoroutinefunction(function) else Mode.INLINE if inline else Mode.THREAD
    events = frozenset(emits) if emits is not None else _literal_events(function)
    accepts, requires = _parameters(function)
    bare = getattr(function, "__name__", type(function).__name__)
    written = None if writes is None else frozenset(writes)
    asks = _mentions(getattr(function, "__code__", None), "ask")
    return Action(name or bare, function, mode, Signature(events, accepts, requires, written, asks))


def _mentions(code: types.CodeType | None, name: str) -> bool:
    """Whether a function, or one that is written inside of it, uses an attribute or a global of this name."""
    if code is None:
        return False
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return name in code.co_names or any(_mentions(each, name) for each in inner)


def _literal_events(function: Callable[..., Any]) -> frozenset[str] | None:
    """The events of a return annotation that consists of ``Literal`` strings alone."""
    try:
        returned = typing.get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):
        return None  # an annotation that only a type checker can resolve names no events
    parts = typing.get_args(returned) if typing.get_origin(returned) in (Union, types.UnionType) else (returned,)
    if any(typing.get_origin(part) is not Literal for part in parts):
        return None
    return frozenset(event for part in parts for event in typing.get_args(part))


def _parameters(function: Callable[..., Any]) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The keyword parameters after the context: all of them (``None`` means any), and those without a default."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    named = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    accepts = None if any(each.kind is each.VAR_KEYWORD for each in parameters) else frozenset(p.name for p in named)
    return accepts, frozenset(each.name for each in named if each.default is each.empty)
