"""The moves of a play: what a person, an action or time may do. Each is printed as it is written in a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any, Final, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Duration


@dataclass(frozen=True, slots=True)
class Sent:
    """Somebody sends an event, also while an action works."""

    event: str
    payload: Mapping[str, Json] = field(default_factory=dict)
    by: str | None = None

    def __repr__(self) -> str:
        by = [f"by={self.by!r}"] if self.by is not None else []
        return f"sent({', '.join([repr(self.event), *_written(self.payload), *by])})"


@dataclass(frozen=True, slots=True)
class Says:
    """The action at work writes data, and names an event."""

    event: str
    payload: Mapping[str, Json] = field(default_factory=dict)
    data: Mapping[str, Json] = field(default_factory=dict)

    def __repr__(self) -> str:
        data = [f"data={dict(self.data)!r}"] if self.data else []
        return f"says({', '.join([repr(self.event), *_written(self.payload), *data])})"


@dataclass(frozen=True, slots=True)
class Fails:
    """The action at work fails as often as it is tried; with ``timeout`` since its time is out."""

    timeout: bool = False

    def __repr__(self) -> str:
        return "fails(timeout=True)" if self.timeout else "fails()"


@dataclass(frozen=True, slots=True)
class Passes:
    """Time passes, with all that falls due in it."""

    duration: Duration

    def __repr__(self) -> str:
        return f"passes({self.duration.text!r})"


@dataclass(frozen=True, slots=True)
class Cancels:
    """Somebody cancels the agent."""

    by: str | None = None

    def __repr__(self) -> str:
        return f"cancels(by={self.by!r})" if self.by is not None else "cancels()"


@dataclass(frozen=True, slots=True)
class Unparks:
    """An operator lets a parked agent try again."""

    by: str | None = None

    def __repr__(self) -> str:
        return f"unparks(by={self.by!r})" if self.by is not None else "unparks()"


Move: TypeAlias = Sent | Says | Fails | Passes | Cancels | Unparks


def sent(event: str, payload: Mapping[str, Json] | None = None, /, *, by: str | None = None, **fields: Json) -> Sent:
    """The fields of the payload are named, or in ``payload`` where Python does not allow their names. Raises
    ``TypeError``."""
    return Sent(event, {**_mapping("the payload", payload), **fields}, by)


def says(
    event: str,
    payload: Mapping[str, Json] | None = None,
    /,
    *,
    data: Mapping[str, Json] | None = None,
    **fields: Json,
) -> Says:
    """``data`` is what the action writes; the payload is written as in ``sent``. Raises ``TypeError``."""
    return Says(event, {**_mapping("the payload", payload), **fields}, _mapping("data", data))


def _mapping(what: str, given: Mapping[str, Json] | None) -> Mapping[str, Json]:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"{what} must be a mapping of fields, and is of type {type(given).__name__}")
    return given or {}


def fails(*, timeout: bool = False) -> Fails:
    return Fails(timeout)


def passes(duration: str) -> Passes:
    """``duration`` is written as in a workflow: ``3d``, ``90s``. Raises ``ValueError``."""
    return Passes(Duration.parse(duration))


def cancels(*, by: str | None = None) -> Cancels:
    return Cancels(by)


def unparks(*, by: str | None = None) -> Unparks:
    return Unparks(by)


#: names that do not mean a field of a payload
_ARGUMENTS: Final = frozenset({"by", "data"})

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def passes_ms(ms: int) -> Passes:
    """So many milliseconds, in the largest unit in which they are a whole number."""
    for unit, size in _UNITS:
        if ms and ms % size == 0:
            return Passes(Duration(f"{ms // size}{unit}", ms))
    return Passes(Duration(f"{ms}ms", ms))


#: how moves are written in a test
_FUNCTIONS: Final[Mapping[str, Callable[..., Move]]] = {
    each.__name__: each for each in (sent, says, fails, passes, cancels, unparks)
}


def read_move(text: str) -> Move:
    """The move that is written as in a test, ``sent("approve", by="ana")``; raises ``ValueError``."""
    what = f"{text!r} is no move: write it as in a test, such as sent('approve', by='ana'), or passes('3d')"
    try:
        name, given, named = _call(text)
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        raise ValueError(what) from None
    if name not in _FUNCTIONS:
        raise ValueError(what)
    try:
        return _FUNCTIONS[name](*given, **named)
    except TypeError as error:
        raise ValueError(f"{what} ({error})") from None


def written_by(moves: Iterable[Move]) -> set[str]:
    """The functions by which moves are written, which a test has to import."""
    return {repr(move).partition("(")[0] for move in moves}


def function_name(name: str) -> str:
    """The name of the function that tests what is called so, which may have a ``-`` in it."""
    return f"test_{name.replace('-', '_')}"


def _call(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """The name of a function, and what it is called with: literals, and nothing that would be evaluated."""
    import ast

    call = ast.parse(text.strip(), mode="eval").body
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        raise TypeError(text)
    if any(each.arg is None for each in call.keywords):
        raise TypeError(text)
    named = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    return call.func.id, [ast.literal_eval(each) for each in call.args], named


def _written(payload: Mapping[str, Json]) -> list[str]:
    """A payload as arguments: named ones, but all in one where a name is none in Python, or means something else."""
    if all(name.isidentifier() and not iskeyword(name) and name not in _ARGUMENTS for name in payload):
        return [f"{name}={value!r}" for name, value in payload.items()]
    return [repr(dict(payload))]
