"""What is kept of an agent's past, read in one go, and any version of it rebuilt."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsm_agent.data.erased import extent_of
from fsm_agent.data.sealed import refuse_sealed
from fsm_agent.domain.record import Origin, Record
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.commands import Command, Load, ReadHistory, ReadOrigin, ReadProgram
from fsm_agent.engine.program import Program
from fsm_agent.engine.replay.erased_program import ErasedProgram
from fsm_agent.engine.replay.fold import Replay
from fsm_agent.errors import HistoryBroken, VersionMissing


@dataclass(frozen=True, slots=True)
class Past:
    """An agent as it stands, and how it came there."""

    record: Record
    #: up to the version of ``record``; of a shortened history those after ``origin``
    steps: Sequence[Step]
    origin: Origin | None
    #: every definition that the agent was ever pinned to, as far as the steps go back
    programs: Mapping[str, Program]

    @property
    def first(self) -> int:
        """The earliest version that can be rebuilt."""
        return self.origin.head.version if self.origin else 1

    @property
    def last(self) -> int:
        return self.record.head.version

    def beginning(self) -> Replay:
        """The agent before the first step that is kept."""
        definition = first_definition(self.record, self.steps, self.origin)
        is_guessed = any(step.kind is StepKind.CREATED and not step.entered for step in self.steps[:1])
        extent, programs = extent_of(self.steps), self.programs
        if extent is not None:
            programs = {each: ErasedProgram(program.workflow, extent) for each, program in programs.items()}
        return Replay(
            self.record.head.id,
            definition,
            programs,
            origin=self.origin,
            is_guessed=is_guessed,
            is_erased=extent is not None,
        )

    def at(self, version: int) -> Aggregate:
        """The agent as it was at a version. Raises ``VersionMissing``, and ``HistoryBroken`` where a step makes no
        sense."""
        agent_id = self.record.head.id
        if not self.first <= version <= self.last:
            raise VersionMissing(agent_id, version, self.first, self.last, is_forgotten=0 < version < self.first)
        told = self.beginning()
        for _ in self.taken_by(told, version):
            pass
        told.aggregate.program = self.programs[told.head.definition]
        return told.aggregate

    def taken_by(self, told: Replay, version: int | None = None) -> Iterator[Step]:
        """Every step that is kept, up to a version or to the last, when the agent of the replay has taken it. Raises
        ``HistoryBroken`` where a step makes no sense."""
        for step in self.steps:
            if version is not None and step.version > version:
                return
            try:
                told.take(step)
            except Exception as error:  # whatever a damaged row makes go wrong
                raise HistoryBroken(self.record.head.id, step.version, error) from error
            yield step


def read_past(agent_id: str) -> Generator[Command, Any, Past]:
    """All that is needed to go back. Others may write meanwhile: what came after the head that was read is not looked
    at, and what was forgotten since is not counted on. Raises ``KeyMissing`` for what is sealed."""
    record: Record = yield Load(agent_id)
    history: Sequence[Step] = yield ReadHistory(agent_id)
    origin: Origin | None = yield ReadOrigin(agent_id)
    forgotten = origin.head.version if origin else 0
    steps = [step for step in history if forgotten < step.version <= record.head.version]
    for said in [*(step.payload for step in steps), *([origin.values] if origin else [])]:
        refuse_sealed(said)
    programs: dict[str, Program] = {}
    for definition in definitions(record, steps, origin):
        programs[definition] = yield ReadProgram(definition)
    return Past(record, steps, origin, programs)


def definitions(record: Record, steps: Sequence[Step], origin: Origin | None) -> set[str]:
    """Every definition that an agent was ever pinned to, as far as the steps go back."""
    return {first_definition(record, steps, origin), *_later_definitions(steps)}


def first_definition(record: Record, steps: Sequence[Step], origin: Origin | None) -> str:
    """What the agent was pinned to in the beginning: what its first change of definition says it left."""
    if origin is not None:
        return origin.head.definition
    if steps and steps[0].kind is StepKind.FORKED:
        forked: str = steps[0].payload["definition"]
        return forked
    left: Iterator[str] = (step.payload["from"] for step in steps if step.kind is StepKind.MIGRATED)
    return next(left, record.head.definition)


def _later_definitions(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.kind is StepKind.MIGRATED:
            yield step.payload["to"]
        elif step.kind is StepKind.REWOUND:
            yield step.payload["definition"]
