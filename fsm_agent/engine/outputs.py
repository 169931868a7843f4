"""The outputs of an attempt besides its changes of the data: messages, changes of the user, usage.

The attempt collects them here. The step that its event makes commits them, or nothing does. Usage counts in any case,
since a failed attempt has its cost too. An attempt that is made again gets the replies that are on record, and their
usage counts once.
"""

from __future__ import annotations

from fsm_agent.data.data import Data
from fsm_agent.domain.message import Message
from fsm_agent.domain.usage import NO_USAGE, Usage
from fsm_agent.domain.user import UserRecord


class AttemptOutputs:
    """The outputs of one attempt. ``record`` is the user as it was read before the attempt, and ``user`` a draft of the
    fields that the workflow declares of the user. ``counted`` is how many requests of this activation earlier steps
    have counted; these are the first replies that the attempt gets."""

    __slots__ = ("counted", "heard", "is_joined", "messages", "record", "remark", "usage", "user")

    def __init__(self, *, counted: int = 0, record: UserRecord | None = None, user: Data | None = None) -> None:
        #: thread -> what is to be added to it, in order
        self.messages: dict[str, list[Message]] = {}
        self.usage: Usage = NO_USAGE
        self.counted = counted
        #: how many replies the attempt has got so far
        self.heard = 0
        self.record = record
        self.user = user
        #: all children of this activation have ended
        self.is_joined = False
        #: the reason that the step records
        self.remark = ""

    @property
    def is_blank(self) -> bool:
        """Whether there are no outputs, so that the step needs no change."""
        return not self.messages and self.usage is NO_USAGE and self.user is None

    def pending(self, thread: str) -> list[Message]:
        """The messages for a thread so far; the caller appends to this list."""
        return self.messages.setdefault(thread, [])

    def spend(self, usage: Usage) -> None:
        """Count the usage of a reply, made now or on record; usage without a request belongs to the last reply."""
        self.heard += usage.requests
        if self.heard > self.counted:
            self.usage = self.usage.plus(usage)
