"""``data: module:Model`` from end to end: checked, run, judged at every step, and again in another process."""

from __future__ import annotations

import json
from typing import Literal

import pydantic
import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain import workflow as words
from fsm_agent.domain.agent import Status
from fsm_agent.errors import DataInvalid, IllegalEvent, ModuleNotAllowed
from fsm_agent.loading.python import State, Workflow
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from tests.support.runtime import on_loop
from tests.support.shop import Shop

MODELS = """
from datetime import date
from enum import Enum
from typing import Literal

from pydantic import BaseModel, Field, model_validator

from fsm_agent import Context, action


class Way(str, Enum):
    air = "air"
    rail = "rail"


class Leg(BaseModel):
    place: str


class Trip(BaseModel):
    goal: str | None = None
    legs: list[Leg] = Field(default_factory=list)
    day: date | None = None
    way: Way = Way.air
    travellers: int = Field(1, ge=1)
    seats: int = 4

    @model_validator(mode="after")
    def fits(self):
        if self.travellers > self.seats:
            raise ValueError(f"{self.travellers} travellers have {self.seats} seats")
        return self


@action
def plan(ctx: Context) -> Literal["planned"]:
    ctx.data.legs.append(Leg(place=ctx.data.goal))
    ctx.data.day, ctx.data.way = "2026-01-02", Way.rail
    if ctx.data.goal == "moon":
        ctx.data.travellers = 50
    return "planned"
"""
TRIP = """
workflow: trip
version: 1
data: shop_actions:Trip
events: {go: {goal: string}, planned: {}, share: {n: integer}}
initial: idle
states:
  idle:
    after: {3d: failed}
    on: {go: {target: planning, assign: {goal: event.goal}}}
  planning: {do: plan, on: {planned: asking, error: failed}}
  asking:
    ask: {prompt: "To {{ data.goal }} by {{ data.way }} on {{ data.day }}, with how many?", events: [share]}
    after: {3d: failed}
    on: {share: {target: done, assign: {travellers: event.n}}}
  done: {final: true, output: {legs: data.legs, travellers: data.travellers}}
  failed: {final: true, outcome: failed}
"""
CHANGED = (
    "the class shop_actions:Trip has changed since version 1 of workflow 'trip' was stored, so that schema alone "
    "judges the data of its agents; `migrate` moves them to the class as it is now"
)


def run(shop: Shop, goal: str) -> tuple[str, ...]:
    return ("--json", "run", "trip.yaml", "--id", "a", "--event", "go", "--payload", json.dumps({"goal": goal}))


@pytest.fixture
def trips(shop: Shop) -> Shop:
    shop.write("shop_actions.py", MODELS)
    shop.write("trip.yaml", TRIP)
    return shop


def test_a_model_rules_the_data_of_a_workflow_in_yaml(trips: Shop) -> None:
    assert trips("check", "trip.yaml").code == 0
    asked = trips(*run(trips, "NYC")).json
    assert asked["question"]["prompt"] == "To NYC by rail on 2026-01-02, with how many?"
    refused = trips("--json", "answer", "a", "9")
    assert (refused.code, refused.err.strip()) == (
        1, "error: the data is wrong: Value error, 9 travellers have 4 seats",
    )  # fmt: skip
    done = trips.process("--json", "answer", "a", "2").json
    assert done["output"] == {"legs": [{"place": "NYC"}], "travellers": 2}


def test_what_an_action_leaves_is_judged_by_the_model_too(trips: Shop) -> None:
    failed = trips(*run(trips, "moon"))
    assert (failed.code, failed.json["error"]["type"], failed.json["data"]["legs"]) == (3, "DataInvalid", [])


def forbid(shop: Shop) -> None:
    shop.write("pyproject.toml", "[tool.fsm-agent]\nmodules = []\n")


