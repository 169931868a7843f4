"""Checks of what callers give to a runner, a thread or a store, before anything is read or written.

A wrong type gets one sentence here. Without this check, each store would raise another traceback, or write a row that
other stores cannot read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from fsm_agent.domain.text import listed
from fsm_agent.errors import ArgumentInvalid

if TYPE_CHECKING:
    from fsm_agent.domain.agent import Status

Check = Callable[[str, Any], None]

#: limit of agents that one call may ask for
LONGEST_PAGE: Final = 1_000
#: limits of the labels of an agent: they are for finding it, not for keeping data
MOST_LABELS: Final = 32
#: characters
LONGEST_LABEL: Final = 256


def check(**given: Any) -> None:
    """Raise ``ArgumentInvalid`` for the first argument that has not the type its name requires."""
    for name, value in given.items():
        if type(value) is not str or name not in _TEXTS or not value.isascii():
            _CHECKS[name](name, value)


def check_optional(**given: Any) -> None:
    """Like ``check``, but ``None`` is allowed."""
    for name, value in given.items():
        if value is not None and (type(value) is not str or name not in _TEXTS or not value.isascii()):
            _CHECKS[name](name, value)


def strings(name: str, given: Iterable[str]) -> tuple[str, ...]:
    """Several texts; raises ``ArgumentInvalid``. A single text is refused: it would be a list of its characters."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ArgumentInvalid.of_type(name, "a list of strings", given)
    texts = tuple(given)
    for text in texts:
        _text(f"each of {name}", text)
    return texts


def positive_ms(name: str, seconds: object) -> int:
    """Seconds, whole or not, as milliseconds; raises ``ArgumentInvalid`` unless they are at least one."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0.001 <= seconds < 1e9:
        raise ArgumentInvalid.of_type(name, "a positive number of seconds", seconds)
    return round(seconds * 1_000)


def _text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ArgumentInvalid.of_type(name, "a string", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ArgumentInvalid(f"{name} is no Unicode text: half of a surrogate pair cannot be kept") from None


def _name(name: str, value: object) -> None:
    """Check a text that identifies something: it must be neither empty nor invisible."""
    _text(name, value)
    if isinstance(value, str) and (why := why_blank(value)) is not None:
        raise ArgumentInvalid(f"{name} {why}; give it a text, or leave it out")


def why_blank(text: str) -> str | None:
    """Why a text cannot be used as a name; ``None`` if it can."""
    return ("is only white space" if text else "is empty") if not text or text.isspace() else None


def _whom(name: str, value: object) -> None:
    _text(name, value)
    if isinstance(value, str) and (why := why_blank(value)) is not None:
        raise ArgumentInvalid(f"{name} {why}; say who it is")


def _integer(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ArgumentInvalid.of_type(name, "an integer", value)


def _count(name: str, value: object) -> None:
    _integer(name, value)
    if isinstance(value, int) and value < 1:
        raise ArgumentInvalid(f"{name} must be an integer from 1, and is {value}")


def _limit(name: str, value: object) -> None:
    _count(name, value)
    if isinstance(value, int) and value > LONGEST_PAGE:
        raise ArgumentInvalid(f"{name} must be at most {LONGEST_PAGE}, and is {value}; go on with `after`")


def _truth(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ArgumentInvalid.of_type(name, "True or False", value)


def _fields(name: str, value: object) -> None:
    if type(value) is not dict and not isinstance(value, Mapping):
        raise ArgumentInvalid.of_type(name, "a mapping of fields to values", value)


def statuses(given: Status | Iterable[Status]) -> list[Status]:
    """One status or several, as a list; raises ``ArgumentInvalid``."""
    if isinstance(given, str):
        wanted: list[Any] = [given]
    elif isinstance(given, Iterable):
        wanted = list(given)
    else:
        raise ArgumentInvalid.of_type("status", "a Status or a list of them", given)
    for each in wanted:
        _status("status", each)
    return wanted


def functions(name: str, given: Iterable[Callable[..., Any]]) -> list[Callable[..., Any]]:
    """Several functions; raises ``ArgumentInvalid``."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ArgumentInvalid.of_type(name, "a list of functions", given)
    found = list(given)
    for each in found:
        if not callable(each):
            raise ArgumentInvalid.of_type(f"each of {name}", "a function", each, hint="; modules go into `modules`")
    return found


def _status(name: str, value: object) -> None:
    from fsm_agent.domain.agent import Status

    if not isinstance(value, str) or value not in list(Status):
        raise ArgumentInvalid(f"{name} must be one of {listed(Status)}")


def _path(name: str, value: object) -> None:
    if not (isinstance(value, str) or hasattr(value, "__fspath__")):
        raise ArgumentInvalid.of_type(name, "a path, as text or as a Path", value)


def _workflow(name: str, value: object) -> None:
    from fsm_agent.domain.workflow import Workflow

    if not isinstance(value, Workflow):
        hint = "; `Workflow.load(path)` reads one from a file"
        raise ArgumentInvalid.of_type(name, "a Workflow", value, hint=hint)


def _retention(name: str, value: object) -> None:
    from fsm_agent.domain.retention import Retention

    if not isinstance(value, Retention):
        raise ArgumentInvalid.of_type(name, "a Retention", value)


def _labels(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise ArgumentInvalid.of_type(name, "a mapping of names to texts", value)
    if len(value) > MOST_LABELS:
        raise ArgumentInvalid(f"{name} has {len(value)} names, and {MOST_LABELS} are allowed")
    for label, text in value.items():
        _name(f"a name in {name}", label)
        _text(f"{name}[{label!r}]", text)
        if len(label) > LONGEST_LABEL or len(text) > LONGEST_LABEL:
            raise ArgumentInvalid(f"{name} has a name or a text of more than {LONGEST_LABEL} characters")


def _label(name: str, value: object) -> None:
    """Check a label that agents are selected by: its name, or its name and its text; ``None`` is any text."""
    if isinstance(value, str):
        _name(name, value)
    elif isinstance(value, tuple) and len(value) == 2:
        _name(f"the name in {name}", value[0])
        _text(f"the text in {name}", "" if value[1] is None else value[1])
    else:
        raise ArgumentInvalid.of_type(name, "a name or a pair (name, text)", value)


def _addressee(name: str, value: object) -> None:
    """Check who is asked; an empty text is whoever comes."""
    if value != "":
        _whom(name, value)


#: name of a parameter -> its check; a parameter that means something else in another method has a name of its own here
_CHECKS: Final[Mapping[str, Check]] = {
    "agent_id": _text,
    "id": _text,
    "event": _text,
    "key": _name,
    "by": _name,
    "user": _name,
    "whom": lambda _, value: _whom("user", value),
    "effect": _text,
    "after": _text,
    "thread": _text,
    "url": _text,
    "namespace": _text,
    "payload": _fields,
    "data": _fields,
    "expect_version": _integer,
    "version": _integer,
    "at": _integer,
    "to": _integer,
    "last": _integer,
    "question": _integer,
    "waiting": _truth,
    "limit": _limit,
    "at_once": _count,
    "path": _path,
    "workflow": _workflow,
    "workflow_name": lambda _, value: _text("workflow", value),
    "retention": _retention,
    "labels": _labels,
    "label": _label,
    "addressee": lambda _, value: _addressee("to", value),
    "newest": _truth,
    "state": _text,
}
_TEXTS: Final = frozenset(name for name, judge in _CHECKS.items() if judge is _text)
