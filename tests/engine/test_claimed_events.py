"""What only an action may name: while it works nobody else says it, neither directly nor through the queue."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from fsm_agent import Context, Runner, Status, Workflow, action, open_store
from fsm_agent.actions.registry import Actions
from fsm_agent.domain.agent import Head
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.program import Program
from fsm_agent.errors import IllegalEvent
from fsm_agent.loading.yaml_file import loads
from fsm_agent.testing import drive
from tests.support.runtime import Gate, flow, on_loop, story

ROOT = Path(__file__).parents[2]
MODULES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["fsm-agent"]["modules"]
STARTER = ROOT / "fsm_agent" / "cli" / "starter"
GALLERY = sorted((ROOT / "workflows").rglob("*.yaml"))

TWO = flow("""
    data: {paid: {type: integer, default: 0}}
    events: {checked: {}, paid: {}, note: {}}
    initial: checking
    on: {note: {assign: {paid: data.paid + 10}}}
    states:
      checking: {do: check, on: {checked: paying, paid: {assign: {paid: data.paid + 1}}}}
      paying: {do: pay, on: {paid: {target: done, assign: {paid: data.paid + 100}}}}
      done: {final: true}
""")


@action
async def pay(ctx: Context) -> Literal["paid"]:
    return "paid"


async def _checking(runner: Runner, gate: Gate) -> asyncio.Task[Any]:
    driven = asyncio.create_task(runner.start(TWO, id="a"))
    await gate.begun.wait()
    return driven


@on_loop
async def test_what_was_queued_under_one_action_does_not_count_as_what_the_next_one_names(every_url: str) -> None:
    gate = Gate("check")
    async with Runner(open_store(every_url), actions=[gate.as_action(emits=["checked"]), pay]) as runner:
        driven = await _checking(runner, gate)
        for event in ("paid", "note"):
            assert (await runner.send("a", event, key=event)).delivery == "queued"
        gate.open("checked")
        agent = await driven
        assert (agent.state, agent.data["paid"]) == ("done", 110)
        assert story(await runner.history("a"))[1:] == [
            "event checked checking>paying", "refused paid paying>paying", "event note paying>paying",
            "event paid paying>done",
        ]  # fmt: skip
        refused = (await runner.history("a"))[2]
        assert refused.reason == "it came from outside, and only action 'pay' may name it in state 'paying'"
        assert (await runner.send("a", "paid", key="paid")).delivery == "duplicate"


@on_loop
async def test_nor_does_it_when_another_process_goes_on_after_a_crash() -> None:
    store = open_store("memory://")
    async with Runner(store, actions=[_named("check", "checked"), pay]) as runner:
        await runner.start(TWO, id="a", drive=False)
        await runner.send("a", "paid", drive=False)
        agent = await runner.resume("a")
        assert (agent.state, agent.data["paid"]) == ("done", 100)


def _named(name: str, event: str) -> Any:
    @action(name=name, emits=[event])
    async def works(ctx: Context) -> str:
        return event

    return works


BUILT_IN = flow("""
    data: {drafts: {type: array, default: []}, asked: {type: boolean, default: true}}
    events: {over: {}, found: {}, hurry: {}, good: {}, bad: {}, pause: {}, yes: {}, no: {}, written: {}, again: {}}
    workflows:
      child: {workflow: child, version: 1, events: {go: {}}, initial: a, states: {a: {on: {go: b}}, b: {final: true}}}
    initial: waiting
    on: {pause: paused}
    states:
      waiting: {do: wait, with: {for: 2h}, on: {over: having}}
      having:
        do: workflow.run
        with: {workflow: child, event: go, emit: found}
        on: {found: choosing, hurry: choosing}
      choosing: {do: llm.decide, on: {good: writing, bad: paused}}
      writing:
        do: llm.agent
        with: {prompt: x, approval: {approve: yes, deny: no}}
        on: {written: paused, yes: writing, no: writing}
      paused: {on: {over: waiting, found: having, good: choosing, written: writing}}
