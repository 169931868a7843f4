"""A store around another one hands on every verb that it does not change."""

from __future__ import annotations

import inspect

import pytest

from fsm_agent.stores.base import Store
from fsm_agent.stores.forwarding_store import ForwardingStore
from fsm_agent.stores.listing import Listing
from fsm_agent.stores.urls import open_store

PORT = {**vars(Listing), **vars(Store)}
VERBS = {name for name, verb in PORT.items() if inspect.iscoroutinefunction(verb) and not name.startswith("_")}


@pytest.mark.parametrize("verb", sorted(VERBS - {"list"}))
def test_a_verb_of_the_port_is_handed_on(verb: str) -> None:
    class Inner:
        url, namespace, needs_loop, keeps_problems = "inner://", "ns", False, True

        def __getattr__(self, name: str) -> object:
            return lambda *given, **named: (name, given, named)

    forwarding = type("Forwarding", (ForwardingStore,), {"from_url": None})(Inner())

    assert getattr(forwarding, verb)(1, other=2) == (verb, (1,), {"other": 2})


def test_one_status_is_listed_by_the_verb_for_several_which_a_subclass_may_change() -> None:
    assert ForwardingStore.list is Store.list


def test_whoever_holds_other_stores_opens_as_many_connections_as_they_do() -> None:
    one, two = "postgresql://fsm@127.0.0.1/one?pool_size=3", "postgresql://fsm@127.0.0.1/two?pool_size=5"
    assert open_store(one, keys={"k1": bytes(32)}).max_connections == 4
    assert open_store(f"tiered:{one},{two}").max_connections == 4 + 6
    assert open_store(f"tiered:memory://,{two}").max_connections == 6
    assert open_store("memory://").max_connections is None
