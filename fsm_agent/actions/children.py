"""What an action with children can do; ``fsm_agent.runtime.children`` implements it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fsm_agent.domain.agent import Head
from fsm_agent.domain.json import Json

if TYPE_CHECKING:
    from fsm_agent.domain.workflow import Workflow


class ChildSpec(NamedTuple):
    """How a child is started."""

    workflow: "Workflow"
    event: str
    payload: Mapping[str, Json]
    data: Mapping[str, Json]
    user: str | None = None


class ChildAgents(Protocol):
    """The children of one parent. ``head`` is the parent's head, as its action sees it; ``stays`` says whether to wait
    for a child that backs off."""

    async def read(self, head: Head, count: int, *, gap: int | None = None) -> Sequence[Head | None]:
        """The first ``count`` children, as they are now; ``None`` for a child that is not started. With ``gap``, ended
        children are as they were when they ended, and reading stops after so many that are not started."""

    async def start(self, head: Head, number: int, spec: ChildSpec, *, stays: bool) -> Head:
        """Start the child of that number, and drive it as far as it can go. Raises ``Refused`` if it cannot start."""

    async def drive(self, child: Head, *, stays: bool) -> Head:
        """Drive a child that was started before, as far as it can go here."""

    async def cancel(self, child: Head) -> None:
        """Cancel a child as its workflow declares, unless its workflow refuses."""