""")


@pytest.mark.parametrize(
    ("state", "claimed", "others"),
    [
        ("waiting", "over", "pause, cancel"),
        ("having", "found", "hurry, pause, cancel"),
        ("choosing", "good", "pause, cancel"),
        ("choosing", "bad", "pause, cancel"),
        ("writing", "written", "pause, yes, no, cancel"),
    ],
)
@on_loop
async def test_the_event_of_a_built_in_action_cannot_be_sent_while_it_works(
    state: str, claimed: str, others: str
) -> None:
    async with Runner(open_store("memory://")) as runner:
        await runner.start(BUILT_IN, id="a", drive=False)
        if state != "waiting":
            await runner.send("a", "pause", drive=False)
            enters = {"having": "found", "choosing": "good", "writing": "written"}[state]
            await runner.send("a", enters, drive=False)  # in a state without an action everybody may send it
        with pytest.raises(IllegalEvent) as refused:
            await runner.send("a", claimed, drive=False)
        do = BUILT_IN.by_path[state].do
        assert str(refused.value) == (
            f"event {claimed!r} is not allowed in state {state!r} from outside, "
            f"because only action {do!r} may name it; allowed: {others}"
        )
        assert (await runner.send("a", "pause", drive=False)).state == "paused"


def test_an_answer_may_be_what_the_action_names_itself_and_nothing_else_may() -> None:
    asking = flow("""
        events: {yes: {}, no: {}, more: {}}
        initial: working
        states:
          working: {do: work, on: {yes: done, no: done, more: working}}
          done: {final: true}
    """)

    @action
    async def work(ctx: Context) -> Literal["yes", "no", "more"]:
        return ctx.ask("Yes?", events=["yes"])  # type: ignore[return-value]

    run = drive(asking, actions={"work": work})
    assert run.status is Status.WAITING
    with pytest.raises(
        IllegalEvent, match=r"'no' is not allowed in state 'working' from outside.*; allowed: yes, cancel"
    ):
        run.send("no")
    assert run.answer("yes").status is Status.DONE


def test_an_action_that_is_done_and_stays_names_nothing_any_more() -> None:
    staying = flow("""
        data: {n: {type: integer, default: 0}}
        events: {more: {}}
        initial: a
        states: {a: {do: work, on: {more: {assign: {n: data.n + 1}}}}}
    """)
    run = drive(staying, actions={"work": _named("work", "more")})
    assert (run.status, run.send("more").data["n"]) == (Status.WAITING, 2)


def _working_states() -> Iterator[Any]:
    """Of the gallery, and of what `init` writes."""
    texts = {path.stem: path for path in GALLERY}
    for name, path in texts.items():
        workflow = Workflow.load(path)
        yield from (pytest.param(workflow, leaf.path, id=f"{name}-{leaf.path}") for leaf in workflow.leaves if leaf.do)
    hello = loads((STARTER / "workflows" / "hello.yaml.txt").read_text(encoding="utf-8"))
    yield pytest.param(hello, "greeting", id="hello-greeting")


@pytest.mark.parametrize(("workflow", "state"), list(_working_states()))
def test_nothing_can_be_sent_to_a_state_of_the_gallery_that_works_but_cancel(workflow: Workflow, state: str) -> None:
    spoken: dict[str, Any] = {}
    exec((STARTER / "greetings.py.txt").read_text(encoding="utf-8"), spoken)  # noqa: S102 - it is what `init` writes
    program = Program(workflow, signature=Actions([spoken["greet"]], modules=MODULES).signature)
    head = Head("a", workflow.name, 1, workflow.hash, state, Status.RUNNING, 1, 0, 0)
    assert set(workflow.allowed(state)) - program.claimed(head) == {"cancel"}


def test_nobody_sends_a_booked_flight_back_to_the_question_for_its_date() -> None:
    workflow = Workflow.load(ROOT / "workflows" / "book_flight.yaml")
    for state in ("planning.reading", "executing.issuing"):
        assert not {"needs_date", "needs_airport", "plan_ready"} & set(workflow.allowed(state))


SLOW = flow("""
    data: {seen: {type: integer, default: 0}}
    events: {fin: {}, fin2: {}, note: {}, stop: {}, look: {}}
    initial: a
    on: {stop: d}
    states:
      a:
        do: slow
        on: {fin: c, error: d, note: {assign: {seen: data.seen + 1}}, look: {assign: {seen: data.seen + 10}}}
      c: {on: {look: {}, fin2: d}}
      d: {final: true}
