"""Readers of values without parts: texts, names, counts and durations, and of flat lists and mappings of these."""

from __future__ import annotations

import re
from typing import Final, get_args

from fsm_agent.dialect.builtins import BUILT_INS
from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.context import ReadContext, Reader, described, some, subject
from fsm_agent.dialect.keys import ACTION, FIELD, MERGED
from fsm_agent.dialect.state_names import state_at
from fsm_agent.domain.conversation import Strategy
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import LARGEST_SIZE, ByteSize, Duration, MergePolicy
from fsm_agent.domain.text import listed, shortened
from fsm_agent.domain.workflow import BUILT_IN_EVENTS, HANDLED_BUILT_INS

OUTCOMES: Final = ("done", "failed", "cancelled")
MERGE_POLICIES: Final[tuple[MergePolicy, ...]] = get_args(MergePolicy)
STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)
EFFECT_MODES: Final = ("idempotent", "at_most_once")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ON_FAILURE: Final = ("fail", "cancel_rest", "continue")
APPROVALS: Final = ("required",)

#: form of names that only built-in actions have
_DOTTED: Final = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+"

#: a duration of more than a century is a mistake, and could overflow a database's integer
LONGEST: Final = Duration.parse("36500d")


def name(context: ReadContext, value: Json, path: Path) -> str | None:
    if not context.is_a(str, value, path):
        return None
    return value if context.is_name(value, path, at_key=False) else None


def text(context: ReadContext, value: Json, path: Path) -> str | None:
    return value if context.is_a(str, value, path) else None


def prompt(context: ReadContext, value: Json, path: Path) -> str | None:
    if not context.is_a(str, value, path):
        return None
    if not value.strip():
        context.note(Code.NOT_ALLOWED, f"{subject(path)} is empty: write what it should say", path)
        return None
    return str(value)


def expression(context: ReadContext, value: Json, path: Path) -> str | None:
    if not isinstance(value, str):
        noun = f"a CEL expression; quote it if it is one: '{value}'" if isinstance(value, (int, float)) else "CEL text"
        context.note(Code.WRONG_TYPE, f"{subject(path)} must be {noun}, and is {described(value)}", path)
        return None
    if not value.strip():
        context.note(Code.NOT_ALLOWED, f"{subject(path)} is empty: write a CEL expression, or leave it out", path)
        return None
    return value


def count(context: ReadContext, value: Json, path: Path) -> int | None:
    noun = "an integer"
    if isinstance(value, float) and path[-1:] == ("version",):
        noun = "an integer, counted 1, 2, 3 (YAML reads 1.10 as the number 1.1)"
    if not context.is_a(int, value, path, noun):
        return None
    if value < 1:
        context.note(Code.NOT_ALLOWED, f"{subject(path)} must be at least 1, and is {value}", path)
        return None
    return int(value)


def amount(context: ReadContext, value: Json, path: Path) -> float | None:
    if type(value) not in (int, float):
        context.note(Code.WRONG_TYPE, f"{subject(path)} must be a number, and is {described(value)}", path)
        return None
    if value <= 0:
        context.note(Code.NOT_ALLOWED, f"{subject(path)} must be more than 0, and is {value}", path)
        return None
    return float(value)


def true(context: ReadContext, value: Json, path: Path) -> bool | None:
    if value is True:
        return True
    context.note(Code.WRONG_TYPE, f"{subject(path)} can only be true, and is {described(value)}: leave it out", path)
    return None


def word(*allowed: str) -> Reader:
    """A reader that accepts one of these words."""

    def read(context: ReadContext, value: Json, path: Path) -> str | None:
        if not context.is_a(str, value, path):
            return None
        if value not in allowed:
            guess = context.guess(value, allowed)
            message = f"{subject(path)} cannot be {shortened(value)}{guess}; allowed: {listed(allowed)}"
            context.note(Code.NOT_ALLOWED, message, path)
            return None
        return str(value)

    return read


def action(context: ReadContext, value: Json, path: Path) -> str | None:
    if not context.is_a(str, value, path):
        return None
    if value in BUILT_INS:
        return str(value)
    if re.fullmatch(_DOTTED, value):
        guess = context.guess(value, BUILT_INS)
        message = (
            f"there is no built-in action {shortened(value)}{guess}; there are {listed(BUILT_INS)}; "
            "one of your own is called by its name, or `module:function`"
        )
        context.note(Code.NOT_ALLOWED, message, path)
        return None
    if re.fullmatch(ACTION, value) is None:
        message = f"{shortened(value)} cannot name an action: write its name, or `module:function`"
        context.note(Code.BAD_NAME, message, path)
        return None
    return str(value)


def byte_size(context: ReadContext, value: Json, path: Path) -> ByteSize | None:
    if not context.is_a(str, value, path, "a size such as 500kB or 1MB"):
        return None
    try:
        read = ByteSize.parse(value if value.isascii() else "")
    except ValueError:
        message = f"{shortened(value)} is not a size: write an integer and B, kB, MB or GB, such as 500kB or 1MB"
        context.note(Code.NOT_ALLOWED, message, path)
        return None
    if not 0 < read.bytes <= LARGEST_SIZE.bytes:
        context.note(Code.NOT_ALLOWED, f"{subject(path)} must be more than 0B and at most {LARGEST_SIZE}", path)
        return None
    return read


