"""How much data may weigh: bounded on every way into an agent, and never weighed whole where that can be spared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from fsm_agent import Agent, Runner, Status, Surroundings, open_store
from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.data.data import Data, View, changes
from fsm_agent.data.delta import apply, own, step_weight
from fsm_agent.data.limit import UNWEIGHED, DataLimit, json_bytes
from fsm_agent.domain.state import ByteSize
from fsm_agent.errors import DataInvalid, DataTooLarge, PayloadInvalid, Refused, WorkflowInvalid
from tests.support.runtime import flow, on_loop
from tests.support.shop import Shop

NOTES = """
data:
  text: string?
  list: {type: array, default: []}
  count: {type: integer, default: 0}
events:
  write: {text: string}
  add: {item: {}}
  grow: {times: [integer], text: string}
  tick: {}
  done: {}
  work: {}
initial: idle
states:
  idle:
    on:
      write: {assign: {text: event.text}}
      add: {append: {list: event.item}}
      grow: {assign: {text: "event.times.map(x, event.text).join()"}}
      tick: {assign: {count: data.count + 1}}
      work: working
  working: {do: work, on: {done: idle, error: failed}}
  failed: {final: true, outcome: failed}
"""
SMALL = NOTES + "limits: {data: 1kB}\n"


def heavy(count: int) -> str:
    return "x" * count


async def started(runner: Runner, workflow: str = SMALL, **data: Any) -> Agent:
    return await runner.start(flow(workflow), data=data, id="a")


async def untouched(runner: Runner, agent: Agent) -> bool:
    now = await runner.get("a")
    return (now.version, now.data) == (agent.version, agent.data)


@on_loop
async def test_an_event_that_would_make_the_data_too_heavy_changes_nothing_and_is_told_which_field_it_was() -> None:
    async with Runner(open_store("memory://")) as runner:
        await started(runner)
        agent = await runner.send("a", "write", {"text": heavy(900)})
        with pytest.raises(DataTooLarge) as refused:
            await runner.send("a", "add", {"item": heavy(200)})
        assert str(refused.value) == (
            "the data is wrong: list would weigh 204 B of 1.1 kB in all, and 1kB are allowed (limits.data)"
        )
        assert await untouched(runner, agent)
        assert (await runner.send("a", "add", {"item": heavy(20)})).delivery == "applied"


@on_loop
async def test_twenty_kilobytes_do_not_become_sixty_megabytes() -> None:
    async with Runner(open_store("memory://")) as runner:
        agent = await started(runner, NOTES)
        with pytest.raises(DataTooLarge, match=r"text would weigh 20\.0 MB, and 10MB are allowed \(limits\.data\)"):
            await runner.send("a", "grow", {"times": list(range(1_000)), "text": heavy(20_000)})
        assert await untouched(runner, agent)


@on_loop
async def test_what_is_taken_away_makes_room_again() -> None:
    async with Runner(open_store("memory://")) as runner:
        await started(runner)
        for length in (900, 10, 950, 0, 960):
            agent = await runner.send("a", "write", {"text": heavy(length)})
            assert len(agent.data["text"]) == length


@on_loop
async def test_a_payload_that_is_too_heavy_is_refused_before_it_is_looked_at() -> None:
    async with Runner(open_store("memory://")) as runner:
        agent = await started(runner)
        why = r"the payload of event 'write' is wrong: text would weigh 2\.0 kB of 2\.0 kB in all, and 1kB are allowed"
        with pytest.raises(PayloadInvalid, match=why):
            await runner.send("a", "write", {"text": heavy(2_000)})
        assert await untouched(runner, agent)
        with pytest.raises(DataTooLarge, match=r"text would weigh 2\.0 kB"):
            await runner.start(flow(SMALL), data={"text": heavy(2_000)})
        with pytest.raises(PayloadInvalid, match=why):
            await runner.start(flow(SMALL), "write", {"text": heavy(2_000)})
        assert [agent.id for agent in (await runner.store.list()).heads] == ["a"]


@pytest.mark.parametrize("declared", ["", "timeout: 5s, "])
@on_loop
async def test_what_an_action_leaves_too_heavy_fails_like_any_other(declared: str) -> None:
    """With nothing declared, and with something, so on both ways of the engine."""

    @action(name="work")
    async def work(ctx: Context) -> str:
        if len(ctx.data.list) < 10:
            ctx.data.list.append(heavy(90))
            return "again"
        ctx.data.text = heavy(200)
        return "again"

    text = SMALL.replace("do: work, on: {", f"do: work, {declared}on: {{again: working, ").replace(
        "  done: {}", "  done: {}\n  again: {}"
    )
    async with Runner(open_store("memory://"), actions=[work]) as runner:
        await started(runner, text)
        agent = await runner.send("a", "work")
        assert (agent.status, agent.state, len(agent.data["list"])) == (Status.FAILED, "failed", 10)
        assert agent.data["text"] is None
        assert agent.error is not None
        assert (agent.error["type"], agent.error["message"]) == (
            "DataTooLarge",
            "the data is wrong: text would weigh 202 B of 1.2 kB in all, and 1kB are allowed (limits.data)",
        )


@on_loop
async def test_an_action_emits_no_payload_that_is_too_heavy() -> None:
    @action(name="work")
    async def work(ctx: Context) -> Any:
        return ctx.emit("write", text=heavy(3_000))

    text = SMALL.replace("on: {done: idle,", "on: {write: idle,")
    async with Runner(open_store("memory://"), actions=[work]) as runner:
        await started(runner, text)
        agent = await runner.send("a", "work")
        assert agent.error is not None
        assert agent.error["type"] == "PayloadInvalid"


RESULTS = """
data: {{text: string}}
events: {{go: {{}}, done: {{}}}}
limits: {{data: 1kB}}
initial: idle
states:
  idle: {{on: {{go: next}}}}
  next: {{{next}}}
  failed: {{final: true}}
