"""Agents that are found by question, user, label and age, and a check that an upgraded store finds them."""

from __future__ import annotations

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.question import Asked
from fsm_agent.domain.selection import ANYBODY, Selection
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import a_creation, keep_definitions


async def make_findable_agents(url: str, namespace: str = "default") -> None:
    """Agents that are found by each index, and one whose head will be damaged."""
    due = (ArmedTimer("open", "1h", NEW_YEAR_MS + 5),)
    labels = {"a\0": "b", "c": "d"}
    async with open_store(url, namespace=namespace) as store:
        await keep_definitions(store)
        await store.create(a_creation("anybody", asked=Asked("?"), timers=due, user="zo\0e", labels=labels))
        await store.create(a_creation("one", asked=Asked("?", ("nul \0",)), created_ms=NEW_YEAR_MS + 1))
        await store.create(a_creation("several", asked=Asked("?", ("ana", "bob" * 2_000))))
        await store.create(a_creation("done", asked=Asked("?"), status=Status.DONE, user="u" * 5_000))
        await store.create(a_creation("damaged", asked=Asked("?"), user="ana", created_ms=NEW_YEAR_MS + 2))


async def assert_all_are_found(store: Store) -> None:
    """Each agent is found as its head says, the damaged one is named, and no index is wrong."""
    assert [head.id for head in (await store.questions()).heads] == ["anybody", "several", "one"]
    for to, ids in ((ANYBODY, ["anybody"]), ("nul \0", ["one"]), ("bob" * 2_000, ["several"])):
        assert [head.id for head in (await store.questions(to=to)).heads] == ids
    for selection, name in (
        (Selection(user="zo\0e"), "anybody"),
        (Selection(user="u" * 5_000), "done"),
        (Selection(label=("a\0", "b")), "anybody"),
        (Selection(label=("c", None)), "anybody"),
    ):
        assert [head.id for head in (await store.select(selection)).heads] == [name]
    newest = await store.select(Selection(), newest=True)
    assert [head.id for head in newest.heads] == ["one", "several", "done", "anybody"]
    assert [each.agent_id for each in newest.damaged] == ["damaged"]
    assert [each for each in await store.inspect() if each.is_index] == []
    assert await store.reindex() == 0
