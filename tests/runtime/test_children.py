"""Children do the work of a state: started, driven, joined in order, however they fare and whoever drives them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fsm_agent import Context, Runner, Status, Worker, action, open_store
from fsm_agent.domain.agent import LONGEST_ID, child_id
from fsm_agent.domain.usage import Usage
from tests.support.parent_workflow import SharedStore, all_heads, child_states, joined, parent_workflow
from tests.support.runtime import flow, on_loop


@pytest.fixture(params=["memory", "sqlite"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> SharedStore:
    return SharedStore("memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'agents.db'}")


@on_loop
async def test_one_child_works_for_each_item_and_results_stand_in_their_order(every_url: str) -> None:
    shared = SharedStore(every_url)
    async with shared.runner() as runner:
        agent = await runner.start(parent_workflow("at_once: 2"), "go", data={"topics": ["a", "b", "c"]}, id="p")
        assert (agent.status, agent.state) == (Status.DONE, "done")
        assert [(each["topic"], each["found"], each["place"]) for each in agent.output["results"]] == [
            ("a", "A", 0),
            ("b", "B", 1),
            ("c", "C", 2),
        ]
        assert await joined(runner) == 1
        child = await runner.get("p.2.3")
        assert (child.parent, child.workflow, child.output["topic"]) == (("p", 2, 3), "child", "c")
        assert {head.lease for head in await all_heads(runner)} == {None}
        assert await runner.store.due(shared.clock.ms + 10**9, 9) == []


@on_loop
async def test_never_do_more_work_at_once_than_may(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        topics = [f"t{number}" for number in range(20)]
        agent = await runner.start(parent_workflow("at_once: 3"), "go", data={"topics": topics})
        assert agent.status is Status.DONE
        assert (shared.look_up.most, sorted(shared.look_up.looked)) == (3, sorted(topics))


@on_loop
async def test_nor_do_they_when_others_drive_some_of_them(tmp_path: Path) -> None:
    """What works elsewhere takes a place here."""
    shared = SharedStore(f"sqlite:///{tmp_path / 'agents.db'}")
    async with shared.runner() as runner, shared.runner() as other:
        parent = parent_workflow("at_once: 2")
        task = asyncio.create_task(runner.start(parent, "go", data={"topics": ["long", "x", "y"]}, id="p"))
        await shared.look_up.begun("y")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        shared.look_up.forget()
        elsewhere = asyncio.create_task(other.resume("p.2.1"))
        await shared.look_up.begun("long")
        agent = await runner.resume("p")
        assert (agent.status, await child_states(runner)) == (
            Status.RUNNING,
            ["looking running", "done done", "done done"],
        )
        elsewhere.cancel()
        await asyncio.gather(elsewhere, return_exceptions=True)


@on_loop
async def test_nothing_to_do_is_done_at_once(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        agent = await runner.start(parent_workflow(), "go", id="p")
        assert (agent.status, agent.output, len(await all_heads(runner))) == (Status.DONE, {"results": []}, 1)


@on_loop
async def test_what_models_have_cost_them_has_cost_the_parent() -> None:
    @action(name="look")
    async def look(ctx: Context) -> str:
        ctx.outputs.spend(Usage(requests=1, input_tokens=10, cost_micros=5, context_tokens=12))
        if ctx.data.topic == "bad":
            raise ValueError
        return "found"

    async with Runner(open_store("memory://"), actions=[look]) as runner:
        agent = await runner.start(parent_workflow(), "go", data={"topics": ["a", "bad", "c"]}, id="p")
        assert agent.state == "failed"
        assert (agent.usage.requests, agent.usage.cost_micros, agent.context_tokens) == (3, 15, 0)
        assert (await runner.history("p"))[-1].usage.input_tokens == 30
        assert await joined(runner) == 0


SINGLE = """
    data: {who: string?, result: object?}
    user: {name: string?}
    events: {done_so: {}}
    workflows:
      child:
        workflow: child
        version: 1
        data: {n: {type: integer, minimum: 1}, loud: boolean?}
        events: {begin: {loud: boolean}}
        initial: idle
        states:
          idle: {on: {begin: {target: done, assign: {loud: event.loud}}}}
          done: {final: true, output: {n: data.n, loud: data.loud}}
    initial: running
    states:
      running:
        do: workflow.run
        with: {workflow: child, data: {n: N}, payload: {loud: 'data.who != null'}, into: result, emit: done_so, USER}
        on: {done_so: done, error: failed}
      done: {final: true, output: {result: data.result}}
      failed: {final: true, outcome: failed}
