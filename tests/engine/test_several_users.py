"""Several people at one agent: edits that can stand beside each other do, and who is late is told who was first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent import sync
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.record import Origin
from fsm_agent.domain.step import Happened, Step, Wanted
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.commands import ReadHistory
from fsm_agent.engine.conflicts import read_missed_steps
from fsm_agent.engine.program import Program
from fsm_agent.engine.transaction import started
from fsm_agent.errors import Conflict, DataInvalid, GuardsRefused, IllegalEvent, NotAsked, NotParked
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.hypothesis_settings import example_settings
from tests.support.runtime import Gate, flow, on_loop, story

PAGE = flow("""
    data:
      title: {type: string, default: ""}
      author: string?
      tags: {type: array, items: {type: string}, default: [], maxItems: 6}
      notes: {type: array, items: {type: string}, default: []}
      log: {type: array, items: {type: string}, default: []}
      score: {type: integer, default: 0}
      due: date?
      mood: string?
      n: {type: integer, default: 0}
    merge: {tags: union, notes: append, score: max, due: max, mood: last}
    events:
      retitle: {title: string}
      sign: {author: string}
      tag: {tags: [string]}
      note: {text: string}
      log: {text: string}
      grade: {score: integer}
      defer: {due: date}
      feel: {mood: string?}
      add: {k: integer}
      count: {}
      rate: {tags: [string]}
      publish: {}
      again: {}
      risky: {}
    initial: open
    states:
      open:
        on:
          retitle: {assign: {title: event.title}}
          sign: {when: data.author == null, assign: {author: event.author}}
          tag: {assign: {tags: event.tags}}
          note: {assign: {notes: "data.notes + [event.text]"}}
          log: {append: {log: event.text}}
          grade: {assign: {score: event.score}}
          defer: {assign: {due: event.due}}
          feel: {assign: {mood: event.mood}}
          add: {assign: {n: data.n + event.k}}
          count: {assign: {score: data.score + 1}}
          rate: {assign: {tags: event.tags, score: size(data.tags), n: size(data.notes)}}
          publish: {target: out, assign: {mood: "'proud'"}}
          again: open
          risky: {assign: {n: 1 / data.n}}
      out: {final: true}
""")

ASKING = flow("""
    data: {words: {type: array, items: {type: string}, default: []}}
    events: {said: {word: string}}
    initial: asking
    states:
      asking:
        ask: {prompt: "More?", events: [said]}
        on:
          said:
            - {target: done, when: size(data.words) == 1, append: {words: event.word}}
            - {target: asking, append: {words: event.word}}
      done: {final: true}
