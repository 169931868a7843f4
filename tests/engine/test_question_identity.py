"""A question has an identity: an answer is for the question that was read, and for no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.book_flight import actions as booking
from fsm_agent import Workflow, sync
from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.domain.record import Commit, Committed, Origin
from fsm_agent.errors import Conflict, ExpressionFailed, KeyReuse, NotAddressee, NotAsked, QuestionClosed
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import drive
from tests.support.runtime import flow, on_loop

BOOK_FLIGHT = Workflow.load("workflows/book_flight.yaml")
ORDER = flow("""
    data:
      item: {type: string, default: tea}
      price: {type: integer, default: 2}
      boss: {type: [string, array], default: ana}
      seen: {type: integer, default: 0}
    merge: {seen: last}
    events: {buy: {}, again: {}, rename: {item: string}, promote: {boss: [string]}, look: {}, cost: {price: integer},
             note: {item: string}, other: {}}
    initial: asking
    states:
      asking:
        ask:
          prompt: "Buy {{ data.item }} for {{ 10 / data.price }}?"
          events: [buy, again, note]
          to: data.boss
        on:
          buy: done
          again: asking
          rename: {assign: {item: event.item}}
          note: {assign: {item: event.item}}
          promote: {assign: {boss: event.boss}}
          look: {assign: {seen: data.seen + 1}}
          cost: {assign: {price: event.price}}
          other: idle
        after: {1h: {assign: {item: "'stale tea'"}}, 2h: {assign: {price: "0"}}}
      idle: {on: {again: asking}}
      done: {final: true}
""")

Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the same store of every kind that comes with us, as often as it is called."""
    if request.param == "sqlite":
        return lambda: open_store(f"sqlite:///{tmp_path / 'agents.db'}")
    store = open_store("memory://")
    return lambda: store


async def check_whole(runner: Runner) -> None:
    for agent in (await runner.list()).agents:
        assert (await runner.replay(agent.id)).mismatches == []


def question_of(agent: Any) -> tuple[int, str, tuple[str, ...]]:
    assert agent.question is not None
    return agent.question.id, agent.question.prompt, agent.question.to


@on_loop
async def test_of_two_who_answer_one_question_at_once_neither_answers_the_next(opened: Opener) -> None:
    here, there = Runner(opened(), modules=[booking.__name__]), Runner(opened(), modules=[booking.__name__])
    goal = {"goal": "from London to New York on 24 December 2027"}
    for race in range(15):
        asked = await here.start(BOOK_FLIGHT, "new_task", goal, id=f"race-{race}")
        assert asked.question is not None
        outcomes = await asyncio.gather(
            *(
                runner.answer(asked.id, {"airport": "JFK"}, question=asked.question.id, by=by)
                for runner, by in ((here, "ana"), (there, "bob"))
            ),
            return_exceptions=True,
        )
        [closed] = [outcome for outcome in outcomes if isinstance(outcome, QuestionClosed)]
        now = await here.get(asked.id)
        assert now.question is not None, "it asks twice: an answer without an identity would have been taken"
        assert now.question.id > asked.question.id
        answers = [step for step in await here.history(asked.id) if step.event == "airport_given"]
        assert len(answers) == 1
        assert f"{answers[0].by} answered 'airport_given' at version {answers[0].version}" in str(closed)
        await here.cancel(asked.id)
    await check_whole(here)
    await here.close()
    await there.close()


class Overtaken(MemoryStore):
    """Bob answers between Ana's reading and her writing."""

    async def commit(self, commit: Commit) -> Committed:
        if commit.step.by == "ana":
            other = Runner(self)
            if (await other.get("a")).version == 1:
                await other.answer("a", event="again", question=1, by="bob")
        return await super().commit(commit)


@on_loop
async def test_an_answer_that_lost_the_race_is_judged_by_the_agent_as_it_stands_then() -> None:
    store = Overtaken()
    async with Runner(store) as runner:
        await runner.start(ORDER, id="a", data={"boss": ["ana", "bob"]})
        with pytest.raises(QuestionClosed, match="bob answered 'again' at version 2; it asks question 2 now"):
            await runner.answer("a", event="buy", question=1, by="ana")
        assert [step.by for step in await runner.history("a")] == [None, "bob"]