"""


@pytest.mark.parametrize(
    ("user", "serves"),
    [("", "ana"), (", user: data.who", "ben"), (", user: '\"cy\"'", "cy"), (", user: user.name", None)],
)
@on_loop
async def test_one_child_begins_with_what_it_is_given_and_serves_whom_it_is_told(user: str, serves: str | None) -> None:
    async with Runner(open_store("memory://")) as runner:
        parent = flow(SINGLE.replace(", USER", user).replace("N", "1 + 1"))
        agent = await runner.start(parent, data={"who": "ben"}, user="ana", id="p")
        assert agent.output == {"result": {"n": 2, "loud": True}}
        assert (await runner.get("p.1.1")).user == serves
        assert (await runner.history("p.1.1"))[1].by == "p"


@pytest.mark.parametrize(
    ("n", "user", "why"),
    [
        ("0", "", "child 'p.1.1' failed: DataInvalid: the data is wrong: n: 0 is less than the minimum of 1"),
        ("1 / 0", "", "child 'p.1.1' failed: ExpressionFailed: "),
        ("1", ", user: dyn(1)", "`user: dyn(1)` gives 1, and must give a name, or null for nobody"),
    ],
)
@on_loop
async def test_a_child_that_cannot_begin_has_failed(n: str, user: str, why: str) -> None:
    async with Runner(open_store("memory://")) as runner:
        agent = await runner.start(flow(SINGLE.replace(", USER", user).replace("N", f"'{n}'")), id="p")
        assert agent.state == "failed"
        assert agent.error is not None
        assert agent.error["message"].startswith(why), agent.error


@on_loop
async def test_what_children_are_for_must_be_a_list() -> None:
    async with Runner(open_store("memory://")) as runner:
        parent = SINGLE.replace(", USER", ", for_each: dyn(data.who)").replace("N", "1").replace("object?", "{}", 1)
        agent = await runner.start(flow(parent), data={"result": 1})
        assert agent.error == {
            "type": "ActionError",
            "message": "`for_each: dyn(data.who)` gives null, and must give a list",
        }


@on_loop
async def test_a_failure_is_told_when_the_rest_has_ended(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        agent = await runner.start(
            parent_workflow("at_once: 1"), "go", data={"topics": ["a", "bad", "ask", "bad too"]}, id="p"
        )
        assert (agent.status, agent.state) == (Status.RUNNING, "running"), "one of them asks"
        await runner.answer("p.2.3", {"text": "x"})
        agent = await runner.get("p")
        assert agent.error == {
            "type": "ChildFailed",
            "message": "child 'p.2.2' failed: ValueError: bad is no topic, and so did 1 more",
        }
        assert await child_states(runner) == ["done done", "failed failed", "done done", "failed failed"]
        assert await joined(runner) == 0


@on_loop
async def test_or_the_rest_is_cancelled_at_once(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        topics = ["ask", "long", "bad", "long too", "later"]
        agent = await runner.start(
            parent_workflow("at_once: 3, on_failure: cancel_rest"), "go", data={"topics": topics}, id="p"
        )
        assert agent.error == {
            "type": "ChildFailed",
            "message": "child 'p.2.3' failed: ValueError: bad is no topic",
        }
        assert (await child_states(runner))[:3] == ["asking cancelled", "looking cancelled", "failed failed"]
        assert "later" not in shared.look_up.looked
        assert {head.status for head in await all_heads(runner)} == {Status.CANCELLED, Status.FAILED}


@on_loop
async def test_or_it_is_nothing_among_the_results(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        agent = await runner.start(
            parent_workflow("on_failure: continue"), "go", data={"topics": ["bad", "b", "bad too"]}, id="p"
        )
        assert [each and each["found"] for each in agent.output["results"]] == [None, "B", None]


@on_loop
async def test_a_child_that_was_cancelled_has_failed_too(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["ask", "ask too"]}, id="p")
        await runner.cancel("p.2.2")
        await runner.answer("p.2.1", {"text": "x"})
        agent = await runner.get("p")
        assert agent.error == {"type": "ChildFailed", "message": "child 'p.2.2' was cancelled"}


@on_loop
async def test_a_parked_child_keeps_its_parent_waiting(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(parent_workflow("at_once: 1"), "go", data={"topics": ["ask", "b"]}, id="p")
        await runner.rewind("p.2.1", 1)
        assert (await child_states(runner), (await runner.get("p")).status) == (
            ["looking parked", "done done"],
            Status.RUNNING,
        )
        await runner.unpark("p.2.1")
        await runner.answer("p.2.1", {"text": "x"})
        assert (await runner.get("p")).status is Status.DONE
        assert await joined(runner) == 1


@on_loop
async def test_children_that_ask_need_no_process_and_whoever_is_answered_drives_the_parent_on(every_url: str) -> None:
    shared = SharedStore(every_url)
    topics = ["ask a", "ask b", "c", "ask d"]
    async with shared.runner() as first:
        agent = await first.start(parent_workflow("at_once: 1"), "go", data={"topics": topics}, id="p")
        assert (agent.status, agent.state) == (Status.RUNNING, "running")
        head = await first.store.head("p")
        assert (head.lease, head.wake_ms is not None and head.wake_ms > shared.clock.ms) == (None, True)
        assert await first.store.due(shared.clock.ms, 9) == []
    for number in (4, 1, 2):
        async with shared.runner() as runner:
            child = await runner.answer(f"p.2.{number}", {"text": f"said {number}"})
            assert child.status is Status.DONE
            assert (await runner.get("p")).status is (Status.DONE if number == 2 else Status.RUNNING)
    async with shared.runner() as runner:
        found = [each["found"] for each in (await runner.get("p")).output["results"]]
        assert found == ["said 1", "said 2", "C", "said 4"]
        assert await joined(runner) == 1
        assert shared.look_up.looked.count("c") == 1


@on_loop
async def test_a_caller_that_does_not_drive_leaves_the_parent_to_a_worker(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["ask"]}, id="p")
        child = await runner.answer("p.2.1", {"text": "x"}, drive=False)
        assert (child.status, (await runner.get("p")).status) == (Status.DONE, Status.RUNNING)
        await Worker(runner).run_once()
        assert (await runner.get("p")).status is Status.DONE
        assert await joined(runner) == 1


@on_loop
async def test_a_parent_that_is_at_work_when_a_child_ends_is_told_later(tmp_path: Path) -> None:
    shared = SharedStore(f"sqlite:///{tmp_path / 'agents.db'}")
    async with shared.runner() as runner, shared.runner() as other:
        parent = parent_workflow("at_once: 1")
        working = asyncio.create_task(runner.start(parent, "go", data={"topics": ["ask", "long"]}, id="p"))
        await shared.look_up.begun("long")
        child = await other.answer("p.2.1", {"text": "x"})
        assert (child.status, (await other.store.head("p.2.1")).children) == (Status.DONE, 0)  # the last one tells it
        child = await other.cancel("p.2.2")
        head = await other.store.head("p.2.2")
        assert (child.status, head.children, head.wake_ms) == (Status.CANCELLED, head.version, shared.clock.ms + 2_000)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await Worker(other).run_once()
        shared.clock.advance(seconds=3)
        await Worker(other).run_once()
        assert ((await other.get("p")).status, (await other.store.head("p.2.2")).children) == (Status.FAILED, 0)
        assert await other.store.due(shared.clock.ms, 9) == []


@on_loop
async def test_a_child_whose_timer_is_due_needs_only_a_worker(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(parent_workflow("on_failure: continue"), "go", data={"topics": ["ask"]}, id="p")
        shared.clock.advance(hours=8)
        await Worker(runner).run_once()
        agent = await runner.get("p")
        assert (agent.status, agent.output) == (Status.DONE, {"results": [None]})


NESTED = """
    events: {joined: {}}
    data: {results: {type: array, default: []}}
    workflows:
      middle:
        workflow: middle
        version: 1
        events: {joined: {}}
        data: {results: {type: array, default: []}, base: string}
        workflows:
          leaf:
            workflow: leaf
            version: 1
            events: {said: {}}
            data: {name: string}
            initial: asking
            states:
              asking: {ask: {prompt: "Is {{ data.name }} well?", events: [said]}, on: {said: done}}
              done: {final: true, output: {name: data.name}}
        initial: running
        states:
          running:
            do: workflow.run
            with: {workflow: leaf, for_each: '["1", "2"]', data: {name: data.base + item}, into: results}
            on: {joined: done}
          done: {final: true, output: {names: data.results}}
    initial: running
    states:
      running:
        do: workflow.run
        with: {workflow: middle, for_each: '["a", "b"]', data: {base: item}, into: results}
        on: {joined: done, cancel: stopped}
      done: {final: true, output: {results: data.results}}
      stopped: {final: true, outcome: cancelled}
