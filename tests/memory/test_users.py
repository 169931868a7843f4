"""What is remembered of a user: typed, shared by all their agents, and committed with a step or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent import Context, action
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.record import Commit, Committed
from fsm_agent.domain.state import Duration, State
from fsm_agent.domain.user import UserRecord
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import ArgumentInvalid
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock, drive
from tests.support.hypothesis_settings import example_settings
from tests.support.runtime import Gate, on_loop, story
from tests.support.user_workflows import TASTES, impatient, merging, retrying
from tests.support.workflows import to

Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens an empty store of every kind that comes with us."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    return lambda: open_store(url)


def learning(change: Callable[[Any], Any], event: str = "learned") -> Any:
    """The action of TASTES: it changes the user, and names its event."""

    def learn(ctx: Context) -> str:
        change(ctx.user)
        return event

    return {"learn": learn}


def taught(run_event: str = "go", **known: Any) -> Any:
    return drive(TASTES, user="ana", **known).send(run_event)


# --- typed, validated, remembered


def test_what_an_action_remembers_is_there_for_the_next_agent_of_the_same_user() -> None:
    def learn(ctx: Context) -> str:
        ctx.user.name = "Ana"
        ctx.user.likes.append("tea")
        ctx.user["visits"] += 1
        return "learned"

    run = taught(actions={"learn": learn})
    assert run.remembered == {"name": "Ana", "likes": ["tea"], "visits": 1}
    later = taught(actions={"learn": learn}, remembered=run.remembered)
    assert later.remembered == {"name": "Ana", "likes": ["tea", "tea"], "visits": 2}
    assert (run.agent.user, run.head.user) == ("ana", "ana")


def test_what_was_never_said_has_its_default_or_is_null() -> None:
    seen: list[Any] = []
    taught(actions=learning(lambda user: seen.append(user.plain())))
    assert seen == [{"name": None, "likes": [], "visits": 0}]


def test_who_only_looks_changes_nothing() -> None:
    run = taught(actions=learning(lambda user: user.likes), remembered={"likes": ["tea"], "other": 1})
    assert run.remembered == {"likes": ["tea"], "other": 1}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda user: user.__setattr__("visits", -1), "visits: -1 is less than the minimum of 0"),
        (lambda user: user.__setattr__("visits", "x"), 'visits: "x" is not of type "integer"'),
        (lambda user: user.likes.append(7), '7 is not of type "string"'),
        (lambda user: user.__setattr__("nmae", "x"), "there is no data field 'nmae' (did you mean `name`?)"),
    ],
)
def test_a_value_that_breaks_the_declaration_is_an_error_with_its_reason_and_nothing_is_remembered(
    change: Callable[[Any], Any], why: str
) -> None:
    run = taught(actions=learning(change), remembered={"name": "Ana"})
    assert (run.state, run.agent.error["type"]) == ("failed", "DataInvalid")
    assert why in run.agent.error["message"]
    assert run.remembered == {"name": "Ana"}


def test_what_others_have_kept_in_another_type_parks_the_agent_until_somebody_looks() -> None:
    run = drive(TASTES, user="ana", remembered={"likes": "tea"}, actions=learning(lambda _: None))
    run.send("go")
    assert (run.status, run.agent.error["type"]) == (Status.PARKED, "DataInvalid")
    assert 'likes: "tea" is not of type "array"' in run.agent.error["message"]


def test_fields_that_others_declare_stay_as_they_are() -> None:
    other = replace(TASTES, name="other", user={"budget": {"type": ["integer", "null"]}})
    run = drive(other, user="ana", remembered={"likes": ["tea"], "name": "Ana"}, actions=learning(_spend)).send("go")
    assert run.remembered == {"likes": ["tea"], "name": "Ana", "budget": 3}


def _spend(user: Any) -> None:
    assert list(user) == ["budget"]
    user.budget = 3


@pytest.mark.parametrize(
    ("workflow", "user"), [(TASTES, None), (replace(TASTES, user={}), "ana")], ids=["nobody", "undeclared"]
)
def test_an_agent_that_serves_nobody_or_declares_nothing_is_told_so(workflow: Workflow, user: str | None) -> None:
    run = drive(workflow, user=user, actions=learning(lambda known: known.name)).send("go")
    why = "its workflow declares no `user`, or it was started without one: `start(..., user='ana')`"
    message, place = f"agent {run.agent.id!r} remembers nobody: {why}", run.agent.error["place"]
    assert run.agent.error == {"type": "ActionError", "message": message, "place": place}
    assert place.startswith("tests/memory/test_users.py:")


# --- with the step, or not at all


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (ValueError("no"), "ValueError"),
        (TimeoutError("late"), "TimeoutError"),
        ("gone", "IllegalEvent"),
        (("learned", {"odd": 1}), "PayloadInvalid"),
    ],
)
def test_an_attempt_that_comes_to_nothing_leaves_nothing(outcome: Any, error: str) -> None:
    def learn(ctx: Context) -> Any:
        ctx.user.name = "Ana"
        if isinstance(outcome, Exception):
            raise outcome
        return ctx.emit(outcome[0], **outcome[1]) if isinstance(outcome, tuple) else outcome

    run = taught(actions={"learn": learn})
    assert (run.state, run.agent.error["type"]) == ("failed", error)
    assert run.remembered == {}


def test_a_retry_begins_with_what_is_remembered_and_not_with_what_failed() -> None:
    seen: list[Any] = []

    def learn(ctx: Context) -> str:
        seen.append(ctx.user.likes.plain())
        ctx.user.likes.append("tea")
        if ctx.attempt < 3:
            raise ConnectionError("no line")
        return "learned"

    run = drive(impatient(retry=retrying(3)), user="ana", actions={"learn": learn}).send("go")
    assert (seen, run.remembered) == ([[], [], []], {"likes": ["tea"]})


@on_loop
async def test_an_attempt_that_runs_out_of_time_or_is_taken_over_leaves_nothing() -> None:
    async with Runner(open_store("memory://"), actions=[_dawdle]) as runner:
        slow = impatient(timeout=Duration.parse("20ms"))
        agent = await runner.start(slow, "go", {"what": None}, id="slow", user="ana")
        assert (agent.state, agent.error and agent.error["type"]) == ("failed", "TimeoutError")
        _DAWDLING["stopped"] = asyncio.Event()
        driven = asyncio.create_task(runner.start(TASTES, "go", {"what": None}, id="stopped", user="ana"))
        await _DAWDLING["stopped"].wait()
        await runner.cancel("stopped")
        assert (await driven).status is Status.CANCELLED
        assert await runner.store.user("ana") == UserRecord("ana")


_DAWDLING: dict[str, asyncio.Event] = {}


@action(name="learn")
async def _dawdle(ctx: Context) -> str:
    ctx.user.name = "Ana"
    if ctx.agent_id in _DAWDLING:
        _DAWDLING[ctx.agent_id].set()
    await asyncio.sleep(60)
    return "learned"


class Dying(MemoryStore):
    """A store whose process dies before or after the commit that remembers somebody."""

    when = "before"

    async def commit(self, commit: Commit) -> Committed:
        dies = commit.user is not None and self.when
        if dies == "before":
            raise KeyboardInterrupt
        committed = await super().commit(commit)
        if dies:
            raise KeyboardInterrupt
        return committed


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_the_commit_leaves_both_or_neither_and_the_next_process_does_it_once(when: str) -> None:
    clock = FakeClock()
    store = Dying(clock=clock)
    store.when = when

    async def begin() -> None:
        runner = Runner(store, actions=[_learn_tea])
        await runner.start(TASTES, "go", {"what": None}, id="a", user="ana")

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(begin())

    async def check() -> None:
        state, known = (await store.head("a")).state, (await store.user("ana")).values
        assert (state, known) == (("learning", {}) if when == "before" else ("resting", {"likes": ["tea"]}))
        store.when = ""
        clock.advance(seconds=15)  # the lease of the dead process
        async with Runner(store, actions=[_learn_tea]) as runner:
            assert (await runner.resume("a")).state == "resting"
            assert (await store.user("ana")).values == {"likes": ["tea"]}

    asyncio.run(check())


@action(name="learn")
async def _learn_tea(ctx: Context) -> str:
    ctx.user.likes.append("tea")
    return "learned"


# --- two agents, one user


async def met(workflow: Workflow, store: Store, first: Callable[[Any], None], second: Callable[[Any], None]) -> Agent:
    """Two agents read the same user; the first commits first. Returns the second."""
    gate = Gate()

    @action(name="learn")
    async def learn(ctx: Context) -> Any:
        if ctx.agent_id == "second" and ctx.attempt == 1:
            second(ctx.user)
            gate.begun.set()
            return await gate.result
        (second if ctx.agent_id == "second" else first)(ctx.user)
        return "learned"

    async with Runner(store, actions=[learn]) as runner:
        late = asyncio.create_task(runner.start(workflow, "go", {"what": None}, id="second", user="ana"))
        await gate.begun.wait()
        await runner.start(workflow, "go", {"what": None}, id="first", user="ana")
        gate.open("learned")
        agent = await late
        _MET.append((dict((await store.user("ana")).values), story(await runner.history("second"))))
    return agent


_MET: list[tuple[dict[str, Any], list[str]]] = []


@pytest.mark.parametrize(
    ("policy", "name", "first", "second", "becomes"),
    [
        ("last", "name", "Ana", "Anna", "Anna"),
        ("append", "likes", ["tea"], ["milk"], ["tea", "milk"]),
        ("union", "likes", ["tea", "milk"], ["milk", "jam"], ["tea", "milk", "jam"]),
        ("max", "visits", 7, 3, 7),
        ("max", "visits", 3, 7, 7),
    ],
)
@on_loop
async def test_a_policy_makes_one_of_what_two_agents_remember(
    opened: Opener, policy: str, name: str, first: Any, second: Any, becomes: Any
) -> None:
    workflow = merging(**{name: policy})
    agent = await met(
        workflow, opened(), lambda user: user.__setitem__(name, first), lambda user: user.__setitem__(name, second)
    )
    known, _ = _MET.pop()
    assert (agent.state, known[name]) == ("resting", becomes)


@on_loop
async def test_changes_of_different_fields_do_not_meet(opened: Opener) -> None:
    agent = await met(
        TASTES, opened(), lambda user: user.__setitem__("name", "Ana"), lambda user: user.likes.append("tea")
    )
    known, steps = _MET.pop()
    assert (agent.state, known) == ("resting", {"name": "Ana", "likes": ["tea"]})
    assert steps[-1] == "event learned learning>resting"


@on_loop
async def test_the_same_value_twice_is_no_conflict(opened: Opener) -> None:
    agent = await met(
        merging(name="last"), opened(), lambda user: user.__setitem__("name", "Ana"),
        lambda user: user.__setitem__("name", "Ana"),
    )  # fmt: skip
    assert (agent.state, _MET.pop()[0]) == ("resting", {"name": "Ana"})


def _call(name: str) -> Callable[[Any], None]:
    return lambda user: user.__setitem__("name", name)


@on_loop
async def test_without_a_policy_the_later_one_is_an_error_that_says_what_to_declare(opened: Opener) -> None:
    agent = await met(TASTES, opened(), _call("Ana"), _call("Anna"))
    known, _ = _MET.pop()
    assert (agent.state, known) == ("failed", {"name": "Ana"})
    assert agent.error == {
        "type": "UserConflict",
        "message": "somebody else has changed 'name' of user 'ana' meanwhile, and `merge` has no policy that makes one "
        "of both: declare one for `user.name`",
    }


@on_loop
async def test_a_conflict_is_worth_another_attempt_where_that_is_declared(opened: Opener) -> None:
    patient = impatient(retry=retrying(2)._replace(on=("UserConflict",)))
    agent = await met(patient, opened(), _call("Ana"), _call("Anna"))
    known, steps = _MET.pop()
    assert (agent.state, known) == ("resting", {"name": "Anna"})
    assert steps[-1] == "event learned learning>resting", "the attempt that failed is no step"


@on_loop
async def test_a_policy_that_cannot_make_one_of_them_is_a_conflict_too(opened: Opener) -> None:
    def turn(user: Any) -> None:
        user.likes = ["milk"]

    async with opened() as store:
        await store.save_user(UserRecord("ana", 1, {"likes": ["tea"]}, 1))
        agent = await met(merging(likes="append"), store, lambda user: user.likes.append("jam"), turn)
    known, _ = _MET.pop()
    assert agent.error is not None
    assert (agent.error["type"], known["likes"]) == ("UserConflict", ["tea", "jam"])


@on_loop
async def test_of_many_agents_at_once_nothing_is_lost(every_url: str) -> None:
    @action(name="learn")
    async def learn(ctx: Context) -> str:
        for number in range(3):
            ctx.user.likes.append(f"{ctx.agent_id} {number}")
            await asyncio.sleep(0)
        return "learned"

    async with Runner(open_store(every_url), actions=[learn]) as runner:
        calls = (runner.start(merging(likes="append"), "go", {"what": None}, id=f"a{n}", user="ana") for n in range(25))
        agents = await asyncio.gather(*calls)
        record = await runner.store.user("ana")
        assert [agent.state for agent in agents] == ["resting"] * 25
        assert sorted(record.values["likes"]) == sorted(f"a{n} {number}" for n in range(25) for number in range(3))
        assert record.version == 25, "one change for each step"
        for agent in agents:
            mine = [each for each in record.values["likes"] if each.startswith(f"{agent.id} ")]
            assert mine == sorted(mine), "each in its own order"


# --- whatever comes between


PLANS = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abc"), max_size=3),  # appended
        st.none() | st.integers(0, 9),  # visits, by max
        st.none() | st.sampled_from(["Ana", "Anna"]),  # name, by last
        st.integers(0, 4),  # turns between reading and committing
        st.booleans(),  # fails
    ),
    min_size=1,
    max_size=6,
)


@example_settings(150)
@given(PLANS)
def test_whatever_the_order_the_end_is_one_that_taking_turns_could_have_led_to(plans: list[Any]) -> None:
    @action(name="learn")
    async def learn(ctx: Context) -> str:
        items, visits, name, turns, fails = plans[int(ctx.agent_id)]
        for item in items:
            ctx.user.likes.append(f"{ctx.agent_id}{item}")
        for _ in range(turns):
            await asyncio.sleep(0)
        if visits is not None:
            ctx.user.visits = max(visits, ctx.user.visits)
        if name is not None:
            ctx.user.name = name
        if fails:
            raise ValueError("no")
        return "learned"

    async def race() -> UserRecord:
        workflow = merging(likes="append", visits="max", name="last")
        async with Runner(open_store("memory://"), actions=[learn]) as runner:
            await asyncio.gather(
                *(runner.start(workflow, "go", {"what": None}, id=str(n), user="ana") for n in range(len(plans)))
            )
            return await runner.store.user("ana")

    record, kept = asyncio.run(race()), [plan for plan in enumerate(plans) if not plan[1][4]]
    likes = record.values.get("likes", [])
    assert sorted(likes) == sorted(f"{n}{item}" for n, (items, *_) in kept for item in items)
    for n, (items, *_) in kept:
        assert [each[1:] for each in likes if each[0] == str(n)] == items
    said = [visits for _, (_, visits, *_) in kept if visits is not None]
    assert record.values.get("visits", 0) in ({max(said)} if said else {0})
    names = {name for _, (_, _, name, *_) in kept if name is not None}
    assert record.values.get("name") in (names or {None})
    assert record.version <= len(kept)


# --- whom it serves


@on_loop
async def test_whom_an_agent_serves_is_part_of_what_its_key_was_used_for(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        first = await runner.start(TASTES, id="a", key="k", user="ana")
        again = await runner.start(TASTES, id="b", key="k", user="ana")
        assert (first.user, again.id, again.delivery) == ("ana", "a", "duplicate")
        with pytest.raises(Exception, match="key 'k' was used already for another workflow, "):
            await runner.start(TASTES, key="k", user="bob")
        with pytest.raises(ArgumentInvalid, match="user is no Unicode text"):
            await runner.start(TASTES, user="\ud800")


@on_loop
async def test_a_fork_and_a_rewound_agent_serve_whom_it_served(opened: Opener) -> None:
    async with Runner(opened(), actions=[_learn_tea]) as runner:
        await runner.start(TASTES, "go", {"what": None}, id="a", user="ana")
        assert (await runner.fork("a", id="b")).user == "ana"
        await runner.rewind("a", 1)
        assert (await runner.get("a")).user == "ana"
        assert (await runner.store.user("ana")).values == {"likes": ["tea"]}, "what is remembered stays"
        await runner.send("b", "go", {"what": None})
        assert (await runner.store.user("ana")).values == {"likes": ["tea", "tea"]}


def test_a_step_that_parks_remembers_nothing() -> None:
    bounded = replace(TASTES, limits=TASTES.limits._replace(steps=2))
    run = drive(bounded, user="ana", actions=learning(lambda user: user.likes.append("tea"))).send("go")
    assert (run.status, run.agent.error["type"]) == (Status.PARKED, "LimitExceeded")
    assert run.remembered == {}
    assert run.unpark().remembered == {"likes": ["tea"]}, "an operator let it exceed the limit"


def test_a_workflow_with_a_user_is_the_same_from_json() -> None:
    workflow = merging(likes="append")
    assert Workflow.from_json(workflow.to_json()).hash == workflow.hash != TASTES.hash
    quiet = replace(TASTES, states=(*TASTES.states, State("more", on={"go": (to("done"),)})))
    assert quiet.hash != TASTES.hash
