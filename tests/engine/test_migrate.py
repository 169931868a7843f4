"""Agents go to a newer definition: what moves by itself, what needs a word, what cannot, and what the move does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pydantic
import pytest

from fsm_agent import Context, Runner, action, open_store
from fsm_agent.actions.registry import Actions
from fsm_agent.data.delta import fold
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.record import Record
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.migration.migrate import Outcome
from fsm_agent.errors import Conflict, OtherWorkflow, Refused, StoreError
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.processes import this_process
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.sync import Runner as SyncRunner
from tests.support.runtime import Gate, dead_process, on_loop, story

DAY = 86_400_000
HOUR = 3_600_000

ASKING = """
    data: {goal: string?}
    events: {go: {goal: string}, again: {}}
    initial: asking
    states:
      asking:
        ask: {prompt: "What for?", events: [go]}
        after: {3d: lapsed}
        on: {go: {target: done, assign: {goal: event.goal}}, again: asking}
      lapsed: {final: true, outcome: cancelled}
      done: {final: true, output: {goal: data.goal}}
"""


def version(number: int, text: str, migrations: str = "") -> Workflow:
    entries = f"\nmigrations:\n{dedent(migrations)}" if migrations else ""
    return loads(f"workflow: w\nversion: {number}\n{dedent(text)}{entries}")


class Bench:
    """A runner on a virtual clock, with one agent ``a``."""

    def __init__(self, *actions: Any) -> None:
        self.clock = FakeClock()
        self.runner = Runner(open_store("memory://", clock=self.clock), actions=actions)

    async def begin(self, workflow: Workflow, **known: Any) -> None:
        await self.runner.start(workflow, id="a", **known)

    async def plan(self, workflow: Workflow) -> Outcome:
        """What would happen; and nothing does."""
        before = await self.runner.store.dump("a")
        [outcome] = (await self.runner.migrate(workflow, ["a"])).outcomes
        assert await self.runner.store.dump("a") == before
        return outcome

    async def move(self, workflow: Workflow) -> Outcome:
        """Plan and apply; both say the same, and the history adds up."""
        planned = await self.plan(workflow)
        [outcome] = (await self.runner.migrate(workflow, ["a"], apply=True, by="ann")).outcomes
        assert planned.verdict == "moves by itself", planned.reason
        assert outcome.verdict == "moved"
        assert (outcome.reason, outcome.changes, outcome.to_state) == (
            planned.reason,
            planned.changes,
            planned.to_state,
        )
        history, agent = await self.runner.history("a"), await self.runner.get("a")
        assert fold(None, history).values == agent.data
        assert [step.version for step in history] == list(range(1, agent.version + 1))
        assert (await self.runner.store.head("a")).definition == workflow.hash
        return outcome

    async def verdict(self, workflow: Workflow) -> tuple[str, str]:
        """What is said of an agent that cannot be moved; it is not."""
        outcome = await self.plan(workflow)
        before = await self.runner.store.dump("a")
        assert (await self.runner.migrate(workflow, ["a"], apply=True)).outcomes == (outcome,)
        assert await self.runner.store.dump("a") == before
        assert outcome.is_open
        return str(outcome.verdict), outcome.reason


@asynccontextmanager
async def bench(*actions: Any) -> AsyncIterator[Bench]:
    made = Bench(*actions)
    async with made.runner:
        yield made


@on_loop
async def test_an_agent_moves_by_itself_where_its_state_and_its_data_fit() -> None:
    async with bench() as b:
        first = version(1, ASKING)
        await b.begin(first)
        newer = version(2, ASKING.replace("What for?", "What is your goal?").replace("3d", "72h"))
        outcome = await b.move(newer)
        assert outcome.changes == ("timer 72h of `asking` goes on", "the question is What is your goal?")
        agent = await b.runner.get("a")
        assert (agent.workflow_version, agent.question and agent.question.prompt) == (2, "What is your goal?")
        step = (await b.runner.history("a"))[-1]
        assert (step.kind, step.event, step.by, step.source, step.target, step.entered) == (
            StepKind.MIGRATED, "migrate", "ann", "asking", "asking", 0,
        )  # fmt: skip
        assert step.payload == {"from": first.hash, "to": newer.hash, "from_version": 1, "to_version": 2}
        assert not step.delta


@on_loop
async def test_a_renamed_state_takes_its_counts_and_its_timers_along() -> None:
    async with bench() as b:
        await b.begin(version(1, ASKING))
        await b.runner.send("a", "again")
        due = (await b.runner.store.head("a")).timers[0].due_ms
        b.clock.advance(days=1)
        newer = version(2, ASKING.replace("asking", "wondering").replace("3d: l", "2d: lapsed, 72h: l"), """
            - {from: 1, states: {asking: wondering}}
        """)  # fmt: skip
        outcome = await b.move(newer)
        assert outcome.to_state == "wondering"
        assert outcome.changes == ("timer 2d of `wondering` runs from now", "timer 72h of `wondering` goes on")
        head = await b.runner.store.head("a")
        assert head.visits == {"wondering": 2}
        assert [(timer.state, timer.label, timer.due_ms - due) for timer in head.timers] == [
            ("wondering", "2d", 0), ("wondering", "72h", 0),
        ]  # fmt: skip
        assert (await b.runner.history("a"))[-1].payload["visits"] == {"wondering": 2}
        assert (await b.runner.answer("a", {"goal": "fun"})).output == {"goal": "fun"}


@on_loop
async def test_timers_that_are_gone_are_cleared_and_one_that_has_had_its_turn_is_not_armed_again() -> None:
    text = """
        data: {n: {type: integer, default: 0}}
        initial: a
        states:
          a: {after: {1h: {assign: {n: data.n + 1}}, 2d: done, 3d: done}}
          done: {final: true}
    """
    async with bench() as b:
        await b.begin(version(1, text))
        b.clock.advance(hours=1)
        await b.runner.resume("a")
        outcome = await b.move(version(2, text.replace("2d: done, ", "")))
        assert outcome.changes == ("timer 3d of `a` goes on", "timer 2d of `a` is cleared")
        assert [timer.label for timer in (await b.runner.store.head("a")).timers] == ["3d"]


@on_loop
async def test_fields_are_dropped_renamed_and_filled_up_and_new_ones_take_their_defaults() -> None:
    async with bench() as b:
        await b.begin(version(1, ASKING.replace("{goal: string?}", "{goal: string?, waste: string?, old: string?}")),
                      data={"goal": "fun", "waste": "x"})  # fmt: skip
        data = "{aim: string?, tier: string, old: string, n: {type: integer, default: 3}, extra: object?}"
        newer = ASKING.replace("{goal: string?}", data).replace("{goal: event.goal}", "{aim: event.goal}")
        outcome = await b.move(version(2, newer.replace("{goal: data.goal}", "{aim: data.aim}"), """
            - {from: 1, data: {drop: [waste], rename: {goal: aim}, default: {tier: gold, old: none, aim: unused}}}
        """))  # fmt: skip
        assert outcome.changes[:6] == (
            'data.aim is set to "fun"', 'data.tier is set to "gold"', 'data.old is set to "none"',
            "data.n is set to 3", "data.extra is set to null", "data.goal is removed",
        )  # fmt: skip
        assert (await b.runner.get("a")).data == {
            "aim": "fun", "tier": "gold", "old": "none", "n": 3, "extra": None,
        }  # fmt: skip


def double(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "n": data["n"] * 2, "steps": [*data.pop("steps"), "doubled"]}


@on_loop
async def test_migrations_compose_over_several_versions_and_functions_do_the_rest() -> None:
    def text(state: str, field: str) -> str:
        return f"""
            data: {{{field}: {{type: integer, default: 1}}, steps: {{type: array, default: []}}}}
            events: {{go: {{}}}}
            initial: {state}
            states: {{{state}: {{on: {{go: done}}}}, done: {{final: true}}}}
        """

    entries = f"""
        - {{from: 2, states: {{two: three}}, data: {{rename: {{m: n}}}}, upcast: "{__name__}:double"}}
        - {{from: 1, states: {{one: two}}, data: {{rename: {{k: m}}}}}}
    """
    newest = version(3, text("three", "n"), entries)
    for first in (version(1, text("one", "k")), version(2, text("two", "m"))):
        async with Runner(open_store("memory://"), modules=[__name__]) as runner:
            await runner.start(first, id="a")
            [outcome] = (await runner.migrate(newest, ["a"], apply=True)).outcomes
            assert outcome.verdict == "moved", outcome.reason
            agent = await runner.get("a")
            assert (agent.state, agent.workflow_version) == ("three", 3)
            assert agent.data == {"n": 2, "steps": ["doubled"]}


@on_loop
async def test_what_an_upcast_makes_is_judged_like_any_data() -> None:
    def migrated(upcast: Any) -> Workflow:
        flow = version(2, ASKING, "- {from: 1, upcast: 'm:f'}")
        object.__setattr__(flow, "upcasters", {"m:f": upcast})
        return flow

    def fails(data: dict[str, Any]) -> dict[str, Any]:
        raise KeyError("x")

    async with bench() as b:
        await b.begin(version(1, ASKING))
        for upcast, reason in [
            (fails, "upcast 'm:f' raised KeyError: 'x'"),
            (lambda data: sys.exit(3), "upcast 'm:f' raised SystemExit: 3"),
            (lambda data: None, "upcast 'm:f' returned null, and must return a dict"),
            (lambda data: {"goal": {1, 2}}, "upcast 'm:f' returned what cannot be kept: goal is {1, 2} of type set, "
             "and only JSON can be kept: none, booleans, numbers, strings, lists, dicts"),
            (lambda data: {"goal": 3}, "the data does not fit, and only an `upcast` can mend that: goal: 3 is not of "
             'types "null", "string"'),
        ]:  # fmt: skip
            assert await b.verdict(migrated(upcast)) == ("stranded", reason)
        assert (await b.verdict(migrated(lambda data: {"gaol": "x"})))[0] == "needs a mapping"
        await b.move(migrated(lambda data: data.update(goal="new") or data))  # its copy is its own
        assert (await b.runner.get("a")).data == {"goal": "new"}


@on_loop
async def test_what_json_tells_apart_is_written() -> None:
    """Python takes 1, 1.0 and true for the same."""
    text = "data: {{n: {{type: [number, boolean], default: 1}}}}\ninitial: a\nstates: {{a: {{}}}}\n"
    async with bench() as b:
        await b.begin(version(1, text.format()))
        newer = version(2, text.format(), "- {from: 1, upcast: 'm:f'}")
        object.__setattr__(newer, "upcasters", {"m:f": lambda data: {"n": True}})
        assert (await b.move(newer)).changes == ("data.n is set to true",)
        assert (await b.runner.get("a")).data["n"] is True


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        (
            ("asking", "wondering"),
            "needs a mapping",
            "state `asking` is gone in version 2: write `{from: 1, states: {asking: wondering}}` under `migrations`",
        ),
        (
            ("goal: string?", "goals: string?, n: integer"),
            "needs a mapping",
            "`data.n` is new, and has no default; `data.goal` is not declared any more: write `{from: 1, data: "
            "{rename: {goal: goals}, default: {n: ...}}}` under `migrations`",
        ),
        (
            ("goal: string?", "goal: string"),
            "needs a mapping",
            "`data.goal` may not be null any more: write `{from: 1, data: {default: {goal: ...}}}` under `migrations`",
        ),
        (
            ("goal: string?", "goal: string?, n: integer"),
            "needs a mapping",
            "`data.n` is new, and has no default: write `{from: 1, data: {default: {n: ...}}}` under `migrations`",
        ),
    ],
)
@on_loop
async def test_what_a_migration_could_say_is_asked_for_with_the_words_to_write(
    change: tuple[str, str], verdict: str, reason: str
) -> None:
    async with bench() as b:
        await b.begin(version(1, ASKING))
        text = ASKING.replace("{goal: event.goal}", "{}").replace("output: {goal: data.goal}", "output: {}")
        assert await b.verdict(version(2, text.replace(*change))) == (verdict, reason)


@on_loop
async def test_where_there_is_a_migration_already_the_words_are_to_be_added_to_it() -> None:
    async with bench() as b:
        await b.begin(version(1, ASKING))
        newer = version(3, ASKING.replace("asking", "wondering"), "- {from: 1}\n- {from: 2, states: {b: done}}")
        assert (await b.verdict(newer))[1].endswith("add `states: {asking: wondering}` to the migration from version 2")
        text = ASKING.replace("asking", "wondering")
        assert (await b.verdict(version(1, text)))[1].endswith(
            "write `version: 2` at its top and `{from: 1, states: {asking: wondering}}` under `migrations`"
        )


GONE = """
    data: {goal: string?}
    events: {go: {goal: string}, again: {}}
    initial: idle
    states:
      idle: {on: {go: done, again: idle}}
      done: {final: true}
