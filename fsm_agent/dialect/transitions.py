"""Readers of transitions, by event and by timer, and of the names of their targets."""

from __future__ import annotations

from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.context import ReadContext, described, some, subject
from fsm_agent.dialect.keys import TRANSITION
from fsm_agent.dialect.scalars import count, duration, is_handled_event
from fsm_agent.dialect.state_names import state_at
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Candidates, Timer, Transition
from fsm_agent.domain.text import shortened


def handlers(context: ReadContext, value: Json, path: Path) -> dict[str, Candidates | None] | None:
    if not context.is_a(dict, value, path):
        return None
    found: dict[str, Candidates | None] = {}
    for event, chosen in value.items():
        where = (*path, event)
        if not is_handled_event(context, event, where):
            _candidates(context, chosen, where)
        elif chosen is not None:
            found[event] = _candidates(context, chosen, where)
        elif state_at(path):
            found[event] = None
        else:
            message = f"null forbids what an outer level would do, and there is none here: leave `{event}` out"
            context.note(Code.MISPLACED, message, where)
    return found


def timers(context: ReadContext, value: Json, path: Path) -> tuple[Timer, ...] | None:
    if not context.is_a(dict, value, path):
        return None
    found: list[Timer] = []
    for length, chosen in value.items():
        where = (*path, length)
        due = duration(context, length, where, at_key=True)
        candidates = _candidates(context, chosen, where)
        if due is not None:
            found.append(Timer(due, candidates))
    return tuple(found)


def _candidates(context: ReadContext, chosen: Json, path: Path) -> Candidates:
    """The transitions of an event. One that cannot be read gets no target, so that its event counts as handled."""
    match chosen:
        case str() | dict():
            return (_transition(context, chosen, path),)
        case [_, *_]:
            return tuple(_transition(context, each, (*path, index)) for index, each in enumerate(chosen))
        case None if state_at(path) and path[-2:-1] == ("on",):
            pass  # the unknown event is the mistake, not its `null`
        case _:
            what = "an empty list" if chosen == [] else described(chosen)
            message = f"{subject(path)} must be a target, a transition or a list of them, and is {what}"
            context.note(Code.WRONG_TYPE, message, path)
    return (Transition(),)


def _transition(context: ReadContext, value: Json, path: Path) -> Transition:
    if isinstance(value, str):
        return Transition(target=target(context, value, path))
    return Transition(**context.entries(TRANSITION, value, path))


def target(context: ReadContext, value: Json, path: Path) -> str | None:
    """The absolute path of the state that a name means."""
    if not context.is_a(str, value, path, "the name of a state"):
        return None
    source = state_at(path)
    match context.places.meanings(value, source):
        case [meant]:
            return meant
        case []:
            _note_unknown(context, value, source, path)
        case [*meanings]:
            dotted = " or ".join(f"`{each}`" for each in meanings)
            message = f"{value!r} can mean {dotted} here: rename one, or write the dotted path"
            context.note(Code.AMBIGUOUS_STATE, message, path)
    return None


def _note_unknown(context: ReadContext, name: str, source: str, path: Path) -> None:
    """Note an unknown state. The best guess is a dotted path that ends in this name, before names that look similar."""
    known = context.places.bodies if context.suggests else ()
    inner = [each for each in known if each.endswith(f".{name}")]
    guess = f" (did you mean `{inner[0]}`?)" if inner and len(name) <= 80 else ""
    if known and not guess:
        nearby = [each for each in known if context.places.meanings(each, source)]
        guess = context.guess(name, nearby) or f"; there are {some(nearby)}"
    context.note(Code.UNKNOWN_STATE, f"there is no state {shortened(name)} to go to{guess}", path)


def initial(context: ReadContext, value: Json, path: Path) -> str | None:
    """The path of an ``initial`` state, which must be among the states of the same level."""
    if not context.is_a(str, value, path, "the name of a state"):
        return None
    state = state_at(path)
    beside = context.places.children(state)
    if value in beside:
        return f"{state}.{value}" if state else value
    if beside:  # without any states, that is the mistake
        whose = f"of `{state}`" if state else "at the top level"
        guess = context.guess(value, beside)
        message = f"there is no state {shortened(value)} {whose}{guess}; there are {some(beside)}"
        context.note(Code.UNKNOWN_STATE, message, path)
    return None


def visits(context: ReadContext, value: Json, path: Path) -> dict[str, int] | None:
    """State -> how often it may be entered; states are named by their dotted paths."""
    if not context.is_a(dict, value, path):
        return None
    found: dict[str, int] = {}
    for state, most in value.items():
        where = (*path, state)
        if state not in context.places.bodies:
            guess = context.guess(state, list(context.places.bodies))
            message = f"there is no state {shortened(state)} to limit{guess}; there are {some(context.places.bodies)}"
            context.note(Code.UNKNOWN_STATE, message, where, at_key=True)
        if (number := count(context, most, where)) is not None:
            found[state] = number
    return found
