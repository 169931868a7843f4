"""What an action needs that has children; ``fsm_agent.runtime.children`` does it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fsm_agent.domain.agent import Head
from fsm_agent.domain.json import Json

if TYPE_CHECKING:
    from fsm_agent.domain.workflow import Workflow


class ChildSpec(NamedTuple):
    """What a child is started with."""

    workflow: "Workflow"
    event: str
    payload: Mapping[str, Json]
    data: Mapping[str, Json]
    user: str | None = None


class ChildAgents(Protocol):
    """``head`` is the parent's, as its action sees it; ``stays`` says whether to stay with a child that backs off."""

    async def read(self, head: Head, count: int, *, gap: int | None = None) -> Sequence[Head | None]:
        """The first ``count`` children, as they stand; ``None`` where one is not started. With ``gap``, those that have
        ended as they did, and none behind so many that are not started."""

    async def start(self, head: Head, number: int, spec: ChildSpec, *, stays: bool) -> Head:
        """Start the child of that number, and drive it; as it stands when it can be driven no further here. Raises
        ``Refused`` if it cannot begin so."""

    async def drive(self, child: Head, *, stays: bool) -> Head:
        """The same for a child that was started before."""

    async def cancel(self, child: Head) -> None:
        """Cancel a child as its workflow declares, unless that refuses it."""
