"""Checks of agents against the definitions that they are pinned to, for ``doctor``. A problem of a definition is
reported once, however many agents are pinned to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fsm_agent.domain.agent import Head
from fsm_agent.domain.defect import RESTORE, RESTORE_STORE, Defect, defect_of
from fsm_agent.domain.record import Damage
from fsm_agent.domain.text import some
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.pinned import require_fit
from fsm_agent.errors import AgentDamaged, DefinitionDamaged
from fsm_agent.errors.storage import short_hash
from fsm_agent.runtime.agent_reads import read_workflow
from fsm_agent.stores.base import Store
from fsm_agent.stores.damage import UNPINNED


class Pinning:
    """The definitions of one store; each is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._definitions: dict[str, Workflow | DefinitionDamaged] = {}
        #: unusable agents with readable rows -> hash of the damaged definition, if that is the reason
        self.unfit: dict[str, str | None] = {}
        #: table -> agents whose definition is missing
        self._unpinned: dict[str, list[str]] = {}

    async def of_definition(self, definition: str) -> list[Defect]:
        """Problems of a definition that can be read; ``of_unusable`` reports the others."""
        workflow = await self._read(definition)
        if isinstance(workflow, DefinitionDamaged) or workflow.hash == definition:
            return []
        what = f"its content has the hash {short_hash(workflow.hash)}: it was changed"
        return [Defect(None, f"definition {short_hash(definition)}", what, RESTORE_STORE)]

    async def of_agent(self, head: Head) -> list[Defect] | None:
        """Problems that make an agent unusable under its definition; ``None`` if it is usable."""
        workflow = await self._read(head.definition)
        if isinstance(workflow, DefinitionDamaged):
            self.unfit[head.id] = head.definition
            return []
        try:
            require_fit(workflow, head)
        except AgentDamaged as error:
            self.unfit[head.id] = None
            return [Defect(head.id, error.place, error.what, RESTORE)]
        self.unfit.pop(head.id, None)
        return None

    def of_damaged(self, damaged: Sequence[Damage]) -> Iterator[Defect]:
        """Problems of agents that lists leave out. ``of_unusable`` reports those whose definition is missing."""
        for damage in damaged:
            if damage.what == UNPINNED:
                self._unpinned.setdefault(damage.place, []).append(damage.agent_id)
            else:
                yield defect_of(damage)

    def of_unusable(self) -> Iterator[Defect]:
        """Definitions that are damaged or missing, with the number of agents that are pinned to them."""
        concerned = Counter(self.unfit.values())
        for definition, error in self._definitions.items():
            if isinstance(error, DefinitionDamaged):
                count = concerned[definition]
                agents = f"{count} agent{' is' if count == 1 else 's are'} pinned to it"
                yield Defect(None, error.thing, f"{error.what} (in {error.place}); {agents}", RESTORE_STORE)
        for place, agent_ids in self._unpinned.items():
            if len(agent_ids) == 1:
                yield Defect(agent_ids[0], place, UNPINNED, RESTORE)
            else:
                what = f"the definitions of {len(agent_ids)} agents are not kept any more: {some(agent_ids)}"
                yield Defect(None, place, what, RESTORE_STORE)

    async def _read(self, definition: str) -> Workflow | DefinitionDamaged:
        if definition not in self._definitions:
            try:
                self._definitions[definition] = await read_workflow(self._store, definition)
            except DefinitionDamaged as error:
                self._definitions[definition] = error
        return self._definitions[definition]
