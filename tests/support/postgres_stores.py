"""Stores in PostgreSQL that tests make, use, and see refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from fsm_agent.errors import StoreError
from fsm_agent.stores.base import Store
from fsm_agent.stores.postgres.pool import address_of
from fsm_agent.stores.postgres.store import PostgresStore
from fsm_agent.stores.urls import open_store, without_password
from fsm_agent.testing.contract.fixtures import ID, a_creation, keep_definitions


async def make(url: str) -> None:
    async with open_store(url) as store:
        await keep_definitions(store)
        await store.create(a_creation())


def with_store(
    url: str, use: Callable[[PostgresStore], Coroutine[Any, Any, None]], *, patience_ms: int = 10_000
) -> None:
    async def run() -> None:
        async with PostgresStore(address_of(url.partition("://")[2]), patience_ms=patience_ms) as store:
            await use(store)

    asyncio.run(run())


def refused(url: str, kind: type[StoreError]) -> str:
    async def use(store: Store) -> None:
        await store.head(ID)

    with pytest.raises(kind) as failed:
        with_store(url, use)
    assert failed.type is kind
    sentence = str(failed.value)
    assert "\n" not in sentence
    assert sentence.startswith(f"database {without_password(url)} ")
    return sentence


async def count(url: str) -> int:
    async with open_store(url) as store:
        return len((await store.list()).heads)


async def note_plans(store: PostgresStore) -> list[str]:
    """A list that grows with the plan of each statement that ``store`` says from now on, those within functions too."""
    plans: list[str] = []
    async with store._pool.lent() as session:
        for word in (
            b"LOAD 'auto_explain'",
            b"SET auto_explain.log_min_duration = 0",
            b"SET auto_explain.log_level = notice",
            b"SET auto_explain.log_nested_statements = on",
        ):
            await session.run(word, {})
        session.connection.add_notice_handler(lambda notice: plans.append(notice.message_primary or ""))
    return plans
