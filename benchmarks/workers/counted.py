"""A runner that counts what it does for agents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final

from fsm_agent import Runner
from fsm_agent.domain.lease import Claimed
from fsm_agent.engine.commands import Command
from fsm_agent.errors import Conflict
from fsm_agent.runtime.claims import Claims
from fsm_agent.runtime.command_loop import CommandLoop

#: the name under which refused commands are counted; the others have the names of commands
CONFLICTS: Final = "conflicts"


class CountedLoop(CommandLoop):
    """Counts the commands that it performs."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.counts: Counter[str] = Counter()

    async def perform(self, command: Command) -> Any:
        self.counts[type(command).__name__] += 1
        try:
            return await super().perform(command)
        except Conflict:
            self.counts[CONFLICTS] += 1
            raise


class CountedClaims(Claims):
    """Notes which agents are taken."""

    def __init__(self, claims: Claims, taken: list[str]) -> None:
        super().__init__(claims._store, claims._loop)
        self._taken = taken

    async def take(
        self,
        limit: int,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        taken = await super().take(limit, workflows=workflows, without=without)
        self._taken.extend(each.agent_id for each in taken)
        return taken


class CountedRunner(Runner):
    """See the module."""

    loop_type = CountedLoop

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: the agents that were taken, as often as they were
        self.taken: list[str] = []

    @property
    def counts(self) -> Counter[str]:
        loop = self._loop
        assert isinstance(loop, CountedLoop)
        return loop.counts

    @property
    def claims(self) -> Claims:
        return CountedClaims(super().claims, self.taken)