def delay(context: ReadContext, value: Json, path: Path, *, at_key: bool = False) -> Duration | None:
    """A duration that may be zero."""
    if not at_key and not context.is_a(str, value, path, "a duration such as 30s or 3d"):
        return None
    try:
        read = Duration.parse(value if value.isascii() else "")
    except ValueError:
        message = f"{shortened(value)} is not a duration: write an integer and ms, s, m, h or d, such as 30s or 3d"
        context.note(Code.BAD_DURATION, message, path, at_key=at_key)
        return None
    if read.ms > LONGEST.ms:
        message = f"{value} is too long: at most {LONGEST} are allowed"
        context.note(Code.BAD_DURATION, message, path, at_key=at_key)
        return None
    return read


def duration(context: ReadContext, value: Json, path: Path, *, at_key: bool = False) -> Duration | None:
    read = delay(context, value, path, at_key=at_key)
    if read is not None and read.ms == 0:
        context.note(Code.BAD_DURATION, f"{value} is no time at all: write more than zero", path, at_key=at_key)
        return None
    return read


def values(context: ReadContext, value: Json, path: Path) -> dict[str, Json] | None:
    """Literals stay as they are. Strings are CEL, so an empty string is a mistake."""
    if not context.is_a(dict, value, path):
        return None
    found = {}
    for key, each in value.items():
        context.is_name(key, (*path, key), FIELD)
        if not isinstance(each, str) or expression(context, each, (*path, key)) is not None:
            found[key] = each
    return found


def expressions(context: ReadContext, value: Json, path: Path) -> dict[str, str] | None:
    if not context.is_a(dict, value, path):
        return None
    found = {}
    for key, each in value.items():
        context.is_name(key, (*path, key), FIELD)
        if (read := expression(context, each, (*path, key))) is not None:
            found[key] = read
    return found


def merge(context: ReadContext, value: Json, path: Path) -> dict[str, MergePolicy] | None:
    """Data field, or ``user.FIELD`` -> policy. ``check.merge_policies`` finds out whether the field exists and fits."""
    if not context.is_a(dict, value, path, "a mapping of data fields to policies"):
        return None
    found: dict[str, MergePolicy] = {}
    for key, each in value.items():
        if re.fullmatch(MERGED, key) is None:
            context.is_name(key, (*path, key), FIELD)
        if each in MERGE_POLICIES:
            found[key] = each
        else:
            guess = context.guess(each, MERGE_POLICIES) if isinstance(each, str) else ""
            message = f"{described(each)} is no merge policy{guess}; there are {listed(MERGE_POLICIES)}"
            context.note(Code.NOT_ALLOWED, message, (*path, key))
    return found


def names(context: ReadContext, value: Json, path: Path, noun: str) -> dict[str, int] | None:
    """Text -> its index, for a list of one or more different texts."""
    if not context.is_a(list, value, path, f"a list of {noun}"):
        return None
    if not value:
        context.note(Code.NOT_ALLOWED, f"{subject(path)} is empty: list at least one of the {noun}", path)
    found: dict[str, int] = {}
    for index, each in enumerate(value):
        if context.is_a(str, each, (*path, index)):
            if each in found:
                message = f"{subject(path)} has {shortened(each)} twice"
                context.note(Code.NOT_ALLOWED, message, (*path, index))
            found.setdefault(each, index)
    return found


def error_names(context: ReadContext, value: Json, path: Path) -> tuple[str, ...] | None:
    listed_names = names(context, value, path, "exception names")
    return None if listed_names is None else tuple(listed_names)


def answers(context: ReadContext, value: Json, path: Path) -> tuple[str, ...] | None:
    """The events that a question offers. They must be declared, and handled in the state that asks."""
    asked = names(context, value, path, "events")
    if asked is None:
        return None
    return tuple(event for event, index in asked.items() if _is_answer(context, event, (*path, index)))


def _is_answer(context: ReadContext, event: str, path: Path) -> bool:
    if event in context.events:
        state = state_at(path)
        if not context.places.handles(state, event):
            message = f"state `{state}` asks for event `{event}` and has no transition for it: add one under its `on`"
            context.note(Code.UNANSWERABLE, message, path)
        return True
    what = "is built in, and nobody can answer with it" if event in BUILT_IN_EVENTS else "is not declared"
    guess = context.guess(event, context.events)
    message = f"event {shortened(event)} {what}{guess}; declared: {some(context.events)}"
    context.note(Code.UNKNOWN_EVENT, message, path)
    return False


def is_handled_event(context: ReadContext, event: str, path: Path) -> bool:
    """Whether ``event`` may stand under ``on``; if not, this is noted."""
    if event in context.events or event in HANDLED_BUILT_INS:
        return True
    match event:
        case "after":
            message = "`after` is no event that `on` takes: timers stand under the state's own key `after`"
        case "created":
            message = "`created` is the first step of every agent, and nothing can handle it: use `initial`"
        case _:
            known = [*context.events, *sorted(HANDLED_BUILT_INS)]
            message = f"event {shortened(event)} is not declared{context.guess(event, known)}; there are {some(known)}"
    context.note(Code.UNKNOWN_EVENT, message, path, at_key=True)
    return False
