"""Questions that an action asks: the agent waits in the state that asked, and an answer takes it on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsm_agent import Context, action
from fsm_agent.domain.agent import Status
from fsm_agent.domain.record import Commit, Committed
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.errors import (
    AnswerUnclear,
    GuardsRefused,
    IllegalEvent,
    NotAddressee,
    NotAsked,
    PayloadInvalid,
)
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock, drive
from tests.support.runtime import flow, on_loop, story

DESK = """
    data: {item: {type: string, default: tea}, price: {type: integer, default: 1}, times: {type: integer, default: 0}}
    events: {yes: {count: {type: integer, minimum: 1}}, no: {why: "string?"}, note: {}, other: {}}
    initial: desk
    on: {cancel: gone}
    states:
      desk:
        do: haggle
        retry: {attempts: 3, backoff: 1ms, on: [ConnectionError]}
        after: {3d: gone}
        on:
          yes: [{target: done, when: event.count < 10}]
          no: desk
          note: {assign: {times: data.times + 100}}
          error: failed
      done: {final: true, output: {item: data.item, price: data.price}}
      gone: {final: true, outcome: cancelled}
      failed: {final: true, outcome: failed}
"""
HAGGLE = flow(DESK)


def haggle(ctx: Context) -> Any:
    """Asks more every time."""
    ctx.data.times += 1
    ctx.data.price += 5
    return ctx.ask(f"{ctx.data.price} for {ctx.data.item}?", ["yes", "no"], to="ana")


def asking(*answers: str, prompt: str = "Well?", to: Any = ()) -> Any:
    return lambda ctx: ctx.ask(prompt, answers, to=to)


def at_desk(script: Any = haggle) -> Any:
    return drive(HAGGLE, actions={"haggle": script})


def test_the_question_appears_with_the_schemas_of_its_answers_and_the_deadline_of_the_state() -> None:
    run = at_desk()
    question = run.agent.question
    assert (run.status, run.state, question.prompt, question.to) == (Status.WAITING, "desk", "6 for tea?", ("ana",))
    assert question.events["yes"]["properties"] == {"count": {"type": "integer", "minimum": 1}}
    assert list(question.events) == ["yes", "no"]
    assert question.deadline.timestamp() * 1000 == run.clock.ms + 3 * 86_400_000
    assert run.data == {"item": "tea", "price": 6, "times": 1}, "what it changed is committed with the question"
    step = run.history[-1]
    assert (step.kind, step.event, step.payload) == (
        StepKind.ASKED,
        "ask",
        {"prompt": "6 for tea?", "events": ["yes", "no"], "to": ["ana"]},
    )
    assert (step.source, step.target, step.entered) == ("desk", "desk", 0)


def test_an_answer_takes_the_agent_on_and_an_answer_back_to_the_state_asks_again() -> None:
    run = at_desk()
    run.answer("no", by="ana")
    assert (run.prompt, run.head.visits) == ("11 for tea?", {"desk": 2})
    run.answer("yes", by="ana", count=2)
    assert (run.status, run.agent.output, run.agent.question) == (Status.DONE, {"item": "tea", "price": 11}, None)
    assert story(run.history) == [
        "created created >desk",
        "asked ask desk>desk",
        "event no desk>desk",
        "asked ask desk>desk",
        "event yes desk>done",
    ]


def test_answers_are_validated_and_only_from_whom_it_is_for() -> None:
    run = at_desk()
    before = run.history
    for refusal, call in [
        (NotAddressee, lambda: run.answer("yes", by="bob", count=1)),
        (NotAddressee, lambda: run.send("no", by="bob")),
        (PayloadInvalid, lambda: run.answer("yes", by="ana", count=0)),
        (PayloadInvalid, lambda: run.answer("yes", by="ana")),
        (GuardsRefused, lambda: run.answer("yes", by="ana", count=10)),
        (AnswerUnclear, lambda: run.answer(by="ana")),
        (IllegalEvent, lambda: run.answer("note", by="ana")),
    ]:
        with pytest.raises(refusal):
            call()
    assert run.history == before
    assert run.prompt == "6 for tea?"


def test_what_is_no_answer_passes_by_and_leaves_the_question() -> None:
    run = at_desk()
    run.send("note", by="bob")
    assert (run.prompt, run.data["times"]) == ("6 for tea?", 101)


def test_the_only_answer_needs_no_name_and_anybody_may_give_it() -> None:
    run = at_desk(asking("no"))
    run.answer(by="whoever")
    assert run.history[-2].event == "no"


def test_several_may_be_asked() -> None:
    run = at_desk(asking("yes", to=["ana", "bob"]))
    assert run.agent.question.to == ("ana", "bob")
    with pytest.raises(NotAddressee, match="the question is for ana, bob, and 'eve' may not answer it"):
        run.answer(by="eve", count=1)
    assert run.answer(by="bob", count=1).state == "done"


def test_nobody_answers_in_time_and_the_timer_of_the_state_fires() -> None:
    run = at_desk()
    assert run.advance(days=3).state == "gone"
    with pytest.raises(NotAsked):
        run.answer("no", by="ana")


def test_it_can_be_cancelled() -> None:
    assert at_desk().cancel().state == "gone"


@pytest.mark.parametrize("answers", [["other"], ["gone"], ["yes", "other"], ["error"], ["cancel"]])
def test_an_answer_that_the_state_does_not_take_is_an_error_that_says_what_it_takes(answers: list[str]) -> None:
    run = at_desk(asking(*answers))
    odd = answers[-1]
    assert (run.state, run.agent.error["type"]) == ("failed", "IllegalEvent")
    assert run.agent.error["message"] == (
        f"event {odd!r} is not allowed in state 'desk' as an answer to what its action asks; "
        "allowed: yes, no, note, cancel"
    )


@pytest.mark.parametrize(
    ("prompt", "events", "to"), [("", ["yes"], ()), ("  ", ["yes"], ()), ("Well?", [], ()), ("Well?", "yes", ())]
)
def test_a_question_without_text_or_answers_is_an_error_of_the_action(prompt: str, events: Any, to: Any) -> None:
    ask = lambda ctx: ctx.ask(prompt, events, to=to)  # noqa: E731 - it says where it stands
    assert at_desk(ask).agent.error == {
        "type": "ActionError",
        "message": "a question needs a text and the events that answer it: `ctx.ask('Go on?', ['yes'])`",
        "place": f"tests/engine/test_action_questions.py:{ask.__code__.co_firstlineno}",
    }


def test_bad_data_beside_a_question_are_an_error() -> None:
    def spoil(ctx: Context) -> Any:
        ctx.data.price = "dear"
        return ctx.ask("Well?", ["yes"])

    run = at_desk(spoil)
    assert run.agent.error["type"] == "DataInvalid"
    assert run.data["price"] == 1


def test_a_question_beyond_the_limit_of_steps_parks_the_agent() -> None:
    run = drive(replace(HAGGLE, limits=HAGGLE.limits._replace(steps=1)), actions={"haggle": haggle})
    assert (run.status, run.agent.error["type"]) == (Status.PARKED, "LimitExceeded")
    assert run.unpark().prompt == "6 for tea?", "an operator lets it go on"


def test_attempts_that_fail_before_it_asks_are_retried() -> None:
    run = at_desk([ConnectionError("no line"), ConnectionError("no line"), haggle])
    assert (run.prompt, run.head.attempts) == ("6 for tea?", 0)


def test_a_shared_state_may_ask_what_nobody_declared_and_answers_may_be_inherited() -> None:
    run = drive(
        flow("""
            events: {yes: {}, stop: {}}
            initial: outer
            states:
              outer:
                initial: inner
                on: {stop: done}
                states: {inner: {do: haggle, on: {yes: done}}}
              done: {final: true}
        """),
        actions={"haggle": asking("yes", "stop")},
    )
    assert list(run.agent.question.events) == ["yes", "stop"]
    assert run.answer("stop").state == "done"


# --- crash, replay, rewind, fork, migrate


@action(name="haggle")
async def haggle_soon(ctx: Context) -> Any:
    return haggle(ctx)


class Dying(MemoryStore):
    when = "before"

    async def commit(self, commit: Commit) -> Committed:
        dies = commit.step.kind is StepKind.ASKED and self.when
        if dies == "before":
            raise KeyboardInterrupt
        committed = await super().commit(commit)
        if dies:
            raise KeyboardInterrupt
        return committed


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_the_question_asks_it_once(when: str) -> None:
    clock = FakeClock()
    store = Dying(clock=clock)
    store.when = when
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(Runner(store, actions=[haggle_soon]).start(HAGGLE, id="a"))
    store.when = ""
    clock.advance(seconds=15)

    async def go_on() -> None:
        async with Runner(store, actions=[haggle_soon]) as runner:
            agent = await runner.resume("a")
            assert agent.question is not None
            assert (agent.question.prompt, agent.data["times"]) == ("6 for tea?", 1)
            assert (await runner.answer("a", {"count": 1}, event="yes", by="ana")).status is Status.DONE

    asyncio.run(go_on())


async def check_whole(runner: Runner) -> None:
    for head in (await runner.store.list()).heads:
        assert (await runner.replay(head.id)).mismatches == []


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@on_loop
async def test_another_process_finds_the_question_and_its_history_adds_up(kind: str, tmp_path: Path) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path / 'a.db'}"
    store = open_store(url)
    runner = Runner(store, actions=[haggle_soon])
    asked = await runner.start(HAGGLE, id="a")
    if kind == "sqlite":
        await runner.close()
        runner = Runner(open_store(url), actions=[haggle_soon])
    async with runner:
        again = await runner.get("a")
        assert (again.question, again.allowed) == (asked.question, ("yes", "no", "note", "cancel"))
        await check_whole(runner)
        await runner.answer("a", {}, event="no", by="ana")
        past = await runner.get("a", at=2)
        assert past.question is not None
        assert past.question.prompt == "6 for tea?"
        await check_whole(runner)


@on_loop
async def test_a_rewind_and_a_fork_put_the_question_again_as_it_was() -> None:
    async with Runner(open_store("memory://"), actions=[haggle_soon]) as runner:
        await runner.start(HAGGLE, id="a")
        await runner.answer("a", {}, event="no", by="ana")
        back = (await runner.rewind("a", 2)).agent
        assert back.question is not None
        assert (back.status, back.question.prompt, back.question.to) == (Status.WAITING, "6 for tea?", ("ana",))
        assert list(back.question.events) == ["yes", "no"]
        branch = await runner.fork("a", id="b")
        assert branch.question == back.question._replace(deadline=branch.question and branch.question.deadline, id=1)
        with pytest.raises(NotAddressee):
            await runner.answer("b", {"count": 1}, event="yes", by="bob")
        for agent_id in ("a", "b"):
            await check_whole(runner)
            answered = await runner.answer(agent_id, {"count": 1}, event="yes", by="ana")
            assert answered.output == {"item": "tea", "price": 6}
        await check_whole(runner)


@on_loop
async def test_a_migration_leaves_what_was_asked_as_it_is_and_what_does_something_else_now_asks_nothing() -> None:
    later = replace(flow(DESK.replace("3d: gone", "9d: gone")), version=2)
    async with Runner(open_store("memory://"), actions=[haggle_soon]) as runner:
        await runner.start(HAGGLE, id="a")
        assert (await runner.migrate(later, ["a"], apply=True)).outcomes[0].verdict == "moved"
        agent = await runner.get("a")
        assert agent.question is not None
        assert (agent.workflow_version, agent.question.prompt) == (2, "6 for tea?")
        await check_whole(runner)
        other = replace(flow(DESK.replace("do: haggle", "do: hurry")), version=3)
        await runner.migrate(other, ["a"], apply=True)
        agent = await runner.get("a")
        assert (agent.status, agent.question) == (Status.PARKED, None)
        assert (await runner.store.head("a")).asked is None
        await check_whole(runner)


@on_loop
async def test_a_shortened_history_still_knows_what_was_asked() -> None:
    from fsm_agent.domain.retention import Retention

    async with Runner(open_store("memory://"), actions=[haggle_soon]) as runner:
        await runner.start(HAGGLE, id="a")
        await runner.send("a", "note")
        await runner.purge(Retention(history=1))
        await check_whole(runner)
        agent = await runner.get("a")
        assert agent.question is not None
        assert agent.question.to == ("ana",)
        await runner.answer("a", {"count": 1}, event="yes", by="ana")
        await check_whole(runner)


@on_loop
async def test_of_two_answers_at_once_one_is_taken() -> None:
    async with Runner(open_store("memory://"), actions=[haggle_soon]) as runner:
        await runner.start(HAGGLE, id="a")
        answers = (runner.answer("a", {"count": n}, event="yes", by="ana") for n in (1, 2))
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Agent", "NotAsked"]
        [refused] = [outcome for outcome in outcomes if isinstance(outcome, NotAsked)]
        assert "ana answered 'yes' at version 3" in str(refused)
