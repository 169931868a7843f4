"""A command reads nothing twice: what it has just had of an agent it does not ask the store for again."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_agent.stores.base import Store
from fsm_agent.stores.sqlite.store import SqliteStore
from tests.support.shop import Shop

READS = ("head", "load", "load_workflow", "history", "effects", "find_ids", "origin")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the reads that reach the store, in order."""
    noted: list[str] = []

    def noting(name: str) -> Any:
        read = getattr(SqliteStore, name)

        def noted_read(store: Store, *given: Any, **named: Any) -> Any:
            noted.append(name)
            return read(store, *given, **named)

        return noted_read

    for name in READS:
        monkeypatch.setattr(SqliteStore, name, noting(name))
    return noted


@pytest.fixture
def waiting(shop: Shop, reads: list[str]) -> Shop:
    """A shop with an agent that asks something, of which nothing is noted yet."""
    shop.order("one")
    reads.clear()
    return shop


def test_show_reads_the_agent_and_its_definition_once(waiting: Shop, reads: list[str]) -> None:
    assert waiting("show", "one").code == 0
    assert reads == ["load", "load_workflow"]


def test_a_shortened_id_costs_a_search(waiting: Shop, reads: list[str]) -> None:
    long = waiting("run", "workflows/order.yaml", "--id", "order-2026", "--no-input", "--payload", '{"item": "book"}')
    assert long.code == 0
    reads.clear()
    assert waiting("show", "order-2").code == 0
    assert reads == ["load", "find_ids", "load", "load_workflow"]


def test_a_command_that_drives_reads_the_definition_once(waiting: Shop, reads: list[str]) -> None:
    assert waiting("send", "one", "reject", "--payload", '{"reason": "no room"}').code == 3
    assert reads.count("load_workflow") == 1
    assert reads.count("head") == 1