def test_an_answer_to_another_question_says_who_answered_what_and_what_is_asked_now() -> None:
    with sync.Runner(open_store("memory://")) as runner:
        first = runner.start(ORDER, id="a")
        assert question_of(first) == (1, "Buy tea for 5?", ("ana",))
        assert first.to_json()["question"]["id"] == 1
        second = runner.answer("a", event="again", by="ana", question=1)
        assert question_of(second)[0] == 2
        with pytest.raises(QuestionClosed) as refused:
            runner.answer("a", event="buy", by="ana", question=1)
        assert str(refused.value) == (
            "question 1 of agent 'a' is closed: ana answered 'again' at version 2; "
            "it asks question 2 now: 'Buy tea for 5?'"
        )
        assert (refused.value.question, refused.value.is_answered) == (1, True)
        assert refused.value.now is not None
        assert refused.value.now.id == 2
        for never in (3, 99, 0, -1):
            with pytest.raises(QuestionClosed, match=f"has asked no question {never}; it asks question 2 now"):
                runner.answer("a", event="buy", by="ana", question=never)
        runner.send("a", "other", by="eve")
        with pytest.raises(QuestionClosed, match="is closed: eve sent 'other' at version 3; it asks nothing now"):
            runner.answer("a", event="buy", by="ana", question=2)
        with pytest.raises(QuestionClosed, match="has asked no question 3"):
            runner.answer("a", event="buy", by="ana", question=3)
        runner.cancel("a", by="ops")
        with pytest.raises(QuestionClosed, match="eve sent 'other' at version 3; it asks nothing now: it is cancelled"):
            runner.answer("a", event="buy", by="ana", question=2)
        assert len(runner.history("a")) == 4


def test_without_an_identity_an_answer_goes_to_whichever_question_is_asked() -> None:
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(ORDER, id="a")
        runner.answer("a", event="again", by="ana")
        assert runner.answer("a", event="buy", by="ana").status is Status.DONE
        with pytest.raises(NotAsked, match="ana answered 'buy' at version 3"):
            runner.answer("a", event="buy", by="ana")


def test_a_repeat_under_the_same_key_is_a_duplicate_also_when_the_question_is_closed() -> None:
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(ORDER, id="a")
        assert runner.answer("a", event="again", by="ana", question=1, key="k").delivery == "applied"
        assert runner.answer("a", event="again", by="ana", question=1, key="k").delivery == "duplicate"
        with pytest.raises(KeyReuse):
            runner.answer("a", event="buy", by="ana", question=1, key="k")
        with pytest.raises(QuestionClosed):
            runner.answer("a", event="again", by="ana", question=1, key="other")
        assert len(runner.history("a")) == 2, "a refusal uses no key"


@on_loop
async def test_a_question_of_an_action_has_an_identity_too() -> None:
    asks = flow("""
        events: {yes: {}}
        initial: desk
        states:
          desk: {do: human.ask, with: {prompt: Well?, events: [yes]}, on: {yes: desk}}
    """)
    async with Runner(open_store("memory://")) as runner:
        agent = await runner.start(asks, id="a")
        assert question_of(agent)[0] == 2
        assert question_of(await runner.answer("a", question=2))[0] == 4
        with pytest.raises(QuestionClosed, match="somebody answered 'yes' at version 3; it asks question 4 now: 'Well"):
            await runner.answer("a", question=2)


