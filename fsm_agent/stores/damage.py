"""What a damaged row does to the verb that reads it: it fails for one agent, and says for which and where.

Every store reads pages past such rows, and its other verbs raise ``AgentDamaged`` instead of whatever went wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any, Final, TypeVar

from fsm_agent.domain.agent import Head
from fsm_agent.domain.record import Damage, Record
from fsm_agent.domain.step import Step
from fsm_agent.errors import AgentDamaged, DefinitionDamaged, SharedDamaged, StoreCorrupt

T = TypeVar("T")

#: whatever a row that is not as it was written makes go wrong where it is read
UNREADABLE: Final = (
    StoreCorrupt, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip

#: of a head whose definition is gone
UNPINNED: Final = "the definition that it is pinned to is not kept any more"


def damaged(agent_id: str, place: str, error: Exception) -> AgentDamaged:
    """The error for what of an agent cannot be read; an error that says so already is kept."""
    return error if isinstance(error, AgentDamaged) else AgentDamaged(agent_id, place, why(error))


def unreadable(what: str, place: str, error: Exception) -> StoreCorrupt:
    """The error for what belongs to no agent and cannot be read, such as ``thread 'news'``."""
    return SharedDamaged(what, place, why(error))


@contextmanager
def reading(agent_id: str, place: str) -> Iterator[None]:
    """Whatever goes wrong inside is damage of an agent in that place."""
    try:
        yield
    except UNREADABLE as error:
        raise damaged(agent_id, place, error) from error


@contextmanager
def reading_shared(what: str, place: str) -> Iterator[None]:
    """Whatever goes wrong inside is damage there of what is no agent's."""
    try:
        yield
    except UNREADABLE as error:
        raise unreadable(what, place, error) from error


@contextmanager
def reading_definition(definition: str, place: str) -> Iterator[None]:
    """Whatever goes wrong inside is damage there of a definition."""
    try:
        yield
    except UNREADABLE as error:
        raise DefinitionDamaged(definition, place, why(error)) from error


def why(error: Exception) -> str:
    """What is wrong with a row, without its content: that may be private."""
    match error.__cause__ if isinstance(error.__cause__, JSONDecodeError) else error:
        case JSONDecodeError() as wrong:
            return f"it is no JSON from character {wrong.pos + 1} on"
        case AgentDamaged(what=told) | SharedDamaged(what=told):
            return told
        case StoreCorrupt():
            return str(error)
        case other:
            return next(said for kind, said in _SAID if isinstance(other, kind))


#: what a row is told to be where reading it raises one of these; the first that fits
_SAID: Final = (
    (UnicodeDecodeError, "it is no UTF-8 text"),
    (LookupError, "a value that stands in it is none of those that are written there"),
    (RecursionError, "it is nested too deep to be read"),
    (Exception, "it is not of the form in which it was written"),
)


def damage_of(error: AgentDamaged) -> Damage:
    return Damage(error.agent_id, error.place, error.what)


def readable(rows: Iterable[T], read: Callable[[T], Head], damage: list[Damage]) -> Iterator[Head]:
    """The heads of those rows that can be read; the others are noted."""
    for row in rows:
        try:
            yield read(row)
        except AgentDamaged as error:
            damage.append(damage_of(error))


def check_record(record: Record, place: str, *, queue: str, forgotten: int = 0) -> Record:
    """The record, if its tail has every step after the snapshot, and its queue every event; raises ``AgentDamaged``
    otherwise. A shorter tail would be read as a shorter life, and an event that is missing be waited for."""
    head, tail = record.head, record.tail
    if head.queued != len(record.queue):
        raise AgentDamaged(head.id, queue, f"{len(record.queue)} events are kept, and the head says {head.queued}")
    covered = max(record.snapshot.version if record.snapshot else 0, forgotten)
    missing = head.version - covered
    if missing > 0:
        has_all = len(tail) >= missing and (tail[-1].version, tail[-missing].version) == (head.version, covered + 1)
        if not has_all:
            raise AgentDamaged(head.id, place, _gap(tail, covered + 1, head.version))
    elif missing < 0 <= head.version:
        raise AgentDamaged(
            head.id, place, f"the data is kept as of version {covered}, and the head is at {head.version}"
        )
    return record


def check_steps(agent_id: str, steps: Sequence[Step], first: int, last: int, place: str) -> Sequence[Step]:
    """These steps, if they are all from version ``first`` to ``last``; raises ``AgentDamaged`` otherwise."""
    if [step.version for step in steps] != list(range(first, last + 1)):
        raise AgentDamaged(agent_id, place, _gap(steps, first, last))
    return steps


def _gap(steps: Iterable[Step], first: int, last: int) -> str:
    known = {step.version for step in steps}
    missing = [version for version in range(first, last + 1) if version not in known]
    if not missing:
        return f"a step between versions {first} and {last} is double"
    shown = f"version {missing[0]}" if len(missing) == 1 else f"versions {missing[0]} to {missing[-1]}"
    return f"the step of {shown} is missing" if len(missing) == 1 else f"{len(missing)} steps of {shown} are missing"


def checked(kind: type[T], value: Any) -> T:
    """A value of this very type; raises ``StoreCorrupt`` otherwise."""
    if type(value) is not kind:
        raise StoreCorrupt(f"{_called(type(value))} stands where {_called(kind)} should be")
    return value


_CALLED: Final[Mapping[type, str]] = {
    bool: "a truth value",
    bytes: "a blob",
    dict: "an object",
    float: "a fraction",
    int: "a number",
    list: "a list",
    str: "text",
}


def _called(kind: type) -> str:
    return _CALLED.get(kind, "nothing")
