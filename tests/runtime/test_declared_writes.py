"""``@action(writes=[...])``: an action that writes another field fails, however it is run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fsm_agent import Agent, Context, Runner, action, sync
from fsm_agent.data.data import Data, changes
from fsm_agent.loading.yaml_file import loads
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import drive
from tests.support.shop import Shop

PAYING_TEXT = """
workflow: paying
version: 1
data:
  total: {type: integer, default: 0}
  lines: {type: array, items: {type: object}, default: []}
  problem: string?
events: {paid: {}, sure: {}}
initial: paying
states:
  paying:
    do: pay
    on: {paid: done, sure: paying, error: {target: failed, assign: {problem: event.message}}}
  done: {final: true, output: {total: data.total}}
  failed: {final: true, outcome: failed, output: {problem: data.problem, total: data.total}}
"""
PAYING = loads(PAYING_TEXT)
PROBLEM = "action 'pay' wrote 'total', and declares that it writes only 'lines': add it to `writes`"


@action(writes=["lines"])
async def waits(ctx: Context) -> str:
    ctx.data.total = 7
    return "paid"


@action(writes=["lines"])
def blocks(ctx: Context) -> str:
    ctx.data.total = 7
    return "paid"


@action(writes=["lines"], inline=True)
def is_quick(ctx: Context) -> str:
    ctx.data.total = 7
    return "paid"


@action(writes=["lines"])
def asks(ctx: Context) -> Any:
    ctx.data.total = 7
    return ctx.ask("Sure?", ["sure"])


@action(writes=["total"])
def fits(ctx: Context) -> str:
    ctx.data.total = len(ctx.data.lines) + 7
    return "paid"


KINDS = [waits, blocks, is_quick, asks]


def named(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same action under the name by which the workflow calls it."""
    known = function.action  # type: ignore[attr-defined]
    return action(name="pay", writes=known.signature.writes, inline=function is is_quick)(
        type(function)(function.__code__, function.__globals__, "pay")
    )


async def started(function: Callable[..., Any]) -> Agent:
    async with Runner(open_store("memory://"), actions=[function]) as runner:
        return await runner.start(PAYING)


@pytest.mark.parametrize("function", KINDS, ids=lambda each: each.__name__)
def test_an_undeclared_write_is_an_error_and_nothing_of_it_is_kept(function: Callable[..., Any]) -> None:
    assert asyncio.run(started(named(function))).output == {"problem": PROBLEM, "total": 0}


@pytest.mark.parametrize("function", KINDS, ids=lambda each: each.__name__)
def test_so_it_is_with_the_blocking_runner(function: Callable[..., Any]) -> None:
    with sync.Runner(open_store("memory://"), actions=[named(function)]) as runner:
        assert runner.start(PAYING).output == {"problem": PROBLEM, "total": 0}


@pytest.mark.parametrize("function", KINDS, ids=lambda each: each.__name__)
def test_and_in_a_test_that_calls_the_action(function: Callable[..., Any]) -> None:
    assert drive(PAYING, actions={"pay": function}).agent.output == {"problem": PROBLEM, "total": 0}


def test_what_is_declared_may_be_written() -> None:
    assert asyncio.run(started(named(fits))).output == {"total": 7}


def test_so_it_is_in_a_process_of_its_own(shop: Shop) -> None:
    shop.write(
        "shop_actions.py",
        'from fsm_agent import action\n\n@action(writes=["lines"])\ndef pay(ctx):\n'
        "    ctx.data.total = 7\n    return 'paid'\n",
    )
    file = shop.write("workflows/paying.yaml", PAYING_TEXT)
    ran = shop.process("run", str(file))
    assert PROBLEM in ran.out + ran.err


def test_a_change_deep_inside_a_field_is_a_write_of_it() -> None:
    data = Data({"a": [{"b": 1}], "c": {"d": {}}, "e": 1})
    assert set(changes(data).fields) == set()
    assert data["a"][0]["b"] == 1
    assert set(changes(data).fields) == set()
    data["a"][0]["b"] = 2
    data["c"]["d"]["x"] = 1
    assert set(changes(data).fields) == {"a", "c"}
    data["e"] = 1
    assert set(changes(data).fields) == {"a", "c", "e"}
