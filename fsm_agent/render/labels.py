"""The texts of a picture: transitions, and the lines inside states.

The texts are neither wrapped nor escaped, since each renderer does this in its own way.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Self, TypeAlias

from fsm_agent.dialect.builtins import BUILT_INS
from fsm_agent.domain.json import Json
from fsm_agent.domain.leaf_transition import DeclaredTransition
from fsm_agent.domain.state import Ask, Candidates, Handlers, Retry, State, Timer, Transition
from fsm_agent.render import action_labels

#: what an overlay remarks at transitions
TransitionNotes: TypeAlias = Mapping[DeclaredTransition, str]
NO_TRANSITION_NOTES: Final[TransitionNotes] = MappingProxyType({})

_PROBLEMS: Final = frozenset({"error", "timeout"})


class ExitKind(StrEnum):
    """Why an agent leaves a state: an event, a problem of its action, or time."""

    EVENT = "event"
    ERROR = "error"
    TIMER = "timer"

    @classmethod
    def of(cls, event: str) -> Self:
        return cls.ERROR if event in _PROBLEMS else cls.EVENT


class Label(NamedTuple):
    """``event [guard] / assign`` of one transition."""

    event: str
    #: CEL; ``else`` for the last of several candidates; or empty
    guard: str = ""
    #: one text per field that is assigned or appended to
    effects: tuple[str, ...] = ()
    #: a remark of an overlay, such as how often it was taken
    note: str = ""

    def __str__(self) -> str:
        guard = f" [{self.guard}]" if self.guard else ""
        effects = f" / {', '.join(self.effects)}" if self.effects else ""
        return f"{self.event}{guard}{effects}{f'  {self.note}' if self.note else ''}"


class Exit(NamedTuple):
    """One transition in a picture; without ``target`` it is internal."""

    kind: ExitKind
    label: Label
    target: str | None


class DetailKind(StrEnum):
    """The subject of a line inside a state; the value is its first word."""

    DO = "do"
    WITH = "with"
    TIMEOUT = "timeout"
    RETRY = "retry"
    LIMIT = "at most"
    ASK = "ask"
    ANSWERS = "answers"
    TO = "for"
    PROMPT = "told"
    CHOOSES = "chooses"
    TOOLS = "tools"
    INTO = "into"
    STAYS = "on"
    IGNORES = "ignores"
    OUTPUT = "output"
    STAYED = "stayed"
    ERRORS = "errors"
    COST = "cost"
    HERE = "here now"


class Detail(NamedTuple):
    """One line inside a state."""

    kind: DetailKind
    text: str

    def __str__(self) -> str:
        return f"“{self.text}”" if self.kind in QUOTED else f"{self.kind} {self.text}"


#: shown in quotes
QUOTED: Final = frozenset({DetailKind.ASK, DetailKind.PROMPT})


#: lines that belong together; a rule separates it from the next compartment
Compartment: TypeAlias = tuple[Detail, ...]


def exits(
    on: Handlers, after: Sequence[Timer] = (), *, owner: str = "", notes: TransitionNotes = NO_TRANSITION_NOTES
) -> Iterator[Exit]:
    """All transitions of one level, events before timers. ``owner`` is the path of the state that declares them."""
    for event, candidates in on.items():
        yield from _exits(ExitKind.of(event), DeclaredTransition(owner, event, 0), candidates or (), notes)
    for timer in after:
        name = DeclaredTransition(owner, f"after {timer.duration}", 0)
        yield from _exits(ExitKind.TIMER, name, timer.transitions, notes)


def _exits(kind: ExitKind, name: DeclaredTransition, candidates: Candidates, notes: TransitionNotes) -> Iterator[Exit]:
    labels = labels_of(name.event, candidates)
    for position, (label, each) in enumerate(zip(labels, candidates, strict=True), start=1):
        yield Exit(kind, label._replace(note=notes.get(name._replace(number=position), "")), each.target)


def labels_of(name: str, candidates: Candidates) -> tuple[Label, ...]:
    """The labels of the candidates of one event or timer."""
    return tuple(
        Label(
            f"{name} ({position})" if len(candidates) > 2 else name,
            each.when or ("else" if position > 1 else ""),
            _effects(each),
        )
        for position, each in enumerate(candidates, start=1)
    )


def _effects(transition: Transition) -> tuple[str, ...]:
    assigned = [f"{field} = {_value(value)}" for field, value in transition.assign.items()]
    appended = [f"{field} += {item}" for field, item in transition.append.items()]
    return (*assigned, *appended)


def _value(value: Json) -> str:
    """A string is CEL, and is shown as written; any other value is a literal."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def compartments(
    state: State, *, visits: int | None, stays: Sequence[Detail], choices: str = ""
) -> tuple[Compartment, ...]:
    """The lines inside a state: ``stays`` are its internal transitions, ``choices`` the events for a model."""
    work = _built_in(state, choices) if state.do in BUILT_INS else _work(state)
    question = _question(action_labels.question(state))
    sections = (work, _bounds(state, visits), question, tuple(stays), _output(state.output))
    return tuple(section for section in sections if section)


def staying(label: Label) -> Detail:
    """The line for an internal transition, which has no edge."""
    return Detail(DetailKind.STAYS, str(label))


def ignored(on: Handlers) -> Iterator[Detail]:
    """The lines for events whose inherited transitions a state forbids."""
    return (Detail(DetailKind.IGNORES, event) for event, candidates in on.items() if candidates is None)


def _work(state: State) -> Compartment:
    if state.do is None:
        return ()
    arguments = (Detail(DetailKind.WITH, f"{name} = {_value(value)}") for name, value in state.with_.items())
    return (Detail(DetailKind.DO, state.do), *arguments)


def _built_in(state: State, choices: str) -> Compartment:
    if state.do == "human.ask":  # the question says enough
        return ()
    on_failure = state.with_.get("on_failure", "")
    lines = (
        (DetailKind.DO, action_labels.deed(state)),
        (DetailKind.PROMPT, action_labels.prompt(state)),
        (DetailKind.CHOOSES, choices),
        (DetailKind.TOOLS, action_labels.tools(state)),
        (DetailKind.INTO, action_labels.goal(state)),
        (DetailKind.WITH, f"on_failure = {on_failure}" if on_failure else ""),
    )
    return tuple(Detail(kind, text) for kind, text in lines if text)


def _bounds(state: State, visits: int | None) -> Compartment:
    lines: list[Detail] = []
    if state.timeout:
        lines.append(Detail(DetailKind.TIMEOUT, str(state.timeout)))
    if state.retry:
        lines.append(Detail(DetailKind.RETRY, _retry(state.retry)))
    if visits is not None:
        lines.append(Detail(DetailKind.LIMIT, f"{visits} visits"))
    return tuple(lines)


def _retry(retry: Retry) -> str:
    longest = f" up to {retry.max}" if retry.max else ""
    only = f", on {', '.join(retry.on)}" if retry.on else ""
    return f"{retry.attempts} attempts, {retry.backoff} doubling{longest}{only}"


def _question(ask: Ask | None) -> Compartment:
    if ask is None:
        return ()
    to = (Detail(DetailKind.TO, ask.to),) if ask.to else ()
    return (Detail(DetailKind.ASK, ask.prompt), Detail(DetailKind.ANSWERS, ", ".join(ask.events)), *to)


def _output(output: Mapping[str, Json]) -> Compartment:
    return tuple(Detail(DetailKind.OUTPUT, f"{name} = {_value(value)}") for name, value in output.items())
