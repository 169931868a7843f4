"""Whether a history is whole and adds up to what the store says of its agent: fold(history) = head. Pure.

What a later step has overwritten leaves no trace to compare with, unless a rewind brought it back: a step is held
against the table of its definition, a rewind against the version that it names, the end against head and data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fsm_agent.data.delta import fold, own
from fsm_agent.data.erased import ERASED
from fsm_agent.data.sealed import MARK
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import Record
from fsm_agent.domain.replay import Mismatch
from fsm_agent.domain.step import Step, iso
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import lineage
from fsm_agent.engine.replay.fold import Replay, owned
from fsm_agent.engine.replay.head_text import part_in_words, state_in_words, value_in_words
from fsm_agent.engine.replay.history import Past
from fsm_agent.engine.replay.restore import alike, parts_of
from fsm_agent.errors.storage import why_untold

#: The parts of a head that its history tells, and what they are called. See ``replay`` for those that it does not.
REPLAYED: Final[Mapping[str, str]] = {
    "definition": "definition",
    "workflow": "workflow",
    "workflow_version": "workflow version",
    "state": "state",
    "status": "status",
    "version": "version",
    "created_ms": "time of creation",
    "updated_ms": "time of the last step",
    "visits": "visits",
    "timers": "timers",
    "asked": "question",
    "activation": "activation",
    "output": "output",
    "problem": "error",
    "rewound": "version of the last rewind",
    "talk": "messages",
    "usage": "usage of models",
    "progress": "progress",
}
#: What cannot be told where steps do not say what they entered.
_GUESSED: Final = frozenset({"visits", "timers"})


@dataclass(frozen=True, slots=True)
class Verification:
    """The result. ``is_guessed`` says that an earlier version of the package wrote the beginning, so that visits and
    timers were not compared."""

    mismatches: Sequence[Mismatch]
    is_guessed: bool = False


def verify(past: Past) -> Verification:
    """Everything that does not add up, in order of version."""
    audit = _Audit(past)
    return Verification(list(audit.run()), audit.replay.is_guessed)


class _Audit:
    def __init__(self, past: Past) -> None:
        self._past = past
        self.replay: Replay = past.beginning()
        #: what rewinds go back to, as it was
        self._then: dict[int, tuple[Head, Mapping[str, Json]]] = {}
        self._named = {step.payload.get("version") for step in past.steps if step.kind is StepKind.REWOUND}
        if past.origin:
            self._then[past.first] = past.origin.head, past.origin.values

    def run(self) -> Iterator[Mismatch]:
        previous = self._past.origin.head.version if self._past.origin else 0
        for step in self._past.steps:
            if step.version != previous + 1:
                yield Mismatch(step.version, f"it follows version {previous}, and no version may be missing or double")
            previous = step.version
            try:
                yield from self._step(step)
            except Exception as error:  # whatever a damaged row makes go wrong
                what = f"it cannot have happened as it is told, and nothing after it: {why_untold(error)}"
                yield Mismatch(step.version, what)
                return
        yield from self._end(previous)

    def _step(self, step: Step) -> Iterator[Mismatch]:
        source = self.replay.head.state or None
        if step.source != source:
            left, was_in = state_in_words(step.source), state_in_words(source)
            yield Mismatch(step.version, f"it leads away from {left}, and the agent was in {was_in}")
        if step.at_ms < self.replay.head.updated_ms:
            was = iso(self.replay.head.updated_ms)
            yield Mismatch(step.version, f"its time is {iso(step.at_ms)}, and the step before it was taken at {was}")
        if (step.source is None) is not step.kind.facts.begins:
            yield Mismatch(step.version, f"it is of kind {step.kind}, and comes from {state_in_words(step.source)}")
        if not _may_follow(self.replay.head.status, step):
            yield Mismatch(step.version, f"it is of kind {step.kind}, and the agent was {self.replay.head.status}")
        is_declared = self._is_declared(step)
        self.replay.take(step)
        if not is_declared:
            yield Mismatch(step.version, f"no transition of {step.source!r} for {step.event!r} leads to {_way(step)}")
        if step.kind is StepKind.REWOUND:
            yield from self._rewind(step)
        if step.version in self._named:
            self._then[step.version] = self.replay.head, own(dict(self.replay.values))

    def _is_declared(self, step: Step) -> bool:
        """Whether the table has this way. Which timer fired is found out elsewhere, and so is what steps of another
        kind bring about."""
        program, entered = self.replay.aggregate.program, self.replay.entered(step)
        if step.kind is StepKind.CREATED:
            leaf = program.workflow.leaf(program.workflow.initial).path
            return (step.target, entered) == (leaf, len(lineage(leaf)))
        is_plain = step.kind is StepKind.UNPARKED and not entered and not step.delta
        if is_plain or step.kind.facts.stays:
            return step.source == step.target and not entered and not step.delta
        if step.kind is StepKind.ASKED:
            return step.source == step.target and not entered
        if not step.kind.facts.follows_transition:
            return not entered
        if step.event == "after":
            return True
        moves = program.machine.moves(step.source or "", step.event)
        return any((move.target, len(move.entered)) == (step.target, entered) for move in moves)

    def _rewind(self, step: Step) -> Iterator[Mismatch]:
        """A rewind brings back what was there, as far as that is not forgotten."""
        version = step.payload["version"]
        if not isinstance(version, int) or version >= step.version:
            yield Mismatch(
                step.version, f"it goes back to version {value_in_words(version)}, which was not there before it"
            )
        elif version in self._then:
            head, values = self._then[version]
            said = {name: part for name, part in step.payload.items() if name not in ("version", MARK)}
            if not alike(said, parts_of(head)) or step.target != head.state:
                yield Mismatch(
                    step.version, f"it brings back {value_in_words(said)}, and version {version} was otherwise"
                )
            yield from _fields(step.version, self.replay.values, values, f"was otherwise at version {version}")

    def _end(self, last: int) -> Iterator[Mismatch]:
        record = self._past.record
        if last != record.head.version:
            yield Mismatch(None, f"the history ends at version {last}, and the agent is at {record.head.version}")
            return
        for name, word in REPLAYED.items():
            told, kept = _comparable(self.replay.head, name), _comparable(record.head, name)
            if name == "asked":
                told = _as_kept(told, kept, is_erased=self.replay.is_erased)
            if told != kept and not (self.replay.is_guessed and name in _GUESSED):
                by_history, by_store = part_in_words(name, told), part_in_words(name, kept)
                yield Mismatch(None, f"{word}: the history tells {by_history}, the store says {by_store}")
        yield from _fields(None, self.replay.values, _kept(record), "is otherwise in the store")
        if not self.replay.is_erased:
            yield from self._schema()

    def _schema(self) -> Iterator[Mismatch]:
        """What all changes add up to, against what the definition declares."""
        program, values = self._past.programs[self.replay.head.definition], self.replay.values
        for name in {**program.workflow.data, **values}:
            if name not in program.workflow.data:
                yield Mismatch(None, f"data field {name!r} is not declared by its definition")
            elif name not in values:
                yield Mismatch(None, f"data field {name!r} is declared by its definition, and there is none")
            else:
                for problem in program.data_rules.problems(name, values[name]):
                    yield Mismatch(None, f"the data is not as its definition declares it: {problem}")


def _may_follow(status: Status, step: Step) -> bool:
    """Whether an agent of this status can have taken such a step: one that has ended may only go back or be erased, and
    one that is parked is helped by a person."""
    if status in ENDED:
        return step.kind in (StepKind.REFUSED, StepKind.REWOUND, StepKind.ERASED)
    if status is Status.PARKED:
        return step.kind is not StepKind.PARKED and (step.kind is not StepKind.EVENT or step.event == "cancel")
    return step.kind is not StepKind.UNPARKED


def _kept(record: Record) -> Mapping[str, Json]:
    """The data as every load makes them, of copies."""
    snapshot = record.snapshot and record.snapshot._replace(values=own(dict(record.snapshot.values)))
    return fold(snapshot, (step._replace(delta=owned(step.delta)) for step in record.tail)).values


def _way(step: Step) -> str:
    return f"{step.target!r} by entering {step.entered}" if step.entered else f"{step.target!r} without entering it"


def _comparable(head: Head, name: str) -> Any:
    """A part of a head; of a problem what the history can tell: not why an attempt failed that is made again."""
    part = getattr(head, name)
    if name == "problem" and part is not None:
        return None if head.status is Status.RUNNING else (part.type, part.message)
    return dict(part) if isinstance(part, Mapping) else part


def _as_kept(told: Asked | None, kept: Asked | None, *, is_erased: bool) -> Asked | None:
    """What is told of a question, without an id where none was kept, and without the erased names of those whom it is
    for."""
    if told is None or kept is None:
        return told
    if not kept.id:
        told = told._replace(id=0)
    if not is_erased or len(told.to) != len(kept.to):
        return told
    to = tuple(ERASED if now == ERASED else then for then, now in zip(told.to, kept.to, strict=True))
    return told._replace(to=to)


def _fields(version: int | None, told: Mapping[str, Json], kept: Mapping[str, Json], why: str) -> Iterator[Mismatch]:
    for name in {**told, **kept}:
        if name not in told or name not in kept or not alike(told[name], kept[name]):
            yield Mismatch(version, f"data field {name!r} {why}: the history tells {value_in_words(told.get(name))}")