""")

Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens an empty store of every kind that comes with us, on a clock that stands still."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    return lambda: open_store(url, clock=FakeClock())


async def refused(call: Any) -> Conflict:
    with pytest.raises(Conflict) as conflict:
        await call
    return conflict.value


@on_loop
async def test_who_writes_what_another_has_written_is_told_both_sides(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a")
        await runner.send("a", "retitle", {"title": "One"}, by="ana")
        await runner.send("a", "tag", {"tags": ["new"]}, by="bob")
        conflict = await refused(runner.send("a", "retitle", {"title": "Two"}, by="eve", key="k", expect_version=1))
        assert str(conflict) == (
            "agent 'a' is at version 3, and version 1 was expected: "
            "since then ana sent 'retitle' (title) and bob sent 'tag' (tags)"
        )
        assert (conflict.agent_id, conflict.expected, conflict.actual) == ("a", 1, 3)
        assert conflict.ours == Wanted("retitle", {"title": "Two"}, 1, ("title",))
        assert conflict.theirs == (
            Happened(2, StepKind.EVENT, "retitle", "ana", ("title",)),
            Happened(3, StepKind.EVENT, "tag", "bob", ("tags",)),
        )
        assert (await runner.get("a")).version == 3
        again = await runner.send("a", "retitle", {"title": "Two"}, by="eve", key="k", expect_version=3)
        assert (again.data["title"], again.delivery) == ("Two", "applied")


@on_loop
async def test_edits_of_different_fields_both_stand_whatever_their_policies(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a")
        await runner.send("a", "retitle", {"title": "One"}, by="ana", expect_version=1)
        agent = await runner.send("a", "add", {"k": 2}, by="bob", expect_version=1)
        assert (agent.version, agent.data["title"], agent.data["n"]) == (3, "One", 2)
        steps = await runner.history("a")
        assert [(step.by, step.reason) for step in steps[1:]] == [("ana", None), ("bob", "merged with version 2")]


@pytest.mark.parametrize(
    ("event", "edits", "field", "both"),
    [
        ("tag", ({"tags": ["x", "old", "a"]}, {"tags": ["old", "b"]}), "tags", ["old", "a", "b"]),
        ("note", ({"text": "one"}, {"text": "two"}), "notes", ["zero", "one", "two"]),
        ("log", ({"text": "one"}, {"text": "two"}), "log", ["one", "two"]),
        ("grade", ({"score": 9}, {"score": 7}), "score", 9),
        ("grade", ({"score": 7}, {"score": 9}), "score", 9),
        ("count", ({}, {}), "score", 4),
        ("defer", ({"due": "2026-12-01"}, {"due": "2026-11-01"}), "due", "2026-12-01"),
        ("feel", ({"mood": "glad"}, {"mood": "sad"}), "mood", "sad"),
        ("feel", ({"mood": "glad"}, {"mood": None}), "mood", "glad"),
    ],
)
@on_loop
async def test_what_two_make_of_a_field_with_a_policy_becomes_one(
    opened: Opener, event: str, edits: tuple[Any, Any], field: str, both: Any
) -> None:
    begun = {"tags": ["x", "old"], "notes": ["zero"], "score": 3}
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a", data=begun)
        await runner.send("a", event, edits[0], by="ana", expect_version=1)
        await runner.send("a", "log", {"text": "between"}, by="cyd") if event != "log" else None
        agent = await runner.send("a", event, edits[1], by="bob", expect_version=1)
        assert agent.data[field] == both
        assert (await runner.get("a")).data[field] == both
        last = (await runner.history("a"))[-1]
        which = "version 2" if event == "log" else "versions 2 to 3"
        assert (last.by, last.reason, last.kind) == ("bob", f"merged with {which}", StepKind.EVENT)


@on_loop
async def test_only_what_is_merged_is_computed_on_what_was_seen(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a", data={"tags": ["x"]})
        await runner.send("a", "tag", {"tags": ["x", "y", "z"]})
        await runner.send("a", "note", {"text": "one"})
        await runner.send("a", "note", {"text": "two"})
        agent = await runner.send("a", "rate", {"tags": ["x", "w"]}, expect_version=1)
        assert agent.data["tags"] == ["x", "y", "z", "w"]
        assert (agent.data["score"], agent.data["n"]) == (3, 2)


@on_loop
async def test_guards_look_at_what_is_and_not_at_what_was_seen(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a")
        await runner.send("a", "sign", {"author": "ana"})
        with pytest.raises(GuardsRefused, match=r"`data\.author == null` did not hold"):
            await runner.send("a", "sign", {"author": "bob"}, expect_version=1)


@on_loop
async def test_what_comes_of_merging_is_validated_like_any_step(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a")
        await runner.send("a", "tag", {"tags": ["a", "b", "c", "d"]})
        with pytest.raises(DataInvalid, match=r"tags: .* has more than 6 items"):
            await runner.send("a", "tag", {"tags": ["e", "f", "g"]}, expect_version=1)
        assert (await runner.get("a")).data["tags"] == ["a", "b", "c", "d"]


@on_loop
async def test_a_list_that_was_not_only_added_to_is_not_appended() -> None:
    rewriting = flow("""
        data: {notes: {type: array, items: {type: string}, default: [a]}}
        merge: {notes: append}
        events: {write: {notes: [string]}, end: {}}
        initial: open
        states: {open: {on: {write: {assign: {notes: event.notes}}, end: done}}, done: {final: true}}
    """)
    async with Runner(open_store("memory://")) as runner:
        await runner.start(rewriting, id="a")
        await runner.send("a", "write", {"notes": ["b"]})
        conflict = await refused(runner.send("a", "write", {"notes": ["c"]}, expect_version=1))
        assert conflict.ours == Wanted("write", {"notes": ["c"]}, 1, ("notes",))
        merged = await runner.send("a", "write", {"notes": ["a", "c"]}, expect_version=1)
        assert merged.data["notes"] == ["b", "c"]


@on_loop
async def test_a_decision_stands_only_on_what_was_seen(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a")
        await runner.send("a", "retitle", {"title": "Else"}, by="ana")
        conflict = await refused(runner.send("a", "publish", expect_version=1))
        assert (conflict.ours and conflict.ours.fields) == ("mood",)
        await runner.send("a", "tag", {"tags": ["new"]}, by="ana")
        await runner.send("a", "feel", {"mood": "glad"}, by="ana")
        published = await runner.send("a", "publish", by="bob", expect_version=2)
        assert (published.state, published.data["mood"], published.data["tags"]) == ("out", "proud", ["new"])
        assert (await runner.history("a"))[-1].reason == "merged with versions 3 to 4"


@on_loop
async def test_an_agent_that_was_entered_again_is_not_the_one_that_was_seen(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a")
        await runner.send("a", "again", by="ana")
        conflict = await refused(runner.send("a", "tag", {"tags": ["x"]}, expect_version=1))
        assert str(conflict).endswith("since then ana sent 'again'")


@on_loop
async def test_of_two_answers_to_one_question_one_is_taken_and_the_other_hears_whose(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(ASKING, id="a")
        outcomes = await asyncio.gather(
            *(runner.answer("a", {"word": by}, by=by, expect_version=1) for by in ("ana", "bob")),
            return_exceptions=True,
        )
        [taken] = [each for each in outcomes if isinstance(each, Agent)]
        [late] = [each for each in outcomes if isinstance(each, Conflict)]
        [winner] = taken.data["words"]
        assert str(late).endswith(f"since then {winner} sent 'said' (words)")
        assert late.ours is not None
        assert (late.ours.event, late.theirs[0].by) == (None, winner)
        assert [step.by for step in (await runner.history("a"))[1:]] == [winner]


@on_loop
async def test_an_answer_to_an_agent_that_has_ended_hears_who_was_first(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(ASKING, id="a", data={"words": ["so"]})
        await runner.answer("a", {"word": "far"}, by="ana")
        conflict = await refused(runner.answer("a", {"word": "late"}, by="bob", expect_version=1))
        assert "since then ana sent 'said' (words)" in str(conflict)


@on_loop
async def test_cancelling_and_unparking_may_expect_a_version_too(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a")
        await runner.send("a", "retitle", {"title": "One"}, by="ana")
        conflict = await refused(runner.cancel("a", by="bob", expect_version=1))
        assert (conflict.ours and conflict.ours.event) == "cancel"
        assert (await runner.cancel("a", by="bob", expect_version=2)).status is Status.CANCELLED
        assert (await runner.history("a"))[-1].by == "bob"
        late = await refused(runner.send("a", "tag", {"tags": []}, expect_version=2))
        assert str(late).endswith("since then bob sent 'cancel'")
        with pytest.raises(IllegalEvent):
            await runner.send("a", "tag", {"tags": []}, expect_version=3)


PARKING = flow("""
    data: {n: {type: integer, default: 0}}
    merge: {n: max}
    events: {ok: {}, set: {n: integer}}
    initial: working
    states:
      working: {do: work, on: {ok: waiting}}
      waiting: {on: {set: {assign: {n: 1 / event.n}}, ok: done}}
      done: {final: true}
