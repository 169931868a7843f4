"""The words by which a workflow declares what its agents remember, and how their work is going."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.domain.state import compact

#: What becomes of a conversation that outgrows its window: the oldest go, all but the first and the last go, or the
#: oldest become a summary.
Strategy: TypeAlias = Literal["drop_oldest", "keep_ends", "summarise"]


class ConversationPolicy(NamedTuple):
    """``conversation:`` of a workflow: which thread it is, and how much of it a model is shown."""

    #: CEL; the name of a thread that is shared. Without it, the agent's own
    thread: str | None = None
    max_tokens: int = 8_000
    strategy: Strategy = "drop_oldest"
    #: how many messages (groups of a call with its results count as one) ``keep_ends`` keeps at the beginning
    keep_first: int = 1
    #: the model that writes summaries; without it, the one that the agent asks
    model: str | None = None

    def to_json(self) -> dict[str, Json]:
        return compact(
            thread=self.thread,
            max_tokens=self.max_tokens,
            strategy=self.strategy,
            keep_first=self.keep_first,
            model=self.model,
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> "ConversationPolicy":
        return cls(**document)


PLAIN_RECALL: Final = ConversationPolicy()


class ProgressRule(NamedTuple):
    """``progress:`` of a workflow: CEL over the data. ``done`` and ``remaining`` are lists of steps, or their
    number."""

    goal: str | None = None
    done: str | None = None
    remaining: str | None = None
    current: str | None = None

    def to_json(self) -> dict[str, Json]:
        return compact(goal=self.goal, done=self.done, remaining=self.remaining, current=self.current)

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> "ProgressRule":
        return cls(**document)


NO_PROGRESS: Final = ProgressRule()