#: how the module of a class is lost, and what is told of it
LOST = {
    "no longer listed": (forbid, "module 'shop_actions' is not allowed: add it to `modules` under [tool.fsm-agent]"),
    "removed": (
        lambda shop: (shop.folder / "shop_actions.py").unlink(),
        "module 'shop_actions' cannot be imported: ModuleNotFoundError: No module named 'shop_actions'",
    ),
    "broken": (
        lambda shop: shop.write("shop_actions.py", "1 / 0\n"),
        "module 'shop_actions' cannot be imported: ZeroDivisionError: division by zero",
    ),
}
CURE = (
    "until that is mended, the schema that was stored with version 1 of workflow 'trip' judges the data of its agents "
    "alone; `migrate` moves them to a version without the class shop_actions:Trip"
)


@pytest.mark.parametrize("way", LOST)
def test_agents_go_on_by_the_stored_schema_where_the_module_of_their_class_is_lost(trips: Shop, way: str) -> None:
    lose, why = LOST[way]
    trips(*run(trips, "NYC"))
    lose(trips)
    refused = trips.process("answer", "a", "0")
    assert (refused.code, "travellers: 0 is less than the minimum of 1" in refused.err) == (1, True)
    done = trips.process("--json", "answer", "a", "2")
    assert (done.code, done.json["output"]) == (0, {"legs": [{"place": "NYC"}], "travellers": 2})
    [warning] = done.err.splitlines()
    assert warning.startswith(why)
    assert warning.endswith(CURE)


@pytest.mark.parametrize("way", LOST)
def test_no_agent_begins_where_the_module_of_its_class_is_lost(trips: Shop, way: str) -> None:
    lose, why = LOST[way]
    trips(*run(trips, "NYC"))
    lose(trips)
    refused = trips.process("run", "trip.yaml", "--id", "b", "--event", "go", "--payload", '{"goal": "NYC"}')
    assert (refused.code, why.partition(":")[0] in refused.err) == (1, True)
    assert [agent["id"] for agent in trips.process("--json", "list").json["agents"]] == ["a"]


@on_loop
async def test_a_runner_that_goes_on_without_a_class_begins_no_agent_without_it() -> None:
    async with Runner(open_store("memory://"), actions=[fill]) as runner:
        await runner.start(ASKING, id="a")
        other = Runner(runner.store)
        asked = await other.get("a")
        assert (await other.send("a", "go")).data == {"items": []}
        bare = words.Workflow.from_json(ASKING.to_json())
        for _ in range(2):
            with pytest.raises(ModuleNotAllowed):
                await other.start(bare, id="b")
        assert asked.id == "a"
        assert (await other.start(ASKING, id="c")).data == {"items": []}
        with pytest.raises(DataInvalid, match="KeyError: 'tin'"):
            await other.start(ASKING, data={"items": ["tin"]})


def change_the_class(shop: Shop, line: str = "    budget: int") -> None:
    """The trips that were begun before know nothing of the new field."""
    shop.write("shop_actions.py", MODELS.replace("    seats: int = 4", f"{line}\n    seats: int = 4"))


def test_an_agent_goes_on_with_the_fields_that_it_began_with_though_its_class_has_got_another(trips: Shop) -> None:
    trips(*run(trips, "NYC"))
    change_the_class(trips)
    done = trips.process("--json", "answer", "a", "2")
    assert (done.code, done.json["output"]) == (0, {"legs": [{"place": "NYC"}], "travellers": 2})
    assert done.err.splitlines().count(CHANGED) == 1
    assert trips.process("replay", "a").code == 0


def test_the_stored_schema_judges_alone_where_the_class_has_changed(trips: Shop) -> None:
    trips(*run(trips, "NYC"))
    change_the_class(trips)
    refused = trips.process("answer", "a", "0")
    assert (refused.code, refused.err.splitlines()[-1]) == (
        1, f"error: the data is wrong: travellers: 0 is less than the minimum of 1; {CHANGED}",
    )  # fmt: skip
    assert trips.process("--json", "answer", "a", "9").json["output"]["travellers"] == 9  # the validator is the class's


def test_an_action_that_needs_the_new_class_fails_and_names_the_way_out(trips: Shop) -> None:
    trips(*run(trips, "NYC"))
    trips("rewind", "a", "2")
    change_the_class(trips)
    text = (trips.folder / "shop_actions.py").read_text()
    trips.write("shop_actions.py", text.replace("    ctx.data.day,", "    ctx.data.budget\n    ctx.data.day,"))
    failed = trips.process("--json", "unpark", "a", "--retry")
    assert (failed.code, failed.json["error"]["type"]) == (3, "AttributeError")
    assert failed.json["error"]["message"].startswith("there is no data field 'budget'; declared: goal, legs,")
    assert failed.json["error"]["message"].endswith(f"; {CHANGED}")


