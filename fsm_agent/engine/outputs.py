"""What an attempt leaves besides what it changes in the data: messages, what is to be remembered of the user, usage.

The attempt writes it down here; the step that its event takes commits it, or nothing does. Usage alone counts in any
case: a failed attempt has cost what it has cost. What is on record an attempt hears again, and it counts once.
"""

from __future__ import annotations

from fsm_agent.data.data import Data
from fsm_agent.domain.message import Message
from fsm_agent.domain.usage import NO_USAGE, Usage
from fsm_agent.domain.user import UserRecord


class AttemptOutputs:
    """Of one attempt. ``record`` is the user as was read before it, and ``user`` a draft of what the workflow declares
    of them; ``counted`` is how many requests of this activation were counted by steps before: the first ones that are
    heard."""

    __slots__ = ("counted", "heard", "is_joined", "record", "remark", "said", "usage", "user")

    def __init__(self, *, counted: int = 0, record: UserRecord | None = None, user: Data | None = None) -> None:
        #: thread -> what is to be added to it, in order
        self.said: dict[str, list[Message]] = {}
        self.usage: Usage = NO_USAGE
        self.counted = counted
        #: how many were heard by now
        self.heard = 0
        self.record = record
        self.user = user
        #: there are no children of this activation who have not ended
        self.is_joined = False
        #: what is to be said of the step, besides its event
        self.remark = ""

    @property
    def is_blank(self) -> bool:
        """Whether nothing was left, so that the step is as it is."""
        return not self.said and self.usage is NO_USAGE and self.user is None

    def pending(self, thread: str) -> list[Message]:
        """What has been said in a thread so far, to be added to."""
        return self.said.setdefault(thread, [])

    def spend(self, usage: Usage) -> None:
        """What a reply has cost, made now or on record; or, without a request, what became of the last one."""
        self.heard += usage.requests
        if self.heard > self.counted:
            self.usage = self.usage.plus(usage)
