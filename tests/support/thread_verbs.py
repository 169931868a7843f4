"""A call of every verb of the store that handles threads and users."""

from __future__ import annotations

from typing import Final

from fsm_agent.domain.message import Message, Role, ThreadSpans, own_thread
from fsm_agent.domain.record import AppendedMessages
from fsm_agent.domain.user import UserRecord
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import ID, a_commit

ROOM: Final = "room"
HELLO: Final = Message(Role.USER, "hello", ({"type": "x"},), 1, NEW_YEAR_MS, "ana")


async def use_every_thread_verb(store: Store, version: int, *, epoch: int) -> None:
    """Every verb of threads and users; agent ``ID`` takes the step to ``version`` and one more."""
    said = (AppendedMessages(ROOM, (HELLO, HELLO)), AppendedMessages(own_thread(ID), (HELLO,)))
    in_thread = {"talk": ThreadSpans(last=1)}
    await store.commit(a_commit(version, epoch=epoch, head=in_thread, said=said, user=UserRecord("ana", 1, {"n": 1})))
    await store.commit(a_commit(version + 1, epoch=epoch, head=in_thread, user=UserRecord("ana", 2, {"n": 2})))
    await store.append(ROOM, [HELLO])
    for newest in (True, False):
        await store.messages(ROOM, after=1, limit=2, newest=newest)
    await store.revise(ROOM, [HELLO._replace(number=2)])
    await store.retract(ROOM, after=1, upto=2)
    await store.threads(after="a", limit=1)
    await store.users(after="a", limit=1)
    await store.user("ana")
    await store.save_user(UserRecord("bob", 1))
    await store.save_user(UserRecord("bob", 2))
