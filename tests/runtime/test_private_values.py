"""What an action, a caller or a definition holds in its hands is never what is kept: only history changes the data."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_agent.actions.context import Context
from fsm_agent.data.delta import MAX_DEPTH
from fsm_agent.errors import KeyReuse, Refused
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from tests.support.runtime import flow, on_loop

GIVEN = flow("""
    data: {items: {type: array, items: {type: object}, default: []}}
    events: {ok: {}}
    initial: working
    states:
      working: {do: work, with: {items: data.items, more: [1]}, on: {ok: resting}}
      resting: {}
""")
GROWING = flow("""
    data: {tree: object?}
    events: {again: {}, note: {}}
    initial: working
    states:
      working: {do: work, on: {again: working, note: {assign: {tree: "{'a': 1}"}}}}
""")


@on_loop
async def test_an_action_may_do_with_its_arguments_what_it_likes() -> None:
    async def work(ctx: Context, items: list[Any], more: list[int]) -> str:
        items.append({"x": 1})
        more.append(2)
        return "ok"

    async with Runner(open_store("memory://"), actions=[work]) as runner:
        agent = await runner.start(GIVEN, id="a")
        assert agent.data == (await runner.get("a")).data == {"items": []}
        assert GIVEN.by_path["working"].with_["more"] == [1]


@on_loop
async def test_data_that_grows_inward_step_by_step_ends_at_the_deepest_level_that_can_be_read_again() -> None:
    async def work(ctx: Context) -> str:
        node = ctx.data.tree
        if node is None:
            ctx.data.tree = {}
            return "again"
        while "in" in node or "list" in node:
            node = node["in"] if "in" in node else node["list"][0]
        node.update({"in": {}} if ctx.activation % 2 else {"list": [{}]})
        return "again"

    async with Runner(open_store("memory://"), actions=[work]) as runner:
        agent = await runner.start(GROWING, id="a")
        assert agent.error is not None
        assert agent.error["message"].endswith(f"is nested deeper than {MAX_DEPTH} levels")
        assert (await runner.get("a")).data == agent.data


def endless() -> Any:
    ring: dict[str, Any] = {}
    ring["ring"] = ring
    return ring


def deep() -> Any:
    value: Any = {}
    for _ in range(5_000):
        value = {"in": value}
    return value


@pytest.mark.parametrize("bad", [endless(), deep(), {1: 1, "a": 1}], ids=["endless", "deep", "keys"])
@on_loop
async def test_what_can_never_be_kept_is_refused_under_a_new_key_and_under_a_used_one(bad: Any) -> None:
    async def work(ctx: Context) -> str:
        return "ok"

    async with Runner(open_store("memory://"), actions=[work]) as runner:
        for more in ({"event": "note", "payload": bad}, {"data": {"tree": bad}}):
            with pytest.raises(Refused):
                await runner.start(GROWING, **more, key="k")
        await runner.start(GROWING, id="a", drive=False)
        await runner.send("a", "note", key="k", drive=False)
        with pytest.raises(KeyReuse):
            await runner.send("a", "note", bad, key="k", drive=False)
