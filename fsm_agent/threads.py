"""Threads outside of any agent: what other programs say and read in the same conversations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fsm_agent.errors import Refused
from fsm_agent.jsontypes import Json
from fsm_agent.memory.conversation import said
from fsm_agent.memory.counting import estimate
from fsm_agent.memory.formats import from_openai, to_openai
from fsm_agent.message import THREAD_NAME, THREAD_RULE, Message, Role, is_own, own_thread, owner_of
from fsm_agent.sealing import refuse_sealed
from fsm_agent.stores.base import Store

#: how often the newest message is looked for again when somebody else has just taken it
_PATIENCE: Final = 100


class Thread:
    """A thread of ``store`` by its name. That of an agent can be read, and only the agent adds to it."""

    def __init__(self, store: Store, name: str) -> None:
        if not is_own(name) and THREAD_NAME.fullmatch(name) is None:
            raise Refused(f"there can be no thread {name!r}: {THREAD_RULE}")
        self._store = store
        self.name: Final = name

    @classmethod
    def of_agent(cls, store: Store, agent_id: str) -> Thread:
        """The thread that is an agent's own."""
        return cls(store, own_thread(agent_id))

    async def messages(self, *, last: int | None = None) -> list[Message]:
        """All messages that are kept, or the last ones, in order. Raises ``KeyMissing`` for what is sealed."""
        kept = list(await self._store.messages(self.name, limit=last, newest=last is not None))
        for message in kept:
            for part in message.parts:
                refuse_sealed(part)
        return kept

    async def append(
        self,
        role: Role | str,
        content: str = "",
        *,
        parts: Iterable[Mapping[str, Json]] = (),
        by: str | None = None,
    ) -> int:
        """Say something; returns the number of the message. Raises ``ActionError`` for what is no message."""
        return await self.add([said(role, content, parts=parts, by=by)])

    async def add(self, messages: Sequence[Message]) -> int:
        """Add messages as they are, all of them or none; returns the number of the last, 0 if there are none."""
        self._refuse_own()
        if not messages:
            return 0
        now_ms = await self._store.now()
        return await self._store.append(self.name, [_dated(message, now_ms) for message in messages])

    async def pop(self) -> Message | None:
        """Take the newest message back, and return it; of several who do that at once each gets another one."""
        self._refuse_own()
        for _ in range(_PATIENCE):
            newest = await self.messages(last=1)
            if not newest:
                return None
            number = newest[0].number
            if await self._store.retract(self.name, after=number - 1, upto=number):
                return newest[0]
        raise Refused(f"thread {self.name!r} is emptied faster than it can be read; try again")

    async def clear(self) -> int:
        """Take all messages back; returns how many there were. Their numbers are not used again."""
        self._refuse_own()
        return await self._store.retract(self.name)

    async def exported(self) -> list[dict[str, Json]]:
        """The messages as chat completions write them; ``imported`` reads them as they were."""
        return to_openai(await self.messages())

    async def imported(self, items: Sequence[Json]) -> int:
        """Add messages that are written so; returns how many. Raises ``MessagesInvalid`` with every mistake, and then
        nothing is added."""
        messages = from_openai(items)
        await self.add(messages)
        return len(messages)

    def _refuse_own(self) -> None:
        if is_own(self.name):
            raise Refused(f"the conversation of agent {owner_of(self.name)!r} is its own: only its actions add to it")


def _dated(message: Message, now_ms: int) -> Message:
    """With its time and its tokens, where it has none."""
    dated = message._replace(at_ms=message.at_ms or now_ms, number=0)
    return dated if dated.tokens else dated._replace(tokens=estimate(dated))
