"""Agents that move to a newer definition: whatever that changed, wherever a process dies, whoever else is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from fsm_agent import Context, Runner, action, open_store
from fsm_agent.data.delta import fold
from fsm_agent.data.validation import DataRules
from fsm_agent.dialect import read_document
from fsm_agent.domain.agent import Status
from fsm_agent.domain.record import AgentExport, Commit
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.engine.commands import Command
from fsm_agent.engine.migration.migrate import Outcome
from fsm_agent.errors import Conflict
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store
from tests.support.hypothesis_settings import example_settings

from .crash_points import Crash, CrashingRunner, CrashPoints

Document = dict[str, Any]
TYPES = (
    "string?",
    "integer?",
    {"type": "integer", "default": 3},
    {"type": "array", "default": []},
    "string",
    "integer",
)
WORDS: dict[str, Document] = {
    "wait": {},
    "ask": {"ask": {"prompt": "Well?", "events": ["go"]}},
    "work": {"do": "work"},
    "toil": {"do": "toil", "with": {"n": 1}},
}


@st.composite
def bodies(draw: st.DrawFn) -> Document:
    """What one leaf does."""
    timers = draw(st.sets(st.sampled_from(["1h", "60m", "2h", "3d"]), max_size=2))
    return {**WORDS[draw(st.sampled_from(list(WORDS)))], "after": dict.fromkeys(sorted(timers), "end")}


def document(version: int, states: Document, data: Document, initial: str, **more: Any) -> Document:
    leaves = {name: {"on": {"go": "end"}, **body} for name, body in states.items() if name != "outer"}
    if "outer" in states:
        inner = {"on": {"go": "end"}, **states["outer"]}
        leaves["outer"] = {"initial": "inner", "after": {"2h": "end"}, "states": {"inner": inner}}
    known = {"workflow": "w", "version": version, "data": data, "events": {"go": {}}, "initial": initial}
    return {**known, "states": {**leaves, "end": {"final": True}}, **more}


@st.composite
def changes(draw: st.DrawFn) -> tuple[Workflow, Workflow]:
    """A workflow and what somebody made of it, with migrations that say some of it, all of it, or too much."""
    states = {name: draw(bodies()) for name in draw(st.sets(st.sampled_from(["a", "b", "outer"]), min_size=1))}
    fields = {name: draw(st.sampled_from(TYPES[:4])) for name in draw(st.sets(st.sampled_from("xyz")))}
    renamed = {name: f"new_{name}" for name in states if name != "outer" and draw(st.booleans())}
    later = {renamed.get(name, name): draw(st.just(body) | bodies()) for name, body in states.items()}
    moved = {name: f"new_{name}" for name in fields if draw(st.booleans())}
    new_fields = {moved.get(name, name): draw(st.just(kind) | st.sampled_from(TYPES)) for name, kind in fields.items()}
    new_fields |= {"extra": draw(st.sampled_from(TYPES))} if draw(st.booleans()) else {}
    said: Document = {"from": 1}
    if draw(st.booleans()) or not renamed:
        said["states"] = renamed | ({"a": "end"} if draw(st.integers(0, 4)) == 0 else {})
    if draw(st.booleans()):
        default = {name: draw(st.sampled_from([7, "seven"])) for name in new_fields if draw(st.booleans())}
        said["data"] = {"rename": moved, "default": default}
    old = read(document(1, states, fields, draw(st.sampled_from(sorted(states)))))
    return old, read(document(2, later, new_fields, next(iter(later)), migrations=[said]))


def read(text: Document) -> Workflow:
    workflow, findings = read_document(text)
    assert workflow is not None, findings
    return workflow


@example_settings(150)
@given(changes(), st.booleans())
def test_a_plan_says_what_will_happen_and_what_happens_is_whole(
    change: tuple[Workflow, Workflow], is_driven: bool
) -> None:
    asyncio.run(_plan_and_apply(*change, is_driven=is_driven))


async def _plan_and_apply(old: Workflow, new: Workflow, *, is_driven: bool) -> None:
    async with Runner(open_store("memory://", clock=FakeClock())) as runner:
        await runner.start(old, id="a", drive=is_driven)  # driven, an agent whose action is missing is parked
        before = await runner.store.dump("a")
        [planned] = (await runner.migrate(new, ["a"])).outcomes
        assert await runner.store.dump("a") == before
        [done] = (await runner.migrate(new, ["a"], apply=True)).outcomes
        after = await runner.store.dump("a")
        event(f"{before.head.status}: {done.verdict}, {after.head.status}")
        if planned.to_state is None:
            assert (done, after) == (planned, before)
            return
        assert (planned.verdict, done.verdict) == ("moves by itself", "moved")
        assert (done.to_state, done.changes) == (planned.to_state, planned.changes)
        _assert_whole(old, new, before, after)
        replayed = await runner.replay("a")
        assert replayed.is_verified, replayed.mismatches
        back = await runner.fork("a", before.head.version, id="b")
        assert (back.workflow_version, back.state, back.data) == (1, before.head.state, fold(None, before.steps).values)
        ended = await runner.cancel("a") if after.head.status is not Status.DONE else await runner.get("a")
        assert ended.status in ("cancelled", "done")


def _assert_whole(old: Workflow, new: Workflow, before: AgentExport, after: AgentExport) -> None:
    head, leaf = after.head, new.by_path[after.head.state]
    assert (head.definition, head.workflow_version, head.version) == (new.hash, 2, before.head.version + 1)
    assert [step.version for step in after.steps] == list(range(1, head.version + 1))
    assert after.steps[:-1] == before.steps
    values = fold(after.snapshot, after.steps[after.snapshot.version if after.snapshot else 0 :]).values
    assert DataRules(new.data).initial(values) == values == fold(None, after.steps).values
    declared = {(path, timer.duration.text) for path in lineage(leaf.path) for timer in new.by_path[path].after}
    assert {(timer.state, timer.label) for timer in head.timers} <= declared
    assert (head.asked is not None) == (leaf.ask is not None)
    was = old.by_path[before.head.state]
    if head.status is Status.RUNNING:
        assert (leaf.do, leaf.with_) == (was.do, was.with_)
        assert head.activation == before.head.activation
    else:
        assert bool(head.activation) == (leaf.do is not None and not leaf.final)


FIRST = read(document(1, {"a": {"ask": WORDS["ask"]["ask"]}, "b": {"do": "work"}}, {"x": "string?"}, "a"))
SECOND = read(
    document(
        2,
        {"new_a": {"ask": WORDS["ask"]["ask"]}, "b": {"do": "work"}},
        {"y": "string?", "n": "integer"},
        "new_a",
        migrations=[{"from": 1, "states": {"a": "new_a"}, "data": {"rename": {"x": "y"}, "default": {"n": 1}}}],
    )
)
WORKING = read(document(1, {"b": {"do": "work"}}, {"x": "string?"}, "b"))


@pytest.mark.parametrize("first", [FIRST, WORKING], ids=["it waits", "it has work to do"])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_crash_at_any_place_leaves_an_agent_moved_whole_or_not_at_all(
    tmp_path: Path, kind: str, first: Workflow
) -> None:
    crashed: set[str] = set()
    for point in range(1, 100):
        url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path}/{point}.db"
        crash_points = CrashPoints(point.__eq__)
        asyncio.run(_crash_and_go_on(url, first, crash_points))
        if not crash_points.crashed:
            break
        crashed.update(crash_points.crashed)
    assert crashed == {"ReadRecord", "ReadWorkflow", "Now", "SaveWorkflow", "Commit"} | (
        {"Claim", "Interrupt"} if first is WORKING else set()
    )


async def _crash_and_go_on(url: str, first: Workflow, crash_points: CrashPoints) -> None:
    clock = FakeClock()
    async with open_store(url, clock=clock) as store:
        await Runner(store).start(first, id="a", drive=False)
        before = await store.dump("a")
        try:
            await CrashingRunner(store, clock, crash_points, finds_dead=True).migrate(SECOND, ["a"], apply=True)
        except Crash:
            await _assert_whole_or_not_at_all(store, before)
        await CrashingRunner(store, clock, CrashPoints(lambda point: False), finds_dead=True).migrate(
            SECOND, ["a"], apply=True
        )
        after = await store.dump("a")
        assert [step.kind for step in after.steps] == [StepKind.CREATED, StepKind.MIGRATED]
        assert fold(None, after.steps).values == {"y": None, "n": 1}
        assert (after.head.definition, after.head.lease) == (SECOND.hash, None)


async def _assert_whole_or_not_at_all(store: Store, before: AgentExport) -> None:
    now = await store.dump("a")
    if now.steps == before.steps:
        assert now.head._replace(epoch=1, lease=None) == before.head._replace(epoch=1)
    else:
        assert (now.head.definition, now.head.version, len(now.steps)) == (SECOND.hash, 2, 2)


class RacingLoop(CommandLoop):
    """Calls ``race_with`` once, right before a commit."""

    race_with: Callable[[], Awaitable[Any]] | None = None

    async def perform(self, effect: Command) -> Any:
        if isinstance(effect, Commit) and self.race_with is not None:
            race_with, self.race_with = self.race_with, None
            await race_with()
        return await super().perform(effect)


class RacingRunner(Runner):
    """A runner that calls ``race_with`` before its next commit."""

    def race_with(self, race_with: Callable[[], Awaitable[Any]]) -> None:
        self._loop = RacingLoop(self.store, self.actions, self._executor)
        self._loop.race_with = race_with


NOTED: Document = {"on": {"go": "end", "note": {"assign": {"x": "'noted'"}}}}


def noted(version: int, **more: Any) -> Workflow:
    return read({**document(version, {"a": NOTED}, {"x": "string?"}, "a"), "events": {"go": {}, "note": {}}, **more})


def test_an_event_between_plan_and_commit_is_planned_with() -> None:
    async def race(race_with: str) -> tuple[Outcome, list[str]]:
        async with RacingRunner(open_store("memory://")) as runner:
            await runner.start(noted(1), id="a")
            other = Runner(runner.store)
            runner.race_with(lambda: other.send("a", race_with))
            [outcome] = (await runner.migrate(noted(2), ["a"], apply=True)).outcomes
            return outcome, [step.event for step in await runner.history("a")]

    outcome, events = asyncio.run(race("note"))
    assert (outcome.verdict, events) == ("moved", ["created", "note", "migrate"])
    outcome, events = asyncio.run(race("go"))
    assert (outcome.verdict, outcome.reason, events) == ("unaffected", "has ended: it is done", ["created", "go"])


def test_an_event_between_plan_and_commit_is_a_conflict_where_a_version_is_expected() -> None:
    async def race() -> None:
        async with RacingRunner(open_store("memory://")) as runner:
            await runner.start(noted(1), id="a")
            other = Runner(runner.store)
            runner.race_with(lambda: other.send("a", "note"))
            with pytest.raises(Conflict):
                await runner.migrate(noted(2), ["a"], apply=True, expect_version=1)
            assert (await runner.get("a")).workflow_version == 1

    asyncio.run(race())


def test_two_that_migrate_at_once_move_each_agent_exactly_once(tmp_path: Path) -> None:
    async def race() -> None:
        url = f"sqlite:///{tmp_path}/agents.db"
        async with Runner(open_store(url)) as first, Runner(open_store(url)) as second:
            for number in range(30):
                await first.start(WORKING if number % 2 else FIRST, id=f"a{number:02}", drive=False)
            pages = await asyncio.gather(
                first.migrate(SECOND, apply=True, limit=30), second.migrate(SECOND, apply=True, limit=30)
            )
            verdicts = [outcome.verdict for page in pages for outcome in page.outcomes]
            assert verdicts.count("moved") == 30  # type: ignore[comparison-overlap]
            assert set(verdicts) <= {"moved", "unaffected", "driven"}
            for number in range(30):
                steps = await first.history(f"a{number:02}")
                assert [step.kind for step in steps] == [StepKind.CREATED, StepKind.MIGRATED]

    asyncio.run(race())


def test_an_action_that_is_the_same_goes_on_after_the_move() -> None:
    @action(emits=["go"])
    async def work(ctx: Context) -> str:
        ctx.data.y = f"activation {ctx.activation}"
        return "go"

    async def run() -> None:
        async with Runner(open_store("memory://"), actions=[work]) as runner:
            await runner.start(WORKING, id="a", drive=False)
            await runner.migrate(SECOND, ["a"], apply=True)
            assert (await runner.resume("a")).data == {"y": "activation 1", "n": 1}

    asyncio.run(run())