"""


@pytest.mark.parametrize(
    ("then", "why"),
    [
        (
            "final: true, output: {all: '[data.text, data.text, data.text]'}",
            "all would weigh 1.2 kB of 1.2 kB in all, and 1kB are",
        ),
        ("ask: {prompt: '{{ data.text }}{{ data.text }}{{ data.text }}', events: [done]}, on: {done: failed}",
         "the question would weigh 1.2 kB, and 1kB are"),
    ],
)  # fmt: skip
@on_loop
async def test_what_a_step_makes_besides_the_data_is_bounded_too(then: str, why: str) -> None:
    async with Runner(open_store("memory://")) as runner:
        agent = await runner.start(flow(RESULTS.format(next=then)), data={"text": heavy(400)}, id="a")
        with pytest.raises(DataTooLarge, match=why):
            await runner.send("a", "go")
        assert await untouched(runner, agent)


@on_loop
async def test_arguments_of_an_action_are_bounded_too() -> None:
    @action(name="work")
    async def work(ctx: Context, all: list[str]) -> str:  # noqa: A002
        return "done"

    then = "do: work, with: {all: '[data.text, data.text, data.text]'}, on: {done: failed}"
    async with Runner(open_store("memory://"), actions=[work]) as runner:
        await runner.start(flow(RESULTS.format(next=then)), data={"text": heavy(400)}, id="a")
        agent = await runner.send("a", "go")
        assert agent.status is Status.PARKED
        assert agent.error is not None
        assert "all would weigh 1.2 kB of 1.2 kB in all, and 1kB are allowed" in agent.error["message"]


@on_loop
async def test_an_agent_that_was_too_heavy_already_goes_on_as_long_as_it_does_not_grow() -> None:
    async with Runner(open_store("memory://")) as runner:
        await started(runner, NOTES, text=heavy(3_000))
        lighter = Runner(runner.store, surroundings=Surroundings(data_limit="1kB"))
        assert (await lighter.send("a", "write", {"text": heavy(10)})).delivery == "applied"
        await runner.send("a", "write", {"text": heavy(3_000)})
        assert (await lighter.send("a", "tick")).data["count"] == 1
        with pytest.raises(DataTooLarge, match=r"list would weigh 4 B of 3\.0 kB in all, and 1kB are allowed"):
            await lighter.send("a", "add", {"item": 12})


@on_loop
async def test_what_a_rewind_brings_back_is_weighed_again() -> None:
    @action(name="work")
    async def work(ctx: Context) -> str:
        ctx.data.list.append(heavy(500))
        return "done"

    async with Runner(open_store("memory://"), actions=[work]) as runner:
        await started(runner)
        full = await runner.send("a", "write", {"text": heavy(900)})
        await runner.send("a", "write", {"text": ""})
        back = await runner.rewind("a", full.version)
        assert len(back.agent.data["text"]) == 900
        failed = await runner.send("a", "work")
        assert failed.error is not None
        assert failed.error["type"] == "DataTooLarge"


@on_loop
async def test_the_workflow_says_more_than_the_settings() -> None:
    around = Surroundings(data_limit="2kB")
    async with Runner(open_store("memory://"), surroundings=around) as runner:
        await started(runner, NOTES)
        with pytest.raises(PayloadInvalid, match="2kB are allowed"):
            await runner.send("a", "write", {"text": heavy(2_500)})
        await runner.start(flow(NOTES + "limits: {data: 3kB}\n"), data={"text": heavy(2_500)}, id="b")


def test_settings_of_a_project_bound_data(shop: Shop) -> None:
    shop.write("pyproject.toml", '[tool.fsm-agent]\nlimits = {data = "1kB"}\n')
    shop.write(
        "notes.yaml",
        "{workflow: n, version: 1, data: {text: string?}, initial: a, states: {a: {final: true}}}",
    )
    refused = shop("run", "notes.yaml", "--data", json.dumps({"text": heavy(2_000)}))
    assert (refused.code, "text would weigh 2.0 kB" in refused.err) == (1, True)
    for text, why in (
        ("limits = {data = 3}", 'limits must be a table of one size, such as {data = "10MB"}'),
        ('limits = {steps = "3"}', 'limits must be a table of one size, such as {data = "10MB"}'),
        ('limits = {data = "3 MB"}', "limits.data: '3 MB' is not a size"),
        ('limits = {data = "2GB"}', "limits.data must be more than 0B, and at most 1GB"),
    ):
        shop.write("pyproject.toml", f"[tool.fsm-agent]\n{text}\n")
        assert why in shop("list").err


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("1 MB", "'1 MB' is not a size: write an integer and B, kB, MB or GB, such as 500kB or 1MB"),
        ("1.5MB", "'1.5MB' is not a size"),
        ("1mb", "'1mb' is not a size"),
        ("0kB", "`data` must be more than 0B and at most 1GB"),
        ("2GB", "`data` must be more than 0B and at most 1GB"),
        ("1000", "must be a size such as 500kB or 1MB"),
    ],
)
def test_a_limit_is_a_size_with_a_unit(written: str, why: str) -> None:
    with pytest.raises(WorkflowInvalid) as invalid:
        flow(NOTES + f"limits: {{data: {written}}}\n")
    assert why in str(invalid.value)


def test_a_limit_is_part_of_the_definition() -> None:
    bounded = flow(SMALL)
    assert bounded.limits.data == ByteSize("1kB", 1_000)
    assert type(bounded).from_json(bounded.to_json()) == bounded
    assert bounded.hash != flow(NOTES).hash


_JSON = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**63), 2**63 - 1)
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(max_size=150),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


_DATA = {"a": _JSON, "list": some.lists(_JSON, max_size=3), "map": some.dictionaries(some.text(max_size=4), _JSON)}
_STEP = some.tuples(some.sampled_from(["set", "append", "inside", "drop", "item"]), some.text(max_size=4), _JSON)


@example(before={"a": None, "list": [], "map": {}}, steps=[("set", "", "\0" * 100)])
@example(before={"a": None, "list": [], "map": {}}, steps=[("inside", "\0" * 100, 1)])
@example(before={"a": None, "list": [0], "map": {}}, steps=[("set", "", -(2**63)), ("item", "", -(2**63))])
@example(before={"a": None, "list": [], "map": {}}, steps=[("inside", "", -1.7976931348623157e308)])
@example(before={"a": None, "list": [], "map": {}}, steps=[("inside", "\0", ["\0", {"\0": None}, True])])
@given(before=some.fixed_dictionaries(_DATA), steps=some.lists(_STEP, max_size=5))
def test_what_data_weigh_at_most_is_never_less_than_they_weigh(
    before: dict[str, Any], steps: list[tuple[str, str, Any]]
) -> None:
    values = own(before)
    known, limit = json_bytes(values), DataLimit("1GB", 10**9)
    for how, key, value in steps:
        data = Data(values)
        match how:
            case "set":
                data.a = value
            case "append":
                data.list.append(value)
            case "inside":
                data.map[key] = value
            case "drop":
                data.map.pop(key, None)
            case "item" if len(data.list):
                data.list[0] = value
        delta = changes(data)
        known = limit.admitted(known, delta, step_weight(delta), values, View(data))
        apply(values, delta)
        assert len(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()) == json_bytes(values)
        assert json_bytes(values) <= known


def test_a_step_does_not_weigh_the_whole() -> None:
    """Where there is room, nobody looks at the rest: it may be anything."""
    data = Data({"big": [1, 2], "n": 1})
    data.n = 2
    delta = changes(data)
    whole: Any = object()
    weight = step_weight(delta)
    assert 500 + json_bytes({"n": 2}) < DataLimit("1kB", 1_000).admitted(500, delta, weight, whole, whole) < 1_000
    with pytest.raises(TypeError):
        DataLimit("1kB", 1_000).admitted(UNWEIGHED, delta, weight, whole, whole)


def test_the_error_is_one_of_wrong_data() -> None:
    assert issubclass(DataTooLarge, DataInvalid)
    assert issubclass(DataTooLarge, Refused)
