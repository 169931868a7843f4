"""The life of an agent of which words are erased, told again: what its definition would make of tombstones. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.data.erased import ERASED, Extent
from fsm_agent.domain.decision import EvaluationContext
from fsm_agent.domain.json import Json
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.question import Asked
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.program import Program
from fsm_agent.errors import DataInvalid, ExpressionFailed

_STUMBLES: Final = (ExpressionFailed, DataInvalid)


class ErasedProgram(Program):
    """A program for looking back. Where all is erased, so is all that it computes; where parts are, what fails on a
    tombstone is one too."""

    def __init__(self, workflow: Workflow, extent: Extent) -> None:
        super().__init__(workflow)
        self._is_whole = extent is Extent.WHOLE

    def entry_values(self, values: Mapping[str, Json], context: EvaluationContext) -> dict[str, Json]:
        if self._is_whole:
            return dict.fromkeys(values, ERASED)
        return {name: self._entry_value(name, value, context) for name, value in values.items()}

    def _entry_value(self, name: str, value: Json, context: EvaluationContext) -> Json:
        try:
            return super().entry_values({name: value}, context)[name]
        except _STUMBLES:
            return ERASED

    def asked(self, state: State, context: EvaluationContext, version: int) -> Asked | None:
        if state.ask is None:
            return None
        if self._is_whole:
            return Asked(ERASED, id=version)
        try:
            return super().asked(state, context, version)
        except _STUMBLES:
            return Asked(ERASED, (ERASED,) if state.ask.to else (), id=version)

    def progress(self, values: Mapping[str, Json], visits: Mapping[str, int]) -> Progress | None:
        return None if self._is_whole else super().progress(values, visits)