""")


@on_loop
async def test_of_two_operators_the_second_is_told_of_the_first(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        parked = await runner.start(PARKING, id="a", by="ana")
        assert (parked.status, parked.version) == (Status.PARKED, 2)
        await runner.unpark("a", event="ok", by="bob", expect_version=2)
        conflict = await refused(runner.unpark("a", by="cyd", expect_version=2))
        assert str(conflict) == "agent 'a' is at version 3, and version 2 was expected: since then bob sent 'ok'"
        assert conflict.ours == Wanted("retry", {}, 2)
        with pytest.raises(NotParked):
            await runner.unpark("a", by="cyd", expect_version=3)


@on_loop
async def test_whoever_unparks_is_in_the_history_and_not_who_sent_what_was_held(opened: Opener) -> None:
    bounded = flow("""
        events: {go: {}}
        initial: a
        states: {a: {on: {go: b}}, b: {on: {go: c}}, c: {final: true}}
        limits: {steps: 2}
    """)
    async with Runner(opened()) as runner:
        await runner.start(bounded, "go", id="a", by="ana")
        assert (await runner.send("a", "go", by="ben")).status is Status.PARKED
        await runner.unpark("a", by="cyd")
        steps = await runner.history("a")
        assert [(str(step.kind), step.by) for step in steps] == [
            ("created", "ana"), ("event", "ana"), ("parked", "ben"), ("unparked", "cyd"),
        ]  # fmt: skip


@on_loop
async def test_behind_an_action_nothing_is_merged_and_what_fights_with_nothing_is_queued(opened: Opener) -> None:
    working = flow("""
        data: {tags: {type: array, items: {type: string}, default: []}, n: {type: integer, default: 0}}
        merge: {tags: union}
        events: {ok: {}, tag: {tags: [string]}, add: {}}
        initial: working
        states:
          working:
            do: work
            after: {1s: {assign: {tags: "['late']"}}}
            on: {ok: {assign: {n: data.n + 1}}, tag: {assign: {tags: event.tags}}, add: {assign: {n: data.n + 1}}}
          done: {final: true}
        on: {cancel: done}
    """)
    gate = Gate()
    async with Runner(opened(), actions=[gate.as_action()]) as runner:
        driving = asyncio.create_task(runner.start(working, id="a"))
        await gate.begun.wait()
        record = await runner.store.load("a")
        assert record.head.version == 1
        assert (await runner.send("a", "tag", {"tags": ["x"]}, expect_version=1)).delivery == "queued"
        gate.open("ok")
        await driving
        conflict = await refused(runner.send("a", "add", expect_version=1))
        assert "since then 'ok' happened (n) and 'tag' happened (tags)" in str(conflict)
        assert (await runner.send("a", "tag", {"tags": ["y"]}, expect_version=1)).data["tags"] == ["x", "y"]


@on_loop
async def test_nothing_is_merged_into_what_waits_for_an_action(opened: Opener) -> None:
    working = flow("""
        data: {tags: {type: array, items: {type: string}, default: []}, n: {type: integer, default: 0}}
        merge: {tags: union}
        events: {ok: {}, tag: {tags: [string]}, add: {}}
        initial: working
        states:
          working: {do: work, on: {ok: done, tag: {assign: {tags: event.tags}}, add: {assign: {n: data.n + 1}}}}
          done: {final: true}
    """)
    gate, calls = Gate(), []

    async def work(ctx: Context) -> Any:
        calls.append(ctx)
        if len(calls) == 1:
            raise ValueError("not yet")
        gate.begun.set()
        return await gate.result

    async with Runner(opened(), actions=[work]) as runner:
        assert (await runner.start(working, id="a")).version == 2
        driving = asyncio.create_task(runner.unpark("a", event="tag", payload={"tags": ["x"]}, by="ana"))
        await gate.begun.wait()
        conflict = await refused(runner.send("a", "tag", {"tags": ["y"]}, expect_version=2))
        assert str(conflict).endswith("since then ana sent 'tag' (tags)")
        assert (await runner.send("a", "add", expect_version=2)).delivery == "queued"
        gate.open("ok")
        await driving
        assert (await runner.get("a")).data["tags"] == ["x"]


class Counting(MemoryStore):
    """Counts how often histories are read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        self.reads += 1
        return await super().history(agent_id, after=after, limit=limit)