"""


@on_loop
async def test_an_agent_whose_state_is_gone_without_another_in_its_place_is_stranded_until_a_migration_says_more() -> (
    None
):
    first = version(1, GONE.replace("idle: {on", "old: {}\n      idle: {on").replace("initial: idle", "initial: old"))
    async with bench() as b:
        await b.begin(first)
        assert await b.verdict(version(2, GONE)) == (
            "stranded",
            "state `old` is gone in version 2, and no state has come in its place: say under `states` of a migration "
            "which of idle, done it becomes",
        )
        await b.move(version(2, GONE, "- {from: 1, states: {old: idle}}"))


@on_loop
async def test_an_agent_ends_by_a_migration_only_where_that_says_so() -> None:
    newer = ASKING.replace("on: {go: {target: done", "final: true #").replace("after: {3d: lapsed}", "").replace(
        'ask: {prompt: "What for?", events: [go]}', "")  # fmt: skip
    newer = """
        data: {goal: string?}
        events: {go: {}}
        initial: new
        states:
          new: {on: {go: asking}}
          asking: {final: true, outcome: failed, output: {was: data.goal}}
    """
    async with bench() as b:
        await b.begin(version(1, ASKING), data={"goal": "fun"})
        assert await b.verdict(version(2, newer)) == (
            "needs a mapping",
            "in version 2, state `asking` is final, and agents end only where a migration says so: write `{from: 1, "
            "states: {asking: asking}}` under `migrations`",
        )
        outcome = await b.move(version(2, newer, "- {from: 1, states: {asking: asking}}"))
        assert outcome.changes == ("timer 3d of `asking` is cleared", "it has failed then")
        agent = await b.runner.get("a")
        assert (agent.status, agent.output, agent.allowed) == ("failed", {"was": "fun"}, ())


@on_loop
async def test_a_state_that_has_got_children_is_entered_down_to_its_initial_where_a_migration_says_so() -> None:
    newer = """
        data: {goal: string?}
        events: {go: {}}
        initial: asking
        states:
          asking:
            initial: first
            after: {3d: done, 1d: done}
            states: {first: {on: {go: second}}, second: {on: {go: done}}}
          done: {final: true}
    """
    async with bench() as b:
        await b.begin(version(1, ASKING))
        assert (await b.verdict(version(2, newer)))[1].startswith(
            "in version 2, state `asking` has got children: write"
        )
        outcome = await b.move(version(2, newer, "- {from: 1, states: {asking: asking}}"))
        assert (outcome.to_state, outcome.changes) == (
            "asking.first", ("timer 3d of `asking` goes on", "timer 1d of `asking` runs from now"),
        )  # fmt: skip


@on_loop
async def test_what_the_newer_definition_cannot_say_of_the_data_strands_the_agent() -> None:
    async with bench() as b:
        await b.begin(version(1, ASKING))
        odd = ASKING.replace("What for?", "{{ data.goal.size() }} letters?")
        verdict, reason = await b.verdict(version(2, odd))
        assert verdict == "stranded"
        assert reason.startswith("state `asking` cannot be entered: expression")


@on_loop
async def test_a_rename_never_overwrites() -> None:
    async with bench() as b:
        first = ASKING.replace("{goal: string?}", "{goal: string?, aim: string?}")
        await b.begin(version(1, first))
        entries = "- {from: 1, data: {rename: {aim: goal}}}"
        assert await b.verdict(version(2, ASKING, entries)) == (
            "stranded", "`rename` would put `aim` in the place of `goal`, which has a value: drop one of them",
        )  # fmt: skip
        await b.move(version(2, ASKING, entries.replace("{rename", "{drop: [goal], rename")))


@on_loop
async def test_agents_that_have_ended_or_are_there_or_are_newer_are_unaffected() -> None:
    async with bench() as b:
        await b.begin(version(2, ASKING))
        for workflow, reason in [
            (version(2, ASKING), "is on this definition already"),
            (version(1, ASKING), "is on version 2, which is newer"),
        ]:
            outcome = await b.plan(workflow)
            assert (outcome.verdict, outcome.reason, outcome.is_open) == ("unaffected", reason, False)
        await b.runner.cancel("a")
        assert (await b.plan(version(3, ASKING))).reason == "has ended: it is cancelled"


@on_loop
async def test_an_edited_file_of_the_same_version_moves_agents_too() -> None:
    async with bench() as b:
        await b.begin(version(1, ASKING))
        await b.move(version(1, ASKING.replace("What for?", "Why?")))


WORKING = """
    events: {done: {}, note: {}, other: {text: string}}
    initial: working
    data: {notes: {type: integer, default: 0}}
    states:
      working:
        do: work
        on: {done: end, note: {assign: {notes: data.notes + 1}}, other: {assign: {notes: data.notes + 10}}}
      end: {final: true}
