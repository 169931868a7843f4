"""Namespaces are tenants: equal ids and keys in two of them have nothing to do with each other, whatever the verb."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import pytest

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.effect import Settlement
from fsm_agent.domain.message import Message, Role, own_thread
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import AppendedMessages, Origin, Snapshot
from fsm_agent.domain.selection import Selection
from fsm_agent.domain.step import Delta
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import AgentNotFound
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import (
    ID,
    LEASE,
    PING,
    REFUND,
    Bench,
    a_commit,
    a_creation,
    a_head,
    an_effect,
    in_loop,
    keep_definitions,
)

Verb: TypeAlias = Callable[[Store], Awaitable[Any]]

#: of verbs that no namespace bounds: definitions go by their hash
_BOUNDLESS: Final = {"from_url", "now", "save_workflow", "load_workflow", "close"}
#: of verbs that make an agent or look for some, and of those that know no agent
_OF_MANY: Final = {"create", "adopt", "find_key", "due", "held_here"}
_OF_THREADS: Final = {"messages", "append", "revise", "retract", "threads", "user", "users", "save_user"}
_KEY: Final = "paid"
SPEECH: Final = Message(Role.USER, "?", at_ms=NEW_YEAR_MS)


async def settle(store: Store, mark: str) -> None:
    """Agents of all sorts, the same in every namespace but for ``mark``."""
    await keep_definitions(store)
    await store.create(a_creation(delta=Delta({"of": mark, "log": []}))._replace(key="start", fingerprint=mark))
    step = a_commit(2, delta=Delta(append={"log": [mark]}), snapshot=Snapshot(2, {"of": mark, "log": []}, {"log": 1}))
    said = (
        AppendedMessages(own_thread(ID), (SPEECH._replace(content=mark),)),
        AppendedMessages("room", (SPEECH._replace(content=mark),)),
    )
    user = UserRecord("ana", 1, {"of": mark}, NEW_YEAR_MS)
    await store.commit(step._replace(key=_KEY, fingerprint=mark, lease=LEASE, said=said, user=user))
    await store.enqueue(ID, 2, PING._replace(payload={"of": mark}), mark)
    await store.begin_effect(ID, an_effect(fingerprint=mark))
    await store.create(a_creation(f"only-{mark}", status=Status.RUNNING))
    asleep: dict[str, Any] = {"timers": (ArmedTimer("open", "1h", NEW_YEAR_MS + 5),), "labels": {"of": mark}}
    await store.create(a_creation("asleep", output=mark, asked=Asked("?", (mark,)), **asleep))
    await store.shorten(await store.head("asleep"), Origin(a_head("asleep"), {"of": mark}))


async def everything(store: Store) -> Mapping[str, Any]:
    """All that a store tells of its namespace."""
    ids = [head.id for head in (await store.list()).heads]
    return {
        "ids": ids,
        "running": await store.list(status=Status.RUNNING),
        "orders": await store.list(workflow="order"),
        "due": sorted(await store.due(LEASE.until_ms, 99)),
        "held": {head.id: head for head in await store.held_here(LEASE.holder.host)},
        "asking": [await store.questions(), await store.count_questions()],
        "newest": await store.select(Selection(), newest=True),
        "labelled": await store.select(Selection(label=("of", None))),
        "counted": list(await store.tally()),
        "lapsed": {head.id: head for head in await store.lapsed(LEASE.until_ms, 99)},
        "starts": [await store.find_key(key) for key in ("start", _KEY, "other")],
        "threads": {name: list(await store.messages(name)) for name in await store.threads()},
        "own": list(await store.messages(own_thread(ID))),
        "user": await store.user("ana"),
        "users": list(await store.users()),
        "agents": {agent_id: await _all_of_one(store, agent_id) for agent_id in ids},
    }


async def _all_of_one(store: Store, agent_id: str) -> tuple[Any, ...]:
    return (
        await store.head(agent_id),
        await store.load(agent_id, key=_KEY),
        list(await store.history(agent_id)),
        list(await store.effects(agent_id)),
        await store.origin(agent_id),
        await store.size(agent_id),
        await store.dump(agent_id),
    )


async def _claim(store: Store) -> None:
    await store.claim(ID, await store.head(ID), LEASE)


async def _shorten(store: Store) -> None:
    await store.shorten(await store.head(ID), Origin(a_head(ID, 1), {"of": "?", "log": []}))


async def _delete(store: Store) -> None:
    await store.delete(await store.head(ID))


async def _adopt(store: Store) -> None:
    export = await store.dump(ID)
    await store.adopt(export._replace(head=export.head._replace(id="adopted"), start=("other", "")))
    await store.adopt(export._replace(effects=()), replaces=export.head)


_SETTLED: Final = Settlement(an_effect().key, was_done=True, result=7)
#: a step that touches all that a step can touch
_STEP: Final = a_commit(
    3, head={"workflow": REFUND, "epoch": 1}, epoch=None, dequeue=1, key="other", settlement=_SETTLED
)
_ENDED: Final = an_effect(ended_ms=NEW_YEAR_MS + 1, result=7)

#: verbs that change something, each with what it is tried with
CHANGES: Final[Mapping[str, Verb]] = {
    "create": lambda store: store.create(a_creation("new", status=Status.RUNNING, lease=LEASE)._replace(key="other")),
    "commit": lambda store: store.commit(_STEP._replace(repins=True, snapshot=Snapshot(3, {"of": "?", "log": []}))),
    "enqueue": lambda store: store.enqueue(ID, None, PING._replace(key="other")),
    "claim": _claim,
    "renew": lambda store: store.renew(ID, 1, LEASE._replace(until_ms=LEASE.until_ms + 1)),
    "release": lambda store: store.release(ID, 1),
    "record_attempt": lambda store: store.record_attempt(ID, 1, attempts=2, retry_ms=NEW_YEAR_MS),
    "begin_effect": lambda store: store.begin_effect(ID, an_effect("refund")),
    "end_effect": lambda store: store.end_effect(ID, _ENDED),
    "shorten": _shorten,
    "delete": _delete,
    "adopt": _adopt,
    "append": lambda store: store.append("room", [SPEECH]),
    "revise": lambda store: store.revise("room", [SPEECH._replace(number=1)]),
    "retract": lambda store: store.retract("room"),
    "save_user": lambda store: store.save_user(UserRecord("ana", 2, {"of": "?"}, NEW_YEAR_MS)),
}
#: verbs that ``everything`` reads with
LOOKS: Final = {
    "find_key", "load", "head", "effects", "due", "held_here", "history", "origin", "size", "dump",
    "messages", "threads", "user", "users",
}  # fmt: skip
#: what is said of one agent by id
OF_ONE: Final[Mapping[str, Verb]] = {
    "load": lambda store: store.load(ID, key=_KEY),
    "head": lambda store: store.head(ID),
    "commit": lambda store: store.commit(a_commit(3)),
    "enqueue": lambda store: store.enqueue(ID, None, PING),
    "claim": lambda store: store.claim(ID, a_head(ID, 2, epoch=1, lease=LEASE), LEASE),
    "renew": lambda store: store.renew(ID, 1, LEASE),
    "release": lambda store: store.release(ID, 1),
    "record_attempt": lambda store: store.record_attempt(ID, 1, attempts=2, retry_ms=None),
    "begin_effect": lambda store: store.begin_effect(ID, an_effect()),
    "end_effect": lambda store: store.end_effect(ID, _ENDED),
    "effects": lambda store: store.effects(ID),
    "history": lambda store: store.history(ID),
    "origin": lambda store: store.origin(ID),
    "shorten": lambda store: store.shorten(a_head(ID, 2, epoch=1, lease=LEASE), Origin(a_head(ID, 1), {})),
    "delete": lambda store: store.delete(a_head(ID, 2, epoch=1, lease=LEASE)),
    "size": lambda store: store.size(ID),
    "dump": lambda store: store.dump(ID),
}


class NamespacesContract(Bench):
    def test_every_verb_is_held_against_another_namespace(self) -> None:
        verbs = {*Store.__abstractmethods__} - _BOUNDLESS
        assert verbs == {*CHANGES, *LOOKS}
        assert verbs == {*OF_ONE, *_OF_MANY, *_OF_THREADS}

    @in_loop
    async def test_what_another_namespace_keeps_is_not_seen(
        self, store: Store, open_again: Callable[..., Store]
    ) -> None:
        other = open_again("other")
        await settle(store, "here")
        before = await everything(store)
        await settle(other, "away")
        assert await everything(store) == before
        assert (await everything(other))["ids"] == [ID, "asleep", "only-away"]
        assert await other.find_key("start") == (ID, "away")

    @pytest.mark.parametrize("verb", CHANGES)
    @in_loop
    async def test_what_is_done_in_one_namespace_changes_nothing_in_another(
        self, store: Store, open_again: Callable[..., Store], verb: str
    ) -> None:
        other = open_again("other")
        await settle(store, "here")
        await settle(other, "away")
        for mine, theirs in ((store, other), (other, store)):
            my_own, before = await everything(mine), await everything(theirs)
            await CHANGES[verb](mine)
            assert await everything(theirs) == before
            assert await everything(mine) != my_own, "the verb did nothing: this proves nothing"

    @pytest.mark.parametrize("verb", OF_ONE)
    @pytest.mark.parametrize("settled", ["default", "other"])
    @in_loop
    async def test_an_agent_of_another_namespace_is_unknown(
        self, store: Store, open_again: Callable[..., Store], settled: str, verb: str
    ) -> None:
        other = open_again("other")
        home, stranger = (store, other) if settled == "default" else (other, store)
        await settle(home, "home")
        await keep_definitions(stranger)
        before = await everything(home)
        with pytest.raises(AgentNotFound, match=f"'{ID}' in namespace '{stranger.namespace}'"):
            await OF_ONE[verb](stranger)
        assert await everything(home) == before
        assert (await stranger.list()).heads == ()

    @in_loop
    async def test_names_that_resemble_each_other_are_different(self, open_again: Callable[..., Store]) -> None:
        names = ("a", "A", "a.b", "a-b", "a_b", "default", "Default", "0", "a.b.c", "b")
        stores = {name: open_again(name) for name in names}
        for name, store in stores.items():
            await keep_definitions(store)
            for agent_id in ("c", "b.c", "b", "a"):
                key = f"{agent_id}.start"
                await store.create(a_creation(agent_id, output=name)._replace(key=key, fingerprint=name))
        for name, store in stores.items():
            heads = (await store.list()).heads
            assert [(head.id, head.output) for head in heads] == [(each, name) for each in ("a", "b", "b.c", "c")]
            assert [await store.find_key(key) for key in ("b.start", "b.c.start")] == [("b", name), ("b.c", name)]