def test_migrate_brings_an_agent_to_the_class_as_it_is_now(trips: Shop) -> None:
    trips(*run(trips, "NYC"))
    change_the_class(trips)
    trips.write("trip.yaml", TRIP)
    asked_for = trips.process("migrate", "trip.yaml", "--all")
    assert "`data.budget` is new, and has no default" in asked_for.out
    change_the_class(trips, "    budget: int = 7")
    assert trips.process("migrate", "trip.yaml", "--all", "--apply").code == 0
    refused = trips.process("answer", "a", "9")
    assert (refused.code, refused.err.strip()) == (
        1,
        "error: the data is wrong: Value error, 9 travellers have 4 seats",
    )
    assert trips.process("--json", "answer", "a", "2").json["data"]["budget"] == 7


def test_what_only_explains_a_field_does_not_change_the_class(trips: Shop) -> None:
    trips(*run(trips, "NYC"))
    words = MODELS.replace("Field(1, ge=1)", 'Field(1, ge=1, description="who comes")')
    trips.write("shop_actions.py", words.replace("class Trip(BaseModel):", 'class Trip(BaseModel):\n    """A trip."""'))
    refused = trips.process("answer", "a", "9")
    assert (refused.code, refused.err.strip()) == (
        1,
        "error: the data is wrong: Value error, 9 travellers have 4 seats",
    )


def test_a_class_that_is_gone_is_one_that_has_changed(trips: Shop) -> None:
    trips(*run(trips, "NYC"))
    trips.write("shop_actions.py", MODELS.replace("class Trip(", "class Journey("))
    done = trips.process("--json", "answer", "a", "2")
    assert (done.code, done.err.splitlines()) == (0, [CHANGED])


def test_a_start_that_is_repeated_after_the_class_has_changed_gives_the_first_agent(trips: Shop) -> None:
    assert trips(*run(trips, "NYC"), "--key", "k").json["delivery"] == "applied"
    assert trips(*run(trips, "NYC"), "--key", "k").json["delivery"] == "duplicate"
    change_the_class(trips, "    budget: int = 7")
    repeated = trips.process(*run(trips, "NYC"), "--key", "k")
    assert (repeated.code, repeated.json["delivery"], repeated.err.splitlines()) == (0, "duplicate", [CHANGED])


class Basket(pydantic.BaseModel):
    items: list[str] = pydantic.Field(default_factory=list)

    @pydantic.field_validator("items")
    @classmethod
    def known(cls, items: list[str]) -> list[str]:
        {"tea": 1, "rice": 2}[items[-1]] if items else None
        return items


@action
async def fill(ctx: Context) -> Literal["filled"]:
    ctx.data.items.append("tea")
    return "filled"


FILLING = Workflow(
    "filling",
    version=1,
    data=Basket,
    initial="filling",
    events={"filled": {}},
    states=[State("filling", do=fill, on={"filled": "done"}), State("done", final=True)],
)


ASKING = Workflow(
    "asking",
    version=1,
    data=Basket,
    initial="asking",
    events={"go": {}},
    states=[State("asking", on={"go": "done"}), State("done", final=True)],
)


@on_loop
async def test_a_model_that_python_code_hands_over_needs_no_list_of_modules() -> None:
    async with Runner(open_store("memory://"), actions=[fill]) as runner:
        agent = await runner.start(FILLING, id="a")
        assert (agent.status, agent.data) == (Status.DONE, {"items": ["tea"]})
        with pytest.raises(IllegalEvent):
            await Runner(runner.store).send("a", "cancel")


@on_loop
async def test_a_model_that_stumbles_refuses_what_it_stumbled_over() -> None:
    async with Runner(open_store("memory://"), actions=[fill]) as runner:
        with pytest.raises(DataInvalid, match="the data model raised KeyError: 'tin'"):
            await runner.start(FILLING, data={"items": ["tin"]})
