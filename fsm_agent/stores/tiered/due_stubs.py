"""Those in cold who are due: warm has stubs of them, which nobody can take, and so they are brought back first."""

from __future__ import annotations

from collections.abc import Callable

from fsm_agent.domain.agent import Head
from fsm_agent.errors import AgentNotFound, StoreCorrupt, StoreUnavailable
from fsm_agent.stores.base import Store
from fsm_agent.stores.tiered.transfer import Moves, is_stub


async def recall_due(moves: Moves, warm: Store, limit: int, is_wanted: Callable[[Head], bool]) -> None:
    """Bring back whoever is in cold of the longest due who are wanted, at most ``limit``. Who cannot be brought back
    keeps nobody else from its turn; while cold cannot be reached, there are those in warm."""
    now_ms, passed, wanted, is_more = await warm.now(), 0, 0, limit > 0
    while is_more and wanted < limit:
        due = await warm.due(now_ms, passed + limit)
        heads = {head.id: head for head in await warm.heads(due[passed:])}
        for head in (heads[agent_id] for agent_id in due[passed:] if agent_id in heads):
            if not is_wanted(head):
                continue
            try:
                wanted += not is_stub(head) or await moves.recall(head.id)
            except (StoreCorrupt, AgentNotFound) as error:
                moves.complain("recall", head.id, error)
            except StoreUnavailable as error:
                moves.complain("recall", head.id, error)
                return
        is_more, passed = len(due) == passed + limit, len(due)