"""


@action(name="work", emits=["done"])
async def work(ctx: Context) -> str:
    return "done"


async def interrupted(b: Bench, workflow: Workflow, holder: Holder | None = None) -> None:
    """An agent that has work to do, and whom nobody drives, unless a ``holder`` does."""
    await b.runner.start(workflow, id="a", drive=False)
    if holder is not None:
        head = await b.runner.store.head("a")
        await b.runner.store.claim("a", head, Lease(holder, await b.runner.store.now() + 15_000))


@on_loop
async def test_the_same_action_under_another_name_of_its_state_goes_on_with_its_attempts() -> None:
    async with bench(work) as b:
        await interrupted(b, version(1, WORKING))
        head = await b.runner.store.head("a")
        await b.runner.store.record_attempt("a", head.epoch, attempts=2, retry_ms=7)
        newer = WORKING.replace("working", "toiling").replace("do: work", "do: work\n        timeout: 1m")
        outcome = await b.move(version(2, newer, "- {from: 1, states: {working: toiling}}"))
        assert outcome.changes == ()
        moved = await b.runner.store.head("a")
        assert (moved.status, moved.activation, moved.attempts, moved.retry_ms) == ("running", 1, 2, 7)
        assert (moved.lease, moved.epoch > head.epoch) == (None, True)
        assert (await b.runner.resume("a")).status == "done"


@pytest.mark.parametrize(
    ("change", "did"),
    [
        (("do: work", "do: other_work"), "'work'"),
        (("do: work", "do: work\n        with: {n: 1}"), "so with other arguments"),
    ],
)  # fmt: skip
@on_loop
async def test_another_action_or_other_arguments_wait_for_an_operator(change: tuple[str, str], did: str) -> None:
    calls: list[int | None] = []

    @action(emits=["done"])
    async def other_work(ctx: Context) -> str:
        calls.append(ctx.activation)
        return "done"

    @action(name="work", emits=["done"])
    async def with_argument(ctx: Context, n: int = 0) -> str:
        calls.append(ctx.activation)
        return "done"

    async with bench(with_argument, other_work) as b:
        await interrupted(b, version(1, WORKING))
        name = "other_work" if "other_work" in change[1] else "work"
        outcome = await b.move(version(2, WORKING.replace(*change)))
        why = f"state 'working' does {name!r} in version 2, and did {did} in version 1"
        why += "; once the agent is unparked it begins"
        assert outcome.changes == (f"it is parked, since {why}",)
        agent = await b.runner.resume("a")
        assert (agent.status, agent.error, calls) == ("parked", {"type": "ActionChanged", "message": why}, [])
        assert (await b.runner.history("a"))[-1].reason == why
        assert (await b.runner.unpark("a")).status == "done"
        assert calls == [2]


@on_loop
async def test_a_state_that_works_only_now_waits_for_an_operator_and_one_that_works_no_more_waits_for_events() -> None:
    waiting = WORKING.replace("do: work", "")
    async with bench(work) as b:
        await b.begin(version(1, waiting))
        outcome = await b.move(version(2, WORKING))
        assert "and did nothing in version 1" in outcome.changes[0]
        assert (await b.runner.get("a")).status == "parked"
        await b.move(version(3, waiting))
        assert (await b.runner.get("a")).status == "parked"  # the reason is not gone, and an operator sees it
        assert (await b.runner.unpark("a")).status == "waiting"
    async with bench(work) as b:
        await interrupted(b, version(1, WORKING))
        assert (await b.move(version(2, waiting))).changes == ("it is waiting then",)
        assert (await b.runner.send("a", "done")).status == "done"


@on_loop
async def test_a_parked_agent_stays_parked_for_the_reason_it_had() -> None:
    async with bench() as b:
        agent = await b.runner.start(version(1, WORKING), id="a")
        assert agent.error is not None
        assert agent.error["type"] == "ActionMissing"
        assert (await b.move(version(2, WORKING.replace("do: work", "do: my_work")))).changes == ()
        again = await b.runner.get("a")
        assert (again.status, again.error) == ("parked", agent.error)
        assert (await b.runner.store.head("a")).activation == 3


@on_loop
async def test_an_agent_that_is_parked_for_another_action_is_told_of_the_newest() -> None:
    async with bench(work) as b:
        await interrupted(b, version(1, WORKING))
        await b.move(version(2, WORKING.replace("do: work", "do: second")))
        await b.move(version(3, WORKING.replace("do: work", "do: third")))
        agent = await b.runner.get("a")
        assert agent.error is not None
        assert agent.error["message"].startswith("state 'working' does 'third' in version 3, and did 'second' in")


@on_loop
async def test_an_agent_that_is_deleted_meanwhile_is_not_missed() -> None:
    class Vanishing(MemoryStore):
        async def load(self, agent_id: str, *, key: str | None = None) -> Record:
            await self.delete(await self.head(agent_id))
            return await super().load(agent_id, key=key)

    async with Runner(Vanishing()) as runner:
        await runner.start(version(1, ASKING), id="a")
        [outcome] = (await runner.migrate(version(2, ASKING))).outcomes
        assert (outcome.verdict, outcome.reason) == ("unaffected", "was deleted meanwhile")


@on_loop
async def test_an_agent_that_somebody_drives_is_left_alone_and_a_dead_driver_is_none() -> None:
    async with bench(work) as b:
        await interrupted(b, version(1, WORKING), this_process())
        newer = version(2, WORKING.replace("do: work", "do: work\n        timeout: 1m"))
        verdict, reason = await b.verdict(newer)
        assert (verdict, reason) == ("driven", f"is driven by {this_process()}: try again when that has come to rest")
    async with bench(work) as b:
        await interrupted(b, version(1, WORKING), dead_process())
        await b.move(newer)
    async with bench(work) as b:
        await interrupted(b, version(1, WORKING), Holder("elsewhere", 1, 0))
        assert (await b.verdict(newer))[0] == "driven"
        b.clock.advance(seconds=15)
        await b.move(newer)


@on_loop
async def test_a_running_action_is_not_disturbed_by_a_migration() -> None:
    gate = Gate()
    async with Runner(open_store("memory://"), actions=[gate.as_action()]) as runner:
        running = asyncio.create_task(runner.start(version(1, WORKING), id="a"))
        await gate.begun.wait()
        [outcome] = (await runner.migrate(version(2, WORKING), ["a"], apply=True)).outcomes
        assert (outcome.verdict, outcome.from_version) == ("driven", 1)
        gate.open("done")
        assert (await running).status == "done"
        assert not gate.was_cancelled


@on_loop
async def test_what_is_queued_is_decided_by_the_newer_definition() -> None:
    newer = """
        events: {done: {}, note: {n: {type: integer, default: 5}}, extra: {}}
        initial: working
        data: {notes: {type: integer, default: 0}}
        states:
          working: {on: {done: end, note: {assign: {notes: data.notes + event.n}}}}
          end: {final: true}
    """
    async with bench(work) as b:
        await interrupted(b, version(1, WORKING), this_process())
        for event, payload in [("note", {}), ("other", {"text": "x"})]:
            assert (await b.runner.send("a", event, payload, drive=False)).delivery == "queued"
        head = await b.runner.store.head("a")
        await b.runner.store.release("a", head.epoch)
        outcome = await b.move(version(2, newer))
        assert outcome.changes == ("it is waiting then", "what is queued (2) is decided by the newer definition")
        agent = await b.runner.resume("a")
        assert agent.data == {"notes": 5}
        assert story(await b.runner.history("a"))[2:] == [
            "event note working>working", "refused other working>working",
        ]  # fmt: skip


@on_loop
async def test_a_queued_payload_that_fits_no_more_is_refused_on_record() -> None:
    newer = WORKING.replace("note: {}", "note: {n: integer}").replace("data.notes + 1}", "data.notes + event.n}")
    async with bench(work) as b:
        await interrupted(b, version(1, WORKING), this_process())
        await b.runner.send("a", "note", drive=False)
        await b.runner.store.release("a", (await b.runner.store.head("a")).epoch)
        await b.move(version(2, newer.replace("do: work", "")))
        await b.runner.resume("a")
        step = (await b.runner.history("a"))[-1]
        assert step.kind is StepKind.REFUSED
        assert (
            step.reason
            == "the payload of event 'note' is wrong: n must be given: it has no default and may not be null"
        )


@on_loop
async def test_all_agents_of_a_workflow_go_page_by_page_in_order_of_id() -> None:
    async with Runner(open_store("memory://")) as runner:
        for number in range(7):
            await runner.start(version(1, ASKING), id=f"a{number}")
        await runner.start(loads("workflow: other\nversion: 1\ninitial: b\nstates: {b: {}}"), id="a3x")
        newer, seen, after = version(2, ASKING), [], None
        while True:
            moves = await runner.migrate(newer, apply=True, limit=3, after=after)
            seen.append([outcome.id for outcome in moves.outcomes])
            if (after := moves.next) is None:
                break
        assert seen == [["a0", "a1", "a2"], ["a3", "a4", "a5"], ["a6"]]


@on_loop
async def test_a_wrong_id_among_several_moves_none() -> None:
    async with Runner(open_store("memory://")) as runner:
        await runner.start(version(1, ASKING), id="a")
        await runner.start(loads("workflow: other\nversion: 1\ninitial: b\nstates: {b: {}}"), id="b")
        for wrong in ("b", "nobody"):
            with pytest.raises(Refused):
                await runner.migrate(version(2, ASKING), ["a", wrong], apply=True)
        with pytest.raises(OtherWorkflow):
            await runner.migrate(version(2, ASKING), ["b"])
        assert (await runner.get("a")).workflow_version == 1


@on_loop
async def test_an_expected_version_that_is_not_the_agent_s_is_a_conflict() -> None:
    async with Runner(open_store("memory://")) as runner:
        await runner.start(version(1, ASKING), id="a")
        with pytest.raises(Conflict):
            await runner.migrate(version(2, ASKING), ["a"], apply=True, expect_version=7)
        [outcome] = (await runner.migrate(version(2, ASKING), ["a"], apply=True, expect_version=1)).outcomes
        assert outcome.verdict == "moved"


@on_loop
async def test_an_agent_whose_definition_is_lost_is_stranded_and_holds_up_no_other() -> None:
    store = MemoryStore()
    async with Runner(store) as runner:
        lost = version(1, ASKING)
        await runner.start(lost, id="a")
        await runner.start(version(1, ASKING.replace("3d", "4d")), id="b")
        del store._definitions[lost.hash]
        async with Runner(store) as other:
            outcomes = (await other.migrate(version(2, ASKING), apply=True)).outcomes
            assert [(outcome.id, outcome.verdict) for outcome in outcomes] == [("a", "stranded"), ("b", "moved")]
            assert outcomes[0].reason == (
                f"definition {lost.hash[:12]} is damaged in the definitions: it is not kept any more; "
                "`fsm-agent doctor` says what to do"
            )


GROWING = """
    data: {things: {type: array, default: []}, last: string?}
    events: {add: {text: string}}
    initial: open
    states:
      open: {on: {add: {assign: {last: event.text}, append: {things: event.text}}}}
