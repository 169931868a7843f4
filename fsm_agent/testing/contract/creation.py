"""Agents and definitions come into being whole, once, and in one namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from fsm_agent.domain.step import Event
from fsm_agent.errors import AgentExists, AgentNotFound, StoreCorrupt
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import (
    ID,
    LEASE,
    ORDER,
    Bench,
    a_commit,
    a_creation,
    a_head,
    a_step,
    all_of,
    in_loop,
    keep_definitions,
)


class CreatingContract(Bench):
    @in_loop
    async def test_a_definition_is_kept_under_its_hash(self, store: Store) -> None:
        assert await store.load_workflow(ORDER.hash) == ORDER.to_json()

    @in_loop
    async def test_keeping_a_definition_again_changes_nothing(self, store: Store) -> None:
        await store.save_workflow(ORDER.hash, {**ORDER.to_json(), "description": "another"})
        assert await store.load_workflow(ORDER.hash) == ORDER.to_json()

    @in_loop
    async def test_a_definition_that_is_not_kept_is_an_error_that_names_its_hash(self, store: Store) -> None:
        with pytest.raises(StoreCorrupt, match="no workflow under the hash 'f00'"):
            await store.load_workflow("f00")

    @in_loop
    async def test_an_agent_whose_definition_is_not_kept_cannot_be_created(self, store: Store) -> None:
        with pytest.raises(StoreCorrupt, match="save_workflow"):
            await store.create(a_creation(definition="f00"))
        with pytest.raises(AgentNotFound):
            await store.load(ID)

    @in_loop
    async def test_a_new_agent_has_epoch_one_with_a_lease_and_without(self, store: Store) -> None:
        held = await store.create(a_creation("held", lease=LEASE))
        free = await store.create(a_creation("free"))
        assert (held.epoch, held.lease, free.epoch, free.lease) == (1, LEASE, 1, None)
        assert (await store.head("held"), await store.head("free")) == (held, free)

    @in_loop
    async def test_the_first_event_is_kept_together_with_the_creation(self, store: Store) -> None:
        steps = (a_step(1), a_step(2))
        await store.create(a_creation(version=2)._replace(steps=steps))
        record, history = await all_of(store)
        assert record.head.version == 2
        assert tuple(history) == record.tail == steps

    @in_loop
    async def test_a_taken_id_is_refused_and_nothing_changes(self, store: Store) -> None:
        await store.create(a_creation())
        before = await all_of(store)
        with pytest.raises(AgentExists, match=ID):
            await store.create(a_creation(state="closed")._replace(key="k"))
        assert await all_of(store) == before
        assert await store.find_key("k") is None

    @in_loop
    async def test_the_key_of_a_creation_finds_its_agent(self, store: Store) -> None:
        await store.create(a_creation()._replace(key="order-17", fingerprint="f"))
        assert await store.find_key("order-17") == (ID, "f")
        assert await store.find_key("order-18") is None

    @in_loop
    async def test_a_taken_key_is_refused_and_no_agent_appears(self, store: Store) -> None:
        await store.create(a_creation()._replace(key="order-17", fingerprint="f"))
        with pytest.raises(AgentExists):
            await store.create(a_creation("agent-2")._replace(key="order-17", fingerprint="f"))
        with pytest.raises(AgentNotFound):
            await store.head("agent-2")
        assert await store.find_key("order-17") == (ID, "f")

    @in_loop
    async def test_of_many_creations_under_one_key_exactly_one_succeeds(self, store: Store) -> None:
        racing = (store.create(a_creation(f"agent-{n}")._replace(key="k")) for n in range(10))
        outcomes = await asyncio.gather(*racing, return_exceptions=True)
        assert sum(isinstance(outcome, AgentExists) for outcome in outcomes) == 9
        page = await store.list()
        assert await store.find_key("k") == (page.heads[0].id, "")
        assert len(page.heads) == 1

    @in_loop
    async def test_an_unknown_agent_is_named_by_every_verb(self, store: Store) -> None:
        attempts = (
            store.load("nobody"),
            store.head("nobody"),
            store.history("nobody"),
            store.commit(a_commit(2, head={"id": "nobody"})),
            store.enqueue("nobody", 1, Event("ping")),
            store.claim("nobody", a_head("nobody"), LEASE),
            store.renew("nobody", 1, LEASE),
            store.release("nobody", 1),
            store.record_attempt("nobody", 1, attempts=1, retry_ms=None),
        )
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [AgentNotFound] * len(attempts)
        assert all("'nobody'" in str(outcome) for outcome in outcomes)

    @in_loop
    async def test_namespaces_do_not_see_each_other(self, store: Store, open_again: Callable[..., Store]) -> None:
        other = open_again(namespace="other")
        await keep_definitions(other)
        await store.create(a_creation()._replace(key="k", fingerprint="here"))
        with pytest.raises(AgentNotFound, match="'other'"):
            await other.load(ID)
        await other.create(a_creation(state="closed", timers=())._replace(key="k", fingerprint="there"))
        assert (await store.head(ID)).state == "open"
        assert await store.find_key("k") == (ID, "here")
        assert await other.find_key("k") == (ID, "there")
        assert len((await other.list()).heads) == 1
