"""What callers give in the wrong type is refused in one sentence, the same on every store, and nothing has happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fsm_agent import Retention, Workflow, open_store
from fsm_agent.errors import ArgumentInvalid, Refused, RunnerClosed
from fsm_agent.sync import Runner
from tests.support.runtime import flow

#: Half of a surrogate pair: a string of Python that is no text.
HALF = "\ud800"
NO_TEXT = "is no Unicode text: half of a surrogate pair cannot be kept"
FLOW = flow("""
    data: {item: string?}
    events: {go: {item: string}, noted: {}}
    initial: asking
    states:
      asking:
        ask: {prompt: Which?, events: [go]}
        on: {go: {target: done, assign: {item: event.item}}, noted: asking}
      done: {final: true}
""")
GO = {"item": "tea"}

Call = Callable[[Any], object]
WRONG: list[tuple[str, Call, str]] = [
    ("start", lambda r: r.start("file.yaml"), "workflow must be a Workflow, and is of type str; `Workflow.load(path)`"),
    ("start", lambda r: r.start(None), "workflow must be a Workflow, and is None; `Workflow.load(path)`"),
    ("start", lambda r: r.start(FLOW, 5), "event must be a string, and is of type int"),
    ("start", lambda r: r.start(FLOW, "noted", [1]), "payload must be a mapping of fields to values, and is of type l"),
    ("start", lambda r: r.start(FLOW, data="abc"), "data must be a mapping of fields to values, and is of type str"),
    ("start", lambda r: r.start(FLOW, data={"item": HALF}), "the data is wrong: item is no Unicode text"),
    ("start", lambda r: r.start(FLOW, id=5), "id must be a string, and is of type int"),
    ("start", lambda r: r.start(FLOW, id=HALF), f"id {NO_TEXT}"),
    ("start", lambda r: r.start(FLOW, key=5), "key must be a string, and is of type int"),
    ("start", lambda r: r.start(FLOW, by=["ana"]), "by must be a string, and is of type list"),
    ("start", lambda r: r.start(FLOW, user=5), "user must be a string, and is of type int"),
    ("start", lambda r: r.start(FLOW, key=""), "key is empty; give it a text, or leave it out"),
    ("start", lambda r: r.start(FLOW, by=""), "by is empty; give it a text, or leave it out"),
    ("send", lambda r: r.send("one", "noted", key=""), "key is empty; give it a text, or leave it out"),
    ("send", lambda r: r.send("one", "noted", by=""), "by is empty; give it a text, or leave it out"),
    ("answer", lambda r: r.answer("one", GO, key=""), "key is empty; give it a text, or leave it out"),
    ("answer", lambda r: r.answer("one", GO, by=""), "by is empty; give it a text, or leave it out"),
    ("answer", lambda r: r.answer("one", GO, question="1"), "question must be an integer, and is of type str"),
    ("cancel", lambda r: r.cancel("one", by=""), "by is empty; give it a text, or leave it out"),
    ("unpark", lambda r: r.unpark("one", by=""), "by is empty; give it a text, or leave it out"),
    ("migrate", lambda r: r.migrate(FLOW, ["one"], by=""), "by is empty; give it a text, or leave it out"),
    ("rewind", lambda r: r.rewind("one", 1, by=""), "by is empty; give it a text, or leave it out"),
    ("fork", lambda r: r.fork("one", key=""), "key is empty; give it a text, or leave it out"),
    ("fork", lambda r: r.fork("one", by=""), "by is empty; give it a text, or leave it out"),
    ("forget", lambda r: r.forget("ana", by=""), "by is empty; give it a text, or leave it out"),
    ("list", lambda r: r.list(status="asleep"), "status must be one of running, waiting, parked, done, failed, canc"),
    ("start", lambda r: r.start(FLOW, key=" "), "key is only white space; give it a text, or leave it out"),
    ("start", lambda r: r.start(FLOW, by="\t"), "by is only white space; give it a text, or leave it out"),
    ("start", lambda r: r.start(FLOW, user=""), "user is empty; give it a text, or leave it out"),
    ("start", lambda r: r.start(FLOW, user="\u2003 "), "user is only white space; give it a text, or leave it out"),
    ("send", lambda r: r.send("one", "noted", key="\n"), "key is only white space; give it a text, or leave it out"),
    ("answer", lambda r: r.answer("one", GO, by=" "), "by is only white space; give it a text, or leave it out"),
    ("fork", lambda r: r.fork("one", key=" "), "key is only white space; give it a text, or leave it out"),
    ("forget", lambda r: r.forget(""), "user is empty; say who it is"),
    ("forget", lambda r: r.forget("  "), "user is only white space; say who it is"),
    ("thread", lambda r: r.thread(""), "there can be no thread '': the name of a thread is 1 to 128 letters"),
    ("thread", lambda r: r.thread(" "), "there can be no thread ' ': the name of a thread is 1 to 128 letters"),
    ("list", lambda r: r.list(status=5), "status must be a Status or a list of them, and is of type int"),
    ("list", lambda r: r.list(status=[5]), "status must be one of running, waiting, parked, done, failed, cancelled"),
    ("list", lambda r: r.list(status=None), "status must be a Status or a list of them, and is None"),
    ("list", lambda r: r.list(waiting="x"), "waiting must be True or False, and is of type str"),
    ("list", lambda r: r.list(limit=1_001), "limit must be at most 1000, and is 1001; go on with `after`"),
    ("migrate", lambda r: r.migrate(FLOW, limit=2_000), "limit must be at most 1000, and is 2000; go on with `after`"),
    ("list", lambda r: r.list(limit=0), "limit must be an integer from 1, and is 0"),
    ("list", lambda r: r.list(newest=1), "newest must be True or False, and is of type int"),
    ("list", lambda r: r.list(state=5), "state must be a string, and is of type int"),
    ("list", lambda r: r.list(user=""), "user is empty; give it a text, or leave it out"),
    ("list", lambda r: r.list(label=5), "label must be a name or a pair (name, text), and is of type int"),
    ("list", lambda r: r.list(label=("case",)), "label must be a name or a pair (name, text), and is of type tuple"),
    ("list", lambda r: r.list(label=""), "label is empty; give it a text, or leave it out"),
    ("list", lambda r: r.list(label=("", "x")), "the name in label is empty; give it a text, or leave it out"),
    ("list", lambda r: r.list(label=("case", 17)), "the text in label must be a string, and is of type int"),
    ("list", lambda r: r.list(label=("case", HALF)), f"the text in label {NO_TEXT}"),
    ("list", lambda r: r.list(waiting=True, to=5), "to must be a string, and is of type int"),
    ("list", lambda r: r.list(waiting=True, to=" "), "to is only white space; say who it is"),
    ("count_questions", lambda r: r.count_questions(to=HALF), f"to {NO_TEXT}"),
    ("count_questions", lambda r: r.count_questions(workflow=5), "workflow must be a string, and is of type int"),
    ("start", lambda r: r.start(FLOW, labels=["case"]), "labels must be a mapping of names to texts, and is of type"),
    ("start", lambda r: r.start(FLOW, labels={"case": 17}), "labels['case'] must be a string, and is of type int"),
    ("start", lambda r: r.start(FLOW, labels={"case": HALF}), f"labels['case'] {NO_TEXT}"),
    ("start", lambda r: r.start(FLOW, labels={" ": "x"}), "a name in labels is only white space; give it a text"),
    ("start", lambda r: r.start(FLOW, labels={"x": "y" * 257}), "a text of more than 256 characters"),
    ("start", lambda r: r.start(FLOW, labels=dict.fromkeys(map(str, range(33)), "")), "33 names, and 32 are allowed"),
    ("send", lambda r: r.send(5, "noted"), "agent_id must be a string, and is of type int"),
    ("send", lambda r: r.send(None, "noted"), "agent_id must be a string, and is None"),
    ("send", lambda r: r.send(r.get("one"), "noted"), "agent_id must be a string, and is of type Agent"),
    ("send", lambda r: r.send(HALF, "noted"), f"agent_id {NO_TEXT}"),
    ("send", lambda r: r.send("one", None), "event must be a string, and is None"),
    ("send", lambda r: r.send("one", HALF), f"event {NO_TEXT}"),
    ("send", lambda r: r.send("one", "go", "tea"), "payload must be a mapping of fields to values, and is of type str"),
    ("send", lambda r: r.send("one", "go", {"item": HALF}), "item is no Unicode text"),
    ("send", lambda r: r.send("one", "noted", key=b"k"), "key must be a string, and is of type bytes"),
    ("send", lambda r: r.send("one", "noted", key=HALF), f"key {NO_TEXT}"),
    ("send", lambda r: r.send("one", "noted", by=5), "by must be a string, and is of type int"),
    ("send", lambda r: r.send("one", "noted", by=HALF), f"by {NO_TEXT}"),
    ("send", lambda r: r.send("one", "noted", expect_version="x"), "expect_version must be an integer, and is of type"),
    ("send", lambda r: r.send("one", "noted", expect_version=1.0), "expect_version must be an integer, and is of type"),
    ("send", lambda r: r.send("one", "noted", expect_version=True), "expect_version must be an integer, and is of typ"),
    ("answer", lambda r: r.answer("one", "tea"), "payload must be a mapping of fields to values, and is of type str"),
    ("answer", lambda r: r.answer("one", GO, event=5), "event must be a string, and is of type int"),
    ("answer", lambda r: r.answer("one", GO, key=5), "key must be a string, and is of type int"),
    ("answer", lambda r: r.answer(HALF, GO), f"agent_id {NO_TEXT}"),
    ("answer", lambda r: r.answer("one", GO, by=5), "by must be a string, and is of type int"),
    ("answer", lambda r: r.answer("one", GO, expect_version="1"), "expect_version must be an integer, and is of type"),
    ("cancel", lambda r: r.cancel("one", by=5), "by must be a string, and is of type int"),
    ("cancel", lambda r: r.cancel("one", expect_version="x"), "expect_version must be an integer, and is of type str"),
    ("resume", lambda r: r.resume(5), "agent_id must be a string, and is of type int"),
    ("resume", lambda r: r.resume(HALF), f"agent_id {NO_TEXT}"),
    ("unpark", lambda r: r.unpark(5), "agent_id must be a string, and is of type int"),
    ("unpark", lambda r: r.unpark("one", effect=5, result=1), "effect must be a string, and is of type int"),
    ("unpark", lambda r: r.unpark("one", expect_version="x"), "expect_version must be an integer, and is of type str"),
    ("migrate", lambda r: r.migrate("file.yaml"), "workflow must be a Workflow, and is of type str"),
    ("migrate", lambda r: r.migrate(FLOW, "one"), "agent_ids must be a list of strings, and is of type str"),
    ("migrate", lambda r: r.migrate(FLOW, [5]), "each of agent_ids must be a string, and is of type int"),
    ("migrate", lambda r: r.migrate(FLOW, limit="x"), "limit must be an integer, and is of type str"),
    ("migrate", lambda r: r.migrate(FLOW, limit=0), "limit must be an integer from 1, and is 0"),
    ("migrate", lambda r: r.migrate(FLOW, after=5), "after must be a string, and is of type int"),
    ("rewind", lambda r: r.rewind("one", "1"), "version must be an integer, and is of type str"),
    ("rewind", lambda r: r.rewind("one", None), "version must be an integer, and is None"),
    ("rewind", lambda r: r.rewind(5, 1), "agent_id must be a string, and is of type int"),
    ("fork", lambda r: r.fork("one", "1"), "version must be an integer, and is of type str"),
    ("fork", lambda r: r.fork("one", id=5), "id must be a string, and is of type int"),
    ("fork", lambda r: r.fork("one", key=5), "key must be a string, and is of type int"),
    ("get", lambda r: r.get(5), "agent_id must be a string, and is of type int"),
    ("get", lambda r: r.get("one", at="1"), "at must be an integer, and is of type str"),
    ("replay", lambda r: r.replay("one", to="1"), "to must be an integer, and is of type str"),
    ("history", lambda r: r.history(HALF), f"agent_id {NO_TEXT}"),
    ("effects", lambda r: r.effects(None), "agent_id must be a string, and is None"),
    ("purge", lambda r: r.purge("30d"), "retention must be a Retention, and is of type str"),
    ("purge", lambda r: r.purge(Retention(), agent_ids="one"), "agent_ids must be a list of strings, and is of type s"),
    ("purge", lambda r: r.purge(Retention(), agent_ids=[5]), "each of agent_ids must be a string, and is of type int"),
    ("purge", lambda r: r.purge(Retention(), workflow=5), "workflow must be a string, and is of type int"),
    ("forget", lambda r: r.forget(None), "user must be a string, and is None"),
    ("forget", lambda r: r.forget(5), "user must be a string, and is of type int"),
    ("thread", lambda r: r.thread(5), "thread must be a string, and is of type int"),
    ("thread", lambda r: r.thread("room").messages(last="x"), "last must be an integer, and is of type str"),
]


def test_a_value_of_the_wrong_type_gets_one_sentence_and_changes_nothing(every_url: str) -> None:
    with Runner(open_store(every_url)) as runner:
        before = runner.start(FLOW, id="one")
        for name, call, sentence in WRONG:
            with pytest.raises(Refused) as refused:
                call(runner)
            said = str(refused.value)
            assert sentence in said, (name, said)
            assert "\n" not in said
        assert runner.get("one") == before._replace(delivery=None)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Runner("memory://"), "store must be a Store, and is of type str; `open_store(url)` opens one"),
        (lambda: Runner(open_store("memory://"), modules="shop"), "modules must be a list of strings, and is of type "),
        (lambda: Runner(open_store("memory://"), actions=5), "actions must be a list of functions, and is of type int"),
        (
            lambda: Runner(open_store("memory://"), actions="do"),
            "actions must be a list of functions, and is of",
        ),
        (
            lambda: Runner(open_store("memory://"), actions=["greet"]),
            "each of actions must be a function, and is of type str; modules go into `modules`",
        ),
        (lambda: Workflow.load(5), "path must be a path, as text or as a Path, and is of type int"),
        (lambda: open_store(5), "url must be a string, and is of type int"),
        (lambda: open_store("memory://", namespace=None), "namespace must be a string, and is None"),
    ],
)
def test_what_opens_the_way_is_looked_at_too(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ArgumentInvalid) as refused:
        make()
    assert str(refused.value).startswith(sentence)
    assert isinstance(refused.value, TypeError)


def test_a_value_is_never_told_since_it_may_be_a_secret() -> None:
    with Runner(open_store("memory://")) as runner:
        runner.start(FLOW, id="one")
        with pytest.raises(ArgumentInvalid) as refused:
            runner.answer("one", "hunter2")
    assert "hunter2" not in str(refused.value)


def test_whatever_is_called_after_the_end_gets_one_sentence(every_url: str) -> None:
    with Runner(open_store(every_url)) as runner:
        runner.start(FLOW, id="one")
        room = runner.thread("room")
        room.append("user", "hello")
    calls: list[Callable[[], object]] = [
        lambda: runner.get("one"),
        lambda: runner.send("one", "noted"),
        lambda: runner.start(FLOW),
        runner.list,
        lambda: runner.thread("room"),
        room.messages,
        lambda: room.append("user", "still there?"),
    ]
    for call in calls:
        with pytest.raises(RunnerClosed, match=r"^this runner has ended, and its store is closed"):
            call()
    runner.close()
