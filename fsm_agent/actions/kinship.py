"""What an action needs that has children; ``fsm_agent.kin`` does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

from fsm_agent.agent import Head
from fsm_agent.jsontypes import Json
from fsm_agent.workflow import Workflow

#: the effect whose result is what children are started for, item by item
CHILDREN: Final = "children"


class Order(NamedTuple):
    """What a child is started with."""

    workflow: Workflow
    event: str
    payload: Mapping[str, Json]
    data: Mapping[str, Json]
    user: str | None = None


class Kinship(Protocol):
    """``head`` is the parent's, as its action sees it."""

    async def begin(self, head: Head) -> None:
        """Note that the agent is going to have children, so that they are cancelled when it goes on without them."""

    async def start(self, head: Head, number: int, order: Order) -> Head:
        """The child of that number, which is started if it is not there yet; not driven."""

    async def drive(self, child: Head) -> Head:
        """The child as it stands when it can be driven no further here."""

    async def cancel(self, head: Head, count: int) -> list[Head]:
        """Cancel those of ``count`` children that have not ended; all that are there, as they stand then."""