@on_loop
async def test_histories_are_read_once_and_only_for_those_who_are_late() -> None:
    store = Counting()
    async with Runner(store) as runner:
        await runner.start(PAGE, id="a")
        await runner.send("a", "add", {"k": 1}, expect_version=1)
        await runner.send("a", "add", {"k": 1})
        assert store.reads == 0
        await refused(runner.send("a", "add", {"k": 1}, expect_version=1))
        assert store.reads == 1


@on_loop
async def test_a_late_answer_hears_of_an_answer_only_if_that_ended_the_question() -> None:
    asking = flow("""
        events: {note: {}, over: {}}
        initial: asking
        states:
          asking: {ask: {prompt: "More?", events: [note]}, on: {note: {}, over: done}}
          done: {final: true}
    """)
    async with Runner(open_store("memory://")) as runner:
        await runner.start(asking, id="a")
        await runner.answer("a", by="ana")
        await runner.send("a", "over")
        with pytest.raises(NotAsked) as late:
            await runner.answer("a")
        assert str(late.value) == "agent 'a' asks nothing now: it is done in state 'done'"


def test_what_comes_after_the_reading_of_an_agent_is_not_what_was_missed() -> None:
    seen = started(Program(PAGE), "a", 0, {})
    seen.head = seen.head._replace(version=2)
    reading = read_missed_steps(seen, Wanted("add", {}, 1))
    assert next(reading) == ReadHistory("a", 1, 1_000)
    steps = [Step(version, StepKind.EVENT, "add", {}, "open", "open", 0) for version in (2, 3)]
    with pytest.raises(StopIteration) as end:
        reading.send(steps)
    assert [step.version for step in end.value.value.steps] == [2]