"""


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_list_that_has_grown_keeps_growing_under_its_new_name_whatever_snapshots_there_are(
    tmp_path: Path, kind: str
) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path}/a.db"
    newer = version(2, GROWING.replace("things", "items"), "- {from: 1, data: {rename: {things: items}}}")
    with SyncRunner(open_store(url)) as runner:
        runner.start(version(1, GROWING), id="a")
        texts = [f"{number}" * 100 for number in range(40)]
        for text in texts[:20]:
            runner.send("a", "add", {"text": text})
        assert runner.migrate(newer, ["a"], apply=True).outcomes[0].verdict == "moved"
        for text in texts[20:]:
            runner.send("a", "add", {"text": text})
        assert runner.get("a").data == {"items": texts, "last": texts[-1]} == fold(None, runner.history("a")).values


class Trip(pydantic.BaseModel):
    goal: str | None = None


class Journey(pydantic.BaseModel):
    aim: str | None = None

    @pydantic.field_validator("aim")
    @classmethod
    def is_short(cls, aim: str | None) -> str | None:
        if aim and len(aim) > 5:
            raise ValueError("an aim has five letters")
        return aim


MODEL = """
    data: "{module}:{model}"
    initial: open
    states: {{open: {{}}}}
"""


@on_loop
async def test_a_model_judges_the_data_and_the_older_one_need_not_be_there_any_more() -> None:
    actions = Actions(modules=[__name__])

    def modelled(number: int, model: str, migrations: str = "") -> Workflow:
        text = dedent(MODEL.format(module=__name__, model=model))
        entries = f"migrations:\n{migrations}\n" if migrations else ""
        text = f"workflow: w\nversion: {number}\n{text}\n{entries}"
        return loads(text, resolve_model=actions.model_schema)

    async with Runner(open_store("memory://"), actions=actions) as runner:
        await runner.start(modelled(1, "Trip"), id="a", data={"goal": "Rome"})
        await runner.start(modelled(1, "Trip"), id="b", data={"goal": "Montevideo"})
        newer = modelled(2, "Journey", "  - {from: 1, data: {rename: {goal: aim}}}")
        object.__setattr__(newer, "model_class", Journey)
        async with Runner(runner.store) as elsewhere:  # where no module is allowed
            first, second = (await elsewhere.migrate(newer, apply=True)).outcomes
            assert (first.verdict, second.verdict) == ("moved", "stranded")
            assert second.reason == "the data does not fit: aim: Value error, an aim has five letters"


@on_loop
async def test_a_rewind_brings_the_older_definition_back_and_the_history_is_verified_throughout() -> None:
    first = """
        data: {note: string?}
        events: {go: {}}
        initial: outer
        states:
          outer:
            initial: inner
            after: {3d: done}
            states: {inner: {after: {1d: done}, on: {go: done}}}
          done: {final: true}
    """
    newer = """
        data: {remark: string?}
        events: {go: {}}
        initial: flat
        states:
          flat: {after: {3d: done, 1d: done}, on: {go: done}}
          done: {final: true}
    """
    entries = "- {from: 1, states: {outer.inner: flat, outer: flat}, data: {rename: {note: remark}}}"
    async with bench() as b:
        old = version(1, first)
        await b.begin(old, data={"note": "x"})
        b.clock.advance(hours=1)
        outcome = await b.move(version(2, newer, entries))
        assert outcome.changes[-2:] == ("timer 3d of `flat` goes on", "timer 1d of `flat` goes on")
        assert (await b.runner.history("a"))[-1].payload["states"] == {"outer": "flat"}
        assert (await b.runner.replay("a")).mismatches == []
        await b.runner.rewind("a", 1)
        back = await b.runner.get("a")
        assert (back.workflow_version, back.state, back.data) == (1, "outer.inner", {"note": "x"})
        assert (await b.runner.store.head("a")).visits == {"outer": 1, "outer.inner": 1}
        await b.move(version(2, newer, entries))
        assert (await b.runner.replay("a")).mismatches == []
        assert (await b.runner.send("a", "go")).status == "done"


@on_loop
async def test_a_dry_run_keeps_not_even_the_newer_definition() -> None:
    async with Runner(open_store("memory://")) as runner:
        await runner.start(version(1, ASKING), id="a")
        newer = version(2, ASKING)
        await runner.migrate(newer, ["a"])
        with pytest.raises(StoreError):
            await runner.store.load_workflow(newer.hash)


def test_blocking_code_migrates_alike() -> None:
    with SyncRunner(open_store("memory://")) as runner:
        runner.start(version(1, ASKING), id="a")
        [outcome] = runner.migrate(version(2, ASKING), ["a"], apply=True).outcomes
        assert outcome.to_json() == {
            "id": "a", "from_version": 1, "state": "asking", "verdict": "moved", "to_state": "asking",
            "reason": "its state and its data fit", "changes": ["timer 3d of `asking` goes on"],
        }  # fmt: skip