""")
UNKNOWN = (
    "from outside, because this process does not know action 'slow', and as far as can be told here only that action "
    "may name it; send it where the action is known: in the folder of its project, or by a runner that has it; "
    "allowed: stop, look, cancel"
)


@on_loop
async def test_a_process_that_does_not_know_the_action_takes_nothing_that_only_the_action_might_name(
    every_url: str,
) -> None:
    gate = Gate("slow")
    async with Runner(open_store(every_url), actions=[gate.as_action(emits=["fin"])]) as runner:
        driven = asyncio.create_task(runner.start(SLOW, id="a"))
        await gate.begun.wait()
        front_end = Runner(runner.store)
        for event in ("fin", "note"):  # one leaves the state, the other would be queued
            with pytest.raises(IllegalEvent) as refused:
                await front_end.send("a", event)
            assert str(refused.value) == f"event {event!r} is not allowed in state 'a' {UNKNOWN}"
            assert refused.value.allowed == ("stop", "look", "cancel")
        assert (await front_end.send("a", "look")).delivery == "queued"  # a state that waits takes it too
        assert (await front_end.get("a")).allowed == ("stop", "look", "cancel")
        assert (await runner.get("a")).allowed == ("note", "stop", "look", "cancel")
        assert (await runner.send("a", "note")).delivery == "queued"  # it is known that the action does not name it
        gate.open("fin")
        assert ((await driven).state, (await driven).data["seen"]) == ("c", 0)
        refusals = [step.reason for step in await runner.history("a") if step.kind is StepKind.REFUSED]
        assert refusals == ["not allowed in state 'c'"]


@on_loop
async def test_nor_does_what_was_queued_before_count_where_the_next_action_is_not_known() -> None:
    gate = Gate("check")
    async with Runner(open_store("memory://"), actions=[gate.as_action(emits=["checked"])]) as runner:
        driven = await _checking(runner, gate)
        assert (await runner.send("a", "paid")).delivery == "queued"
        gate.open("checked")
        assert (await driven).error["type"] == "ActionMissing"  # type: ignore[index]
        refused = (await runner.history("a"))[2]
        assert (refused.kind, refused.event) == (StepKind.REFUSED, "paid")
        assert (refused.reason or "").startswith(
            "it came from outside, and this process does not know action 'pay', and as far as can be told here only "
            "that action may name it in state 'paying'"
        )


@on_loop
async def test_what_a_question_offers_and_what_the_workflow_itself_takes_come_from_outside_wherever_that_is() -> None:
    asking = flow("""
        events: {yes: {}, no: {}, halt: {}, fin: {}, sure: {}}
        on: {halt: done}
        initial: a
        states:
          a: {do: slow, on: {yes: done, no: asking, sure: deciding, fin: done}}
          asking: {ask: {prompt: "?", events: [yes, no]}, on: {yes: a, no: done}}
          deciding: {do: human.ask, with: {prompt: "?", events: [sure]}, on: {sure: a}}
          done: {final: true}
    """)
    async with Runner(open_store("memory://")) as front_end:
        agent = await front_end.start(asking, id="a", drive=False)
        assert agent.allowed == ("yes", "no", "halt", "sure", "cancel")
        with pytest.raises(IllegalEvent, match="does not know action 'slow'"):
            await front_end.send("a", "fin", drive=False)
        assert (await front_end.send("a", "halt", drive=False)).state == "done"


@on_loop
async def test_a_question_of_an_unknown_action_is_answered_as_ever() -> None:
    @action
    async def slow(ctx: Context) -> Any:
        return ctx.ask("Sure?", events=["fin"])

    store = open_store("memory://")
    async with Runner(store, actions=[slow]) as runner:
        await runner.start(SLOW, id="a")
        front_end = Runner(store)
        assert (await front_end.get("a")).allowed == ("fin", "stop", "look", "cancel")
        with pytest.raises(IllegalEvent):
            await front_end.send("a", "note")
        assert (await front_end.answer("a", event="fin")).state == "c"


def test_a_command_in_a_folder_of_its_own_cannot_name_what_an_action_of_a_project_names(tmp_path: Path) -> None:
    url, empty = f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "empty"
    empty.mkdir()
    workflow = Workflow.load(ROOT / "workflows" / "book_flight.yaml")

    async def begin() -> None:
        async with Runner(open_store(url), modules=MODULES) as runner:
            await runner.start(workflow, "new_task", {"goal": "x"}, id="bf2", drive=False)

    asyncio.run(begin())

    def said(*words: str) -> Any:
        command = [
            sys.executable,
            "-c",
            "from fsm_agent.cli.main import main; main()",
            "--store",
            url,
            "--json",
            *words,
        ]
        return json.loads(subprocess.run(command, cwd=empty, capture_output=True, text=True, check=False).stdout)

    assert (said("show", "bf2")["state"], said("show", "bf2")["allowed"]) == ("planning.reading", ["cancel"])
    refused = said("send", "bf2", "step_complete")["error"]
    assert (refused["type"], refused["allowed"]) == ("IllegalEvent", ["cancel"])
    assert "does not know action" in refused["detail"]


def test_no_other_event_is_suggested_where_there_is_such_an_event() -> None:
    pair = flow("""
        events: {fin: {}, fin2: {}, order: {}}
        initial: a
        states: {a: {do: slow, on: {fin: d, fin2: {}}}, d: {final: true}}
    """)

    @action(emits=["fin"])
    async def slow(ctx: Context) -> Any:
        return ctx.ask("Sure?", events=["fin2"])

    run = drive(pair, actions={"slow": slow})
    with pytest.raises(IllegalEvent) as refused:
        run.send("fin")
    assert "did you mean" not in str(refused.value)
    with pytest.raises(IllegalEvent, match="'order' is not allowed in state 'a'; allowed: fin2, cancel"):
        run.send("order")
