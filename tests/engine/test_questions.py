"""What a waiting agent asks, who may answer, and what an answer does."""

from __future__ import annotations

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.errors import (
    AnswerUnclear,
    ExpressionFailed,
    GuardsRefused,
    IllegalEvent,
    NotAddressee,
    NotAsked,
    PayloadInvalid,
    UnknownEvent,
)
from fsm_agent.testing import drive
from tests.support.runtime import flow, story

ASKING = flow("""
    data:
      item: {type: string, default: tea}
      price: {type: number, default: 2.5}
      boss: {type: [string, array, "null"], default: null}
    events: {buy: {count: {type: integer, minimum: 1}}, skip: {}, rename: {item: string}, other: {}}
    initial: asking
    states:
      asking:
        ask:
          prompt: "How many {{ data.item }} at {{ data.price }}? ({{ visits['asking'] }})"
          events: [buy, skip]
          to: "data.boss == null ? dyn('anybody') : data.boss"
        on:
          buy: {target: done, when: event.count < 10}
          skip: asking
          rename: {assign: {item: event.item}}
          other: idle
      idle: {on: {skip: asking}}
      done: {final: true}
""")
OPEN = flow("""
    data: {item: {type: string, default: tea}}
    events: {buy: {count: {type: integer, minimum: 1}}, rename: {item: string}}
    initial: asking
    states:
      asking:
        ask: {prompt: "How many {{ data.item }}?", events: [buy]}
        on:
          buy: {target: done, when: event.count < 10}
          rename: {assign: {item: event.item}}
      done: {final: true}
""")


def test_a_question_is_rendered_on_entry_and_again_on_re_entry() -> None:
    run = drive(ASKING)
    assert run.prompt == "How many tea at 2.5? (1)"
    assert run.send("skip", by="anybody").prompt == "How many tea at 2.5? (2)"


def test_a_question_shows_its_answers_with_their_forms() -> None:
    question = drive(ASKING).agent.question
    assert question is not None
    assert list(question.events) == ["buy", "skip"]
    assert question.events["buy"]["properties"] == {"count": {"type": "integer", "minimum": 1}}
    assert question.to_json()["to"] == "anybody"
    assert drive(OPEN).agent.question.to_json()["to"] is None  # type: ignore[union-attr]


@pytest.mark.parametrize(("to", "listed"), [("ana", "ana"), (["ana", "bob"], "ana, bob")])
def test_only_whom_it_is_put_to_may_answer(to: object, listed: str) -> None:
    run = drive(ASKING, data={"boss": to})
    for by, who in ((None, "an unnamed sender"), ("eve", "'eve'")):
        with pytest.raises(NotAddressee, match=f"the question is for {listed}, and {who} may not answer it"):
            run.answer("buy", by=by, count=1)
        with pytest.raises(NotAddressee):
            run.send("buy", by=by, count=1)
    assert (run.status, len(run.history)) == (Status.WAITING, 1)
    assert run.send("rename", item="x").prompt, "what is no answer may come from anybody"
    assert run.answer("buy", by="ana", count=1).state == "done"
    assert run.history[-1].by == "ana"


@pytest.mark.parametrize("nobody", [[], [1], ["ana", None]])
def test_a_question_to_nobody_is_an_error_of_the_one_who_leads_there(nobody: object) -> None:
    with pytest.raises(ExpressionFailed, match="whom to ask must be a name or a list of names"):
        drive(ASKING, data={"boss": nobody})


def test_a_wrong_answer_is_refused_and_the_agent_still_waits() -> None:
    run = drive(OPEN)
    for wrong, error in (({"count": 0}, PayloadInvalid), ({}, PayloadInvalid), ({"count": 10}, GuardsRefused)):
        with pytest.raises(error):
            run.answer(**wrong)  # type: ignore[arg-type]
    assert (run.status, run.prompt, len(run.history)) == (Status.WAITING, "How many tea?", 1)
    assert run.answer(count=9).state == "done"


def test_of_several_answers_the_event_must_be_said_and_be_one_of_them() -> None:
    run = drive(ASKING)
    with pytest.raises(AnswerUnclear, match="for one of buy, skip: say which"):
        run.answer(by="anybody")
    with pytest.raises(IllegalEvent, match="event 'rename' is not allowed in state 'asking' as an answer"):
        run.answer("rename", item="x")
    with pytest.raises((IllegalEvent, UnknownEvent)):
        run.answer("nonsense")


def test_where_nothing_is_asked_nothing_is_answered() -> None:
    run = drive(ASKING).send("other")
    with pytest.raises(NotAsked, match="asks nothing now: it is waiting in state 'idle'"):
        run.answer("skip")
    assert run.prompt is None
    assert story(run.history)[1:] == ["event other asking>idle"]
