"""The programs of the workflows that one runner has to do with: each definition is read, compiled and stored once."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fsm_agent.actions.registry import Actions
from fsm_agent.data.limit import DataLimit
from fsm_agent.errors import ActionError, DataModelMissing
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.domain.workflow import Workflow
    from fsm_agent.engine.program import Program

logger = logging.getLogger("fsm_agent")


class Programs:
    """See the module."""

    def __init__(self, store: Store, actions: Actions, data_limit: DataLimit) -> None:
        self._store = store
        self._actions = actions
        self._data_limit = data_limit
        #: hash of a definition -> its program, of those that were compiled already
        self.compiled: Final[dict[str, Program]] = {}
        self._workflows: dict[str, Workflow] = {}
        #: hashes of definitions whose agents are driven without the class of their data
        self._without_class: set[str] = set()
        #: hashes of definitions that are surely stored
        self._saved: set[str] = set()

    def program(self, workflow: Workflow) -> Program:
        """The program of a workflow for new agents, whether it is stored or not. Raises ``ActionError`` if the class of
        its data cannot be found."""
        if workflow.hash not in self.compiled or workflow.hash in self._without_class:
            self.compiled[workflow.hash] = self._compile(workflow, self._model(workflow))
            self._without_class.discard(workflow.hash)
        return self.compiled[workflow.hash]

    async def save(self, workflow: Workflow) -> Program:
        """Store a workflow, and return its program."""
        program = self.program(workflow)
        if workflow.hash not in self._saved:
            await self._store.save_workflow(workflow.hash, workflow.to_json())
            self._saved.add(workflow.hash)
        return program

    def _compile(self, workflow: Workflow, model: Any, note: str | None = None) -> Program:
        """The program of a workflow. ``model`` is the class of its data; if that is missing, ``note`` says why."""
        from fsm_agent.engine.program import Program, model_changed, model_rule

        build = partial(Program, workflow, signature=self._actions.signature, data_limit=self._data_limit)
        if not workflow.model:
            return build()
        if model is not None:
            return build(model=model_rule(model.model_validate))
        note = note or model_changed(workflow)
        logger.warning("%s", note, extra={"action": "model_changed", "workflow": workflow.name})
        return build(model_note=note)

    def _compile_stored(self, workflow: Workflow) -> Program:
        """The program of existing agents. If the class of their data is missing, only the stored schema is checked."""
        from fsm_agent.engine.program import model_missing

        try:
            return self._compile(workflow, self._model(workflow))
        except ActionError as error:
            self._without_class.add(workflow.hash)
            return self._compile(workflow, None, model_missing(workflow, error))

    def _model(self, workflow: Workflow) -> Any:
        """The class of a workflow's data; ``None`` if the workflow names none, or if the class has changed since the
        definition was stored. Raises ``ActionError``."""
        if not workflow.model:
            return None
        from fsm_agent.dialect.pydantic_models import declares

        try:
            model = workflow.model_class or self._actions.model(workflow.model or "")
        except DataModelMissing:
            return None
        return model if not workflow.data or declares(model, workflow.data) else None

    async def read(self, definition: str) -> Program:
        """The program of a stored definition, which is read and compiled once."""
        if definition not in self.compiled:
            self.compiled[definition] = self._compile_stored(await self.workflow(definition))
        return self.compiled[definition]

    async def workflow(self, definition: str) -> Workflow:
        """A stored definition, which is read once."""
        if definition not in self._workflows:
            from fsm_agent.runtime.agent_reads import read_workflow

            self._workflows[definition] = await read_workflow(self._store, definition)
        return self._workflows[definition]
