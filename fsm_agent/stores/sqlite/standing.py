"""Where an agent stands, as a unit of work finds it under the write lock."""

from typing import NamedTuple

from fsm_agent.stores import codec
from fsm_agent.stores.sqlite.indexes import Owner


class Standing(NamedTuple):
    """What compare-and-sets compare, and what is the store's own."""

    agent: int
    last_step: int
    #: the number of its definition
    workflow: int
    created_ms: int
    status: int
    version: int
    epoch: int
    queued: int
    numbered: int
    #: see ``due_times``
    due_since_ms: int | None
    #: see ``indexes``
    asks: bytes | None
    lease: codec.LeaseRow

    def owner(self, namespace: str, agent_id: str) -> Owner:
        return Owner(namespace, agent_id, self.created_ms, self.workflow)
