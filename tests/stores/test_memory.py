"""Agents in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.domain.record import Page
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.testing import StoreContract
from fsm_agent.testing.contract.fixtures import a_creation, keep_definitions
from tests.support.runtime import on_loop


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory://"


class Elder(MemoryStore):
    """A store of somebody else, written before there was ``list_in``."""

    async def list(
        self,
        *,
        status: Status | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page:
        wanted = () if status is None else (status,)
        return await super().list_in(wanted, workflow=workflow, limit=limit, after=after)

    list_in = Store.list_in


class Plain(MemoryStore):
    """A store of somebody else, written before there were any verbs for selections, questions and many leases."""

    heads = Store.heads
    select = Store.select
    questions = Store.questions
    count_questions = Store.count_questions
    tally = Store.tally
    take = Store.take
    renew_all = Store.renew_all
    lapsed = Store.lapsed
    ring = Store.ring
    listen = Store.listen


@pytest.mark.filterwarnings("ignore:Plain looks through all agents")
@pytest.mark.filterwarnings("ignore:Plain claims or renews one by one")
@pytest.mark.filterwarnings("ignore:Plain has no bell")
class TestPlainStore(StoreContract):
    """It keeps the contract, slowly."""

    @pytest.fixture
    def open_again(self, clock: FakeClock) -> Callable[..., Store]:
        return lambda namespace="default": Plain(namespace=namespace, clock=clock)

    def test_it_is_warned_of_each_verb_that_is_slow(self) -> None:
        for verb in ("heads", "select", "questions", "count_questions", "tally"):
            with pytest.warns(UserWarning, match=f"^Plain looks through all agents for `{verb}`$") as told:
                self.test_a_verb_that_looks_at_every_agent_is_warned_of(Plain(), verb)
            assert len(told) == 1


@on_loop
async def test_a_store_that_lists_one_status_at_a_time_lists_several_too() -> None:
    elder, young = Elder(), MemoryStore()
    for store in (elder, young):
        await keep_definitions(store)
        for number in range(40):
            await store.create(a_creation(f"a{number:02}", status=list(Status)[number % 6]))
    for statuses in ((), (Status.DONE,), (Status.DONE, Status.PARKED)):
        for limit in (1, 7, 50):
            pages = [await store.list_in(statuses, limit=limit, after="a05") for store in (elder, young)]
            listed = [([head.id for head in page.heads], page.next) for page in pages]
            assert listed[0] == listed[1]
            assert listed[0][0]