def test_a_step_that_changes_what_a_question_says_puts_another_question() -> None:
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(ORDER, id="a")
        renamed = runner.send("a", "rename", {"item": "milk"}, by="eve")
        assert question_of(renamed) == (2, "Buy milk for 5?", ("ana",))
        with pytest.raises(QuestionClosed) as refused:
            runner.answer("a", event="buy", by="ana", question=1)
        assert str(refused.value) == (
            "question 1 of agent 'a' is closed: eve sent 'rename' (item) at version 2; "
            "it asks question 2 now: 'Buy milk for 5?'"
        )
        assert runner.answer("a", event="buy", by="ana", question=2).status is Status.DONE
        assert [step.asks_anew for step in runner.history("a")] == [False, True, False]
        assert question_of(runner.get("a", at=1)) == (1, "Buy tea for 5?", ("ana",))
        assert question_of(runner.get("a", at=2)) == (2, "Buy milk for 5?", ("ana",))
        assert runner.replay("a").mismatches == []


def test_a_step_that_changes_to_whom_it_goes_puts_another_question() -> None:
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(ORDER, id="a")
        promoted = runner.send("a", "promote", {"boss": ["bob", "eve"]})
        assert question_of(promoted) == (2, "Buy tea for 5?", ("bob", "eve"))
        with pytest.raises(NotAddressee):
            runner.answer("a", event="buy", by="ana", question=2)
        assert runner.answer("a", event="buy", by="bob", question=2).status is Status.DONE


def test_a_step_that_changes_nothing_that_a_question_says_leaves_it_as_it_is() -> None:
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(ORDER, id="a")
        for event, payload in (("look", {}), ("rename", {"item": "tea"})):
            assert question_of(runner.send("a", event, payload))[0] == 1
        assert [step.asks_anew for step in runner.history("a")] == [False, False, False]
        assert runner.answer("a", event="buy", by="ana", question=1).status is Status.DONE


def test_an_answer_that_stays_closes_the_question_if_it_changes_what_that_says() -> None:
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(ORDER, id="a")
        assert question_of(runner.answer("a", {"item": "rye"}, event="note", by="ana", question=1))[0] == 2
        with pytest.raises(QuestionClosed, match="ana answered 'note' at version 2; it asks question 2 now"):
            runner.answer("a", {"item": "oat"}, event="note", by="ana", question=1)


def test_a_timer_that_stays_puts_another_question_too() -> None:
    run = drive(ORDER)
    run.advance(hours=1)
    assert question_of(run.agent) == (2, "Buy stale tea for 5?", ("ana",))


def test_a_question_that_cannot_be_rendered_again_is_treated_like_any_failed_expression() -> None:
    run = drive(ORDER)
    with pytest.raises(ExpressionFailed):
        run.send("cost", price=0)
    assert (question_of(run.agent)[0], run.data["price"], len(run.history)) == (1, 2, 1)
    run.advance(hours=2)
    assert (run.status, run.agent.error and run.agent.error["type"]) == (Status.PARKED, "ExpressionFailed")


def test_a_decision_on_a_question_that_reads_otherwise_by_now_is_a_conflict() -> None:
    merging = flow("""
        data: {seen: {type: integer, default: 0}}
        merge: {seen: max}
        events: {buy: {}, look: {}}
        initial: asking
        states:
          asking:
            ask: {prompt: "Seen by {{ data.seen }}?", events: [buy]}
            on: {buy: done, look: {assign: {seen: data.seen + 1}}}
          done: {final: true}
    """)
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(merging, id="a")
        runner.send("a", "look")
        with pytest.raises(Conflict):
            runner.answer("a", expect_version=1)
        assert runner.send("a", "look", expect_version=1).version == 3, "an edit stands beside an edit"


@on_loop
async def test_what_an_action_has_asked_stays_as_it_was_put() -> None:
    @action(name="haggle")
    async def haggle(ctx: Context) -> Any:
        return ctx.ask(f"{ctx.data.item}?", ["yes"])

    asks = flow("""
        data: {item: {type: string, default: tea}}
        events: {yes: {}, rename: {item: string}}
        initial: desk
        states:
          desk: {do: haggle, on: {yes: done, rename: {assign: {item: event.item}}, error: done}}
          done: {final: true}
    """)
    async with Runner(open_store("memory://"), actions=[haggle]) as runner:
        await runner.start(asks, id="a")
        renamed = await runner.send("a", "rename", {"item": "milk"})
        assert question_of(renamed) == (2, "tea?", ())
        assert (await runner.answer("a", question=2)).state == "done"