@on_loop
async def test_a_version_that_is_yet_to_come_is_no_version(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a")
        conflict = await refused(runner.send("a", "tag", {"tags": ["x"]}, expect_version=2))
        assert str(conflict) == "agent 'a' is at version 1, and version 2 was expected: there is no such version yet"
        for never in (0, -1, -(10**30)):
            conflict = await refused(runner.send("a", "tag", {"tags": ["x"]}, expect_version=never))
            assert "since then 'created' happened" in str(conflict)
        with pytest.raises(Conflict, match="there is no such version yet"):
            await runner.send("a", "tag", {"tags": ["x"]}, expect_version=10**30)


@on_loop
async def missing_many() -> None:
    """Twelve steps may be missed, and no more."""
    async with Runner(open_store("memory://")) as runner:
        await runner.start(PAGE, id="a")
        for _ in range(5):
            await runner.send("a", "add", {"k": 1}, by="ana")
        conflict = await refused(runner.send("a", "add", {"k": 1}, expect_version=1))
        assert str(conflict).endswith(
            "since then ana sent 'add' (n), ana sent 'add' (n), ana sent 'add' (n) and 2 more steps were taken"
        )
        one_less = await refused(runner.send("a", "add", {"k": 1}, expect_version=2))
        assert str(one_less).endswith("and 1 more step was taken")
        for _ in range(12):
            await runner.send("a", "log", {"text": "x"})
        merged = await runner.send("a", "tag", {"tags": ["x"]}, expect_version=6)
        assert merged.version == 19
        too_late = await refused(runner.send("a", "tag", {"tags": ["y"]}, expect_version=6))
        assert str(too_late).endswith("and 10 more steps were taken")
        assert len(too_late.theirs) == 12


def test_who_has_missed_many_steps_is_told_the_first_and_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsm_agent.engine.conflicts._MOST_STEPS", 12)
    missing_many()


@on_loop
async def test_what_was_seen_is_found_behind_a_snapshot_that_is_younger(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a", data={"tags": ["old"]})
        for number in range(120):
            await runner.send("a", "retitle", {"title": f"{number} " * 20})
        snapshot = (await runner.store.load("a")).snapshot
        assert snapshot is not None
        await runner.send("a", "tag", {"tags": ["old", "new"]})
        merged = await runner.send("a", "tag", {"tags": ["mine"]}, expect_version=snapshot.version - 5)
        assert merged.data["tags"] == ["new", "mine"]


@on_loop
async def test_what_is_not_kept_any_more_cannot_be_merged_with(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a")
        for tag in "abc":
            await runner.send("a", "tag", {"tags": [tag]}, by="ana")
        head = await runner.store.head("a")
        await runner.store.shorten(head, Origin(head, (await runner.get("a")).data))
        conflict = await refused(runner.send("a", "tag", {"tags": ["x"]}, expect_version=2))
        assert str(conflict) == (
            "agent 'a' is at version 4, and version 2 was expected: "
            "somebody else was first, and the history of it is not kept"
        )
        await runner.send("a", "tag", {"tags": ["d"]}, by="bob")
        assert (await runner.send("a", "tag", {"tags": ["c", "e"]}, expect_version=4)).data["tags"] == ["d", "e"]


@on_loop
async def test_a_repeated_key_is_a_repeat_whatever_version_it_expected(opened: Opener) -> None:
    async with Runner(opened()) as runner:
        await runner.start(PAGE, id="a")
        sent = await asyncio.gather(*(runner.send("a", "add", {"k": 1}, key="k", expect_version=1) for _ in range(10)))
        assert sorted(agent.delivery or "" for agent in sent) == ["applied"] + ["duplicate"] * 9


@on_loop
async def test_a_failing_expression_on_what_was_seen_refuses(opened: Opener) -> None:
    dividing = flow("""
        data: {n: {type: integer, default: 0}}
        merge: {n: max}
        events: {set: {n: integer}, halve: {}, end: {}}
        initial: open
        states:
          open: {on: {set: {assign: {n: event.n}}, halve: {assign: {n: 8 / data.n}}, end: done}}
          done: {final: true}
    """)
    async with Runner(opened()) as runner:
        await runner.start(dividing, id="a")
        await runner.send("a", "set", {"n": 2})
        with pytest.raises(Exception, match=r"`8 / data.n` failed: .*zero"):
            await runner.send("a", "halve", expect_version=1)
        assert (await runner.send("a", "halve", expect_version=2)).data["n"] == 4


def test_the_blocking_twin_expects_versions_too() -> None:
    with sync.Runner(open_store("memory://")) as runner:
        runner.start(PAGE, id="a")
        runner.send("a", "add", {"k": 1}, by="ana")
        for call in (
            lambda: runner.send("a", "add", {"k": 1}, expect_version=1),
            lambda: runner.cancel("a", expect_version=1),
            lambda: runner.unpark("a", expect_version=1),
        ):
            with pytest.raises(Conflict, match="since then ana sent 'add'"):
                call()


@on_loop
async def test_of_many_writers_who_try_again_no_edit_is_lost(opened: Opener) -> None:
    """Each reads, decides on what it saw, and starts over if that has changed."""
    told: list[Conflict] = []

    async def edit(runner: Runner, number: int) -> None:
        while True:
            seen = await runner.get("a")
            await asyncio.sleep(0)
            try:
                await runner.send("a", "add", {"k": number}, by=f"w{number}", expect_version=seen.version)
            except Conflict as conflict:
                told.append(conflict)
            else:
                return

    store = opened()
    async with Runner(store) as here:
        there = Runner(store)
        await here.start(PAGE, id="a")
        await asyncio.gather(*(edit(runner, number) for number in range(1, 13) for runner in (here, there)))
        assert (await here.get("a")).data["n"] == 2 * sum(range(1, 13))
        assert len(await here.history("a")) == 25
        assert told
        assert all(conflict.theirs for conflict in told)


@on_loop
async def test_of_many_writers_to_fields_with_policies_nobody_is_refused(opened: Opener) -> None:
    store = opened()
    async with Runner(store) as here:
        there = Runner(store)
        await here.start(PAGE, id="a")
        await asyncio.gather(
            *(
                runner.send("a", event, payload, by=f"w{number}", expect_version=1)
                for number in range(15)
                for runner, event, payload in (
                    (here, "note", {"text": f"n{number}"}),
                    (there, "grade", {"score": number}),
                )
            )
        )
        data = (await here.get("a")).data
        assert sorted(data["notes"]) == sorted(f"n{number}" for number in range(15))
        assert data["score"] == 14


WORDS = st.lists(st.sampled_from("abcd"), max_size=3, unique=True)
EDITS = st.one_of(
    st.builds(lambda tags: ("tag", {"tags": tags}), WORDS),
    st.builds(lambda text: ("note", {"text": text}), st.text("xy", min_size=1, max_size=2)),
    st.builds(lambda text: ("log", {"text": text}), st.text("xy", min_size=1, max_size=2)),
    st.builds(lambda score: ("grade", {"score": score}), st.integers(-2, 2)),
    st.builds(lambda title: ("retitle", {"title": title}), st.text("xy", max_size=2)),
    st.builds(lambda k: ("add", {"k": k}), st.integers(1, 3)),
)
#: those that write a field without a policy
FIGHTING = {"retitle", "add"}


@given(WORDS, st.lists(EDITS, min_size=2, max_size=4))
@example_settings(60)
def test_of_edits_from_one_sight_all_show_or_are_refused(tags: list[str], edits: list[tuple[str, Any]]) -> None:
    asyncio.run(edit_together(tags, edits))


async def edit_together(tags: list[str], edits: list[tuple[str, Any]]) -> None:
    taken: list[tuple[str, Any]] = []
    async with Runner(open_store("memory://")) as runner:
        await runner.start(PAGE, id="a", data={"tags": tags})
        for event, payload in edits:
            fights = event in FIGHTING and event in [each for each, _ in taken]
            try:
                await runner.send("a", event, payload, expect_version=1)
            except Conflict:
                assert fights
            else:
                assert not fights
                taken.append((event, payload))
        data = (await runner.get("a")).data
        assert story(await runner.history("a"))[1:] == [f"event {event} open>open" for event, _ in taken]
    wanted = [(event, next(iter(payload.values()))) for event, payload in taken]
    assert data["notes"] == [said for event, said in wanted if event == "note"]
    assert data["log"] == [said for event, said in wanted if event == "log"]
    assert data["score"] == max([said for event, said in wanted if event == "grade" and said != 0], default=0)
    assert [data["title"]] == ([said for event, said in wanted if event == "retitle"] or [""])
    assert [data["n"]] == ([said for event, said in wanted if event == "add"] or [0])
    sets = [set(said) for event, said in wanted if event == "tag"]
    gone, come = (
        set[str]().union(*(set(tags) - each for each in sets)),
        set[str]().union(*(each - set(tags) for each in sets)),
    )
    assert set(data["tags"]) == (set(tags) - gone) | come
