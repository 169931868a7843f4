"""What callers give to a runner, a thread or a store: looked at once, before anything is read or written.

A wrong type gets one sentence here. Left to a store, it would be another traceback on each, or a row that only some
stores can read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from fsm_agent.domain.text import listed
from fsm_agent.errors import ArgumentInvalid

Check = Callable[[str, Any], None]


def check(**given: Any) -> None:
    """Raise ``ArgumentInvalid`` for the first argument that is not what its name stands for."""
    for name, value in given.items():
        if type(value) is not str or name not in _TEXTS or not value.isascii():
            _CHECKS[name](name, value)


def check_optional(**given: Any) -> None:
    """``check`` those that are not ``None``."""
    for name, value in given.items():
        if value is not None and (type(value) is not str or name not in _TEXTS or not value.isascii()):
            _CHECKS[name](name, value)


def strings(name: str, given: Iterable[str]) -> tuple[str, ...]:
    """Several texts; raises ``ArgumentInvalid``. One text would be taken for a list of its characters."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ArgumentInvalid.of_type(name, "a list of strings", given)
    texts = tuple(given)
    for text in texts:
        _text(f"each of {name}", text)
    return texts


def _text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ArgumentInvalid.of_type(name, "a string", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ArgumentInvalid(f"{name} is no Unicode text: half of a surrogate pair cannot be kept") from None


def _name(name: str, value: object) -> None:
    """A text that tells one from another, which an empty one would not."""
    _text(name, value)
    if not value:
        raise ArgumentInvalid(f"{name} is empty; give it a text, or leave it out")


def _integer(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ArgumentInvalid.of_type(name, "an integer", value)


def _count(name: str, value: object) -> None:
    _integer(name, value)
    if isinstance(value, int) and value < 1:
        raise ArgumentInvalid(f"{name} must be an integer from 1, and is {value}")


def _fields(name: str, value: object) -> None:
    if type(value) is not dict and not isinstance(value, Mapping):
        raise ArgumentInvalid.of_type(name, "a mapping of fields to values", value)


def _status(name: str, value: object) -> None:
    from fsm_agent.domain.agent import Status

    if value not in list(Status):
        raise ArgumentInvalid(f"{name} must be one of {listed(Status)}")


def _workflow(name: str, value: object) -> None:
    from fsm_agent.domain.workflow import Workflow

    if not isinstance(value, Workflow):
        hint = "; `Workflow.load(path)` reads one from a file"
        raise ArgumentInvalid.of_type(name, "a Workflow", value, hint=hint)


def _retention(name: str, value: object) -> None:
    from fsm_agent.domain.retention import Retention

    if not isinstance(value, Retention):
        raise ArgumentInvalid.of_type(name, "a Retention", value)


#: by the name of a parameter; where two methods mean different things by one, the check has a name of its own
_CHECKS: Final[Mapping[str, Check]] = {
    "agent_id": _text,
    "id": _text,
    "event": _text,
    "key": _name,
    "by": _name,
    "user": _text,
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
    "status": _status,
    "limit": _count,
    "workflow": _workflow,
    "workflow_name": lambda _, value: _text("workflow", value),
    "retention": _retention,
}
_TEXTS: Final = frozenset(name for name, judge in _CHECKS.items() if judge is _text)