"""


@on_loop
async def test_children_have_children(shared: SharedStore) -> None:
    leaves = [f"p.1.{middle}.1.{leaf}" for middle in (1, 2) for leaf in (1, 2)]
    async with shared.runner() as runner:
        await runner.start(flow(NESTED), id="p")
        assert [(await runner.get(leaf)).status for leaf in leaves] == [Status.WAITING] * 4
    for leaf in leaves:
        async with shared.runner() as runner:
            await runner.answer(leaf)
    async with shared.runner() as runner:
        agent = await runner.get("p")
        assert [[leaf["name"] for leaf in each["names"]] for each in agent.output["results"]] == [
            ["a1", "a2"],
            ["b1", "b2"],
        ]
        assert [await joined(runner, ident) for ident in ("p", "p.1.1", "p.1.2")] == [1, 1, 1]


@on_loop
async def test_and_they_end_with_the_first_of_the_line(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(flow(NESTED), id="p")
        await runner.cancel("p")
        assert {head.status for head in await all_heads(runner)} == {Status.CANCELLED}
        assert {head.children for head in await all_heads(runner)} == {0}


def test_the_id_of_a_child_says_whose_it_is_and_is_never_too_long() -> None:
    assert child_id("trip", 12, 3) == "trip.12.3"
    longest = "x" * LONGEST_ID
    ids = {child_id(parent, 12, number) for parent in (longest, longest[:-1] + "y") for number in (1, 23)}
    assert {len(ident) for ident in ids} == {LONGEST_ID}
    assert len(ids) == 4


@on_loop
async def test_whoever_has_the_longest_id_has_children_and_grandchildren(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(flow(NESTED), id="x" * LONGEST_ID)
        heads = await all_heads(runner)
        assert (len(heads), {len(head.id) for head in heads}) == (7, {LONGEST_ID})
        await runner.cancel("x" * LONGEST_ID)
        assert {head.status for head in await all_heads(runner)} == {Status.CANCELLED}


@on_loop
async def test_an_agent_that_has_a_childs_id_by_chance_is_neither_joined_nor_cancelled(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        stranger = flow("initial: a\nstates: {a: {}}")
        await runner.start(stranger, id="p.2.2")
        agent = await runner.start(parent_workflow(), "go", data={"topics": ["ask", "b"]}, id="p")
        assert agent.error == {
            "type": "ActionError",
            "message": "agent 'p.2.2' is in the way: it was not started by 'p', whose child it is",
        }
        assert ((await runner.get("p.2.2")).status, len(await all_heads(runner))) == (Status.WAITING, 2)


@on_loop
async def test_a_child_is_pinned_to_its_definition_which_is_kept(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        parent = parent_workflow()
        await runner.start(parent, "go", data={"topics": ["ask"]}, id="p")
        head = await runner.store.head("p.2.1")
        assert head.definition == parent.workflows["child"].hash
        assert (await runner.store.load_workflow(head.definition))["workflow"] == "child"


@on_loop
async def test_a_fork_has_children_of_its_own(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["ask"]}, id="p")
        fork = await runner.fork("p", id="f")
        assert (fork.status, fork.parent) == (Status.PARKED, None)
        await runner.unpark("f")
        assert await child_states(runner, "f", 1) == ["asking waiting"]
        await runner.cancel("f")
        assert (await child_states(runner, "f", 1), await child_states(runner)) == (
            ["asking cancelled"],
            ["asking waiting"],
        )


@on_loop
async def test_a_fork_of_a_child_is_nobodys(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["ask"]}, id="p")
        await runner.fork("p.2.1", id="f")
        await runner.cancel("p")
        agent = await runner.answer("f", {"text": "x"})
        assert (agent.parent, agent.status) == (None, Status.DONE)


@on_loop
async def test_a_retried_child_is_waited_for(shared: SharedStore) -> None:
    calls: list[int] = []

    @action(name="try_it")
    async def try_it(ctx: Context) -> str:
        calls.append(ctx.attempt)
        if len(calls) < 3:
            raise ConnectionError
        return "found"

    text = """
    events: {joined: {}}
    workflows:
      child:
        workflow: child
        version: 1
        events: {found: {}}
        initial: a
        states:
          a: {do: try_it, retry: {attempts: 3, backoff: 1ms}, on: {found: b}}
          b: {final: true}
    initial: running
    states:
      running: {do: workflow.run, with: {workflow: child}, on: {joined: done}}
      done: {final: true}
"""
    async with Runner(open_store("memory://"), actions=[try_it]) as runner:
        assert (await runner.start(flow(text))).status is Status.DONE
        assert calls == [1, 2, 3]


@on_loop
async def test_an_event_that_stays_in_the_state_does_not_wait_for_the_children(shared: SharedStore) -> None:
    async with shared.runner() as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["ask"]}, id="p")
        agent = await runner.send("p", "note")
        assert (agent.delivery, agent.status, agent.version) == ("applied", Status.RUNNING, 3)
        await runner.answer("p.2.1", {"text": "x"})
        assert (await runner.get("p")).status is Status.DONE
        assert await joined(runner) == 1
