"""The loaded state of one agent, and the steps that can be made from it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fsm_agent.data.data import Data, View
from fsm_agent.data.delta import Folded
from fsm_agent.data.limit import UNWEIGHED
from fsm_agent.domain.agent import Head
from fsm_agent.domain.decision import EvaluationContext
from fsm_agent.domain.lease import Lease
from fsm_agent.domain.record import AppendedMessages
from fsm_agent.domain.step import Event, Queued, Step
from fsm_agent.domain.user import UserRecord

if TYPE_CHECKING:
    from fsm_agent.engine.program import Program


class Aggregate:
    """One agent between two steps. ``now_ms`` is the latest time that the engine knows."""

    __slots__ = ("data_bytes", "folded", "head", "is_idle", "lease", "missing", "now_ms", "program", "queue")

    def __init__(self, program: Program, head: Head, folded: Folded, now_ms: int, queue: Iterable[Queued] = ()) -> None:
        self.program = program
        self.head = head
        self.folded = folded
        self.now_ms = now_ms
        self.queue = deque(queue)
        #: the lease that this process holds under ``head.epoch``, if it does
        self.lease: Lease | None = None
        #: what the data weigh at most
        self.data_bytes = UNWEIGHED
        #: nothing is to be done here before some time has passed
        self.is_idle = False
        #: why its action cannot be called here, where that is left to others
        self.missing: str | None = None

    def draft(self) -> Data:
        return self.program.data_type(self.folded.values)

    def context(self, event: Event | None = None, data: Data | None = None) -> EvaluationContext:
        """What expressions see: the data, or a draft of it, and the event."""
        return EvaluationContext(self.folded.values if data is None else View(data), event, self.head.visits)


class PendingStep(NamedTuple):
    """A step that may be committed, and the head as it would be then."""

    head: Head
    step: Step
    #: what is added to threads with it
    appended: tuple[AppendedMessages, ...] = ()
    #: what is remembered of the user from it on
    user: UserRecord | None = None
