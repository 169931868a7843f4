"""The reads of a runner, which change nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from fsm_agent.data.arguments import check, check_optional, statuses
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.selection import Selection, Tally
from fsm_agent.domain.step import Step
from fsm_agent.engine.pinned import require_fit
from fsm_agent.runtime.agent_reads import agent_of
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.actions.registry import Actions
    from fsm_agent.domain.replay import Replayed
    from fsm_agent.domain.summary import AgentPage
    from fsm_agent.domain.workflow import Workflow
    from fsm_agent.errors import QuestionClosed
    from fsm_agent.runtime.command_loop import CommandLoop


class Queries:
    """Reads of the agents of one store."""

    store: Store
    actions: Actions
    _loop: CommandLoop

    async def workflow(self, definition: str) -> Workflow:
        """A stored definition by its hash; that of an agent is ``agent.definition``. Raises ``DefinitionDamaged`` if it
        is missing or cannot be read."""
        return await self._loop.programs.workflow(definition)

    async def get(self, agent_id: str, *, at: int | None = None) -> Agent:
        """The agent as it is, or as it was at an earlier version; raises ``VersionMissing``."""
        check(agent_id=agent_id)
        check_optional(at=at)
        if at is None:
            record = await self.store.load(agent_id)
            workflow = await self.workflow(record.head.definition)
            require_fit(workflow, record.head)
            return await agent_of(self.store, record, workflow, signature=self.actions.signature)
        from fsm_agent.runtime.replay import agent_at

        return (await agent_at(self.store, agent_id, at))[0]

    async def list(
        self,
        *,
        status: Status | Collection[Status] = (),
        workflow: str | None = None,
        state: str | None = None,
        user: str | None = None,
        label: str | tuple[str, str | None] | None = None,
        newest: bool = False,
        waiting: bool = False,
        to: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> AgentPage:
        """At most ``limit`` agents (1 to 1000) with their questions, in the order of their ids or the ``newest`` first.

        ``status``, ``workflow``, ``state``, ``user`` (whom they serve) and ``label`` select agents. ``label`` is a
        name, which any text may stand under, or a pair of a name and its text.

        With ``waiting`` only agents that ask a question: the earliest deadline first, then the oldest agent. ``to``
        selects those that ask this person by name, or with an empty text those that ask anybody who comes. Such a list
        takes neither ``newest`` nor ``state``, ``user`` and ``label``.

        ``after`` is the ``next`` of the page before. The list goes on from there whatever has become of the agent that
        it ended with: also if that was answered or deleted meanwhile.
        """
        check(newest=newest, waiting=waiting, limit=limit)
        check_optional(workflow_name=workflow, state=state, user=user, label=label, addressee=to, after=after)
        from fsm_agent.runtime.agent_lists import ListQuery, list_agents

        chosen = (label, None) if isinstance(label, str) else label
        selection = Selection(statuses(status), workflow, state, user, chosen)
        return await list_agents(self.store, ListQuery(selection, newest, waiting, to, limit, after))

    async def count_questions(self, *, to: str | None = None, workflow: str | None = None) -> int:
        """How many agents ask a question; ``to`` and ``workflow`` select as in ``list``."""
        check_optional(addressee=to, workflow_name=workflow)
        return await self.store.count_questions(to=to, workflow=workflow)

    async def tally(self) -> Sequence[Tally]:
        """How many agents there are of each workflow, in each state, with each status. It looks at all agents; whoever
        shows it often keeps it for some seconds."""
        return await self.store.tally()

    async def closed_question(self, agent_id: str, question: int) -> QuestionClosed | None:
        """What has become of a question that is not open any more; ``None`` if it still is."""
        check(agent_id=agent_id, question=question)
        from fsm_agent.engine.answers import require_open
        from fsm_agent.errors import QuestionClosed

        try:
            await self._loop.run(require_open(self._loop.driver(drives=False), agent_id, question))
        except QuestionClosed as closed:
            return closed
        return None

    async def replay(self, agent_id: str, *, to: int | None = None) -> Replayed:
        """Verify the history against the agent, and rebuild the agent at a version, by default the last one."""
        check(agent_id=agent_id)
        check_optional(to=to)
        from fsm_agent.runtime.replay import replay

        return await replay(self.store, agent_id, to)

    async def history(self, agent_id: str) -> Sequence[Step]:
        """All steps, the first one first."""
        check(agent_id=agent_id)
        return await self.store.history(agent_id)

    async def effects(self, agent_id: str) -> Sequence[EffectEntry]:
        """The effects of the agent's actions, in the order of activation, name and use."""
        check(agent_id=agent_id)
        return await self.store.effects(agent_id)