@on_loop
async def test_a_rewind_a_fork_and_a_migration_put_another_question() -> None:
    newer = flow(
        """
        data: {item: {type: string, default: tea}}
        events: {yes: {}}
        initial: asking
        states: {asking: {ask: {prompt: "{{ data.item }}?", events: [yes]}, on: {yes: asking}}, over: {final: true}}
        """.replace("states:", "on: {cancel: over}\n        states:")
    )
    older = flow("""
        data: {item: {type: string, default: tea}}
        events: {yes: {}}
        initial: asking
        states: {asking: {ask: {prompt: "{{ data.item }}?", events: [yes]}, on: {yes: asking}}}
    """)
    async with Runner(open_store("memory://")) as runner:
        await runner.start(older, id="a")
        await runner.answer("a", question=1)
        assert question_of((await runner.rewind("a", 1)).agent)[0] == 3
        assert question_of(await runner.fork("a", id="b"))[0] == 1
        assert [outcome.verdict for outcome in (await runner.migrate(_second(newer), ["a"], apply=True)).outcomes]
        assert question_of(await runner.get("a"))[0] == 4
        with pytest.raises(QuestionClosed):
            await runner.answer("a", question=3)
        await check_whole(runner)


def _second(workflow: Workflow) -> Workflow:
    return Workflow.from_json({**workflow.to_json(), "version": 2})


@pytest.mark.parametrize("is_shortened", [False, True])
@on_loop
async def test_a_question_that_an_earlier_version_kept_has_the_version_of_the_step_that_put_it(
    opened: Opener, is_shortened: bool
) -> None:
    store = opened()
    async with Runner(store) as runner:
        await runner.start(ORDER, id="a")
        await runner.answer("a", event="again", by="ana")
        await runner.send("a", "look")
        await _forget_id(store)
        expected = 2
        if is_shortened:
            head = await store.head("a")
            await store.shorten(head, Origin(head, (await runner.get("a")).data))
            expected = 3
        assert question_of(await runner.get("a"))[0] == expected
        [listed] = (await runner.list(waiting=True)).agents
        assert question_of(listed)[0] == expected
        await check_whole(runner)
        with pytest.raises(QuestionClosed):
            await runner.answer("a", event="buy", by="ana", question=1)
        await runner.send("a", "look")
        assert (await store.head("a")).asked.id == expected, "the next step writes it"  # type: ignore[union-attr]
        await check_whole(runner)
        assert (await runner.answer("a", event="buy", by="ana", question=expected)).status is Status.DONE


async def _forget_id(store: Store) -> None:
    """The agent as it was kept before questions had an identity."""
    whole = await store.dump("a")
    assert whole.head.asked is not None
    old = whole.head._replace(asked=whole.head.asked._replace(id=0))
    await store.adopt(whole._replace(head=old), replaces=whole.head)
    assert (await store.head("a")).asked == old.asked


@on_loop
async def test_a_question_is_as_stale_as_an_earlier_version_left_it_and_its_history_adds_up(opened: Opener) -> None:
    store = opened()
    async with Runner(store) as runner:
        first = await runner.start(ORDER, id="a")
        await runner.send("a", "rename", {"item": "milk"})
        whole = await store.dump("a")
        asked = (await store.head("a")).asked
        assert asked is not None
        assert first.question is not None
        old = whole.head._replace(asked=asked._replace(prompt=first.question.prompt, id=0))
        steps = tuple(step._replace(asks_anew=False) for step in whole.steps)
        await store.adopt(whole._replace(head=old, steps=steps), replaces=whole.head)
        assert question_of(await runner.get("a")) == (1, "Buy tea for 5?", ("ana",))
        await check_whole(runner)
        assert question_of(await runner.send("a", "look")) == (3, "Buy milk for 5?", ("ana",)), (
            "the next change mends it"
        )
        await check_whole(runner)
