"""``wait`` and ``human.ask``: time passes and people think, and no process stays with the agent meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsm_agent import Context, Runner, Status, Worker, action, open_store
from fsm_agent.actions.action import Emission
from fsm_agent.errors import IllegalEvent, NotAddressee
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.runtime.scripted.executor import ScriptEnded
from fsm_agent.testing import drive
from tests.support.runtime import flow, on_loop, story

HOUR_MS = 3_600_000


def waiting(given: str, *, state: str = "", rest: str = "limits: {}") -> Any:
    return flow(f"""
        data: {{at: string?, ms: integer?, notes: {{type: array, items: {{type: string}}, default: []}}}}
        user: {{since: string?}}
        events: {{over: {{}}, note: {{text: string}}, leave: {{}}, again: {{}}}}
        initial: resting
        states:
          resting:
            do: wait
            with: {{{given}, emit: over}}
            {state}
            on: {{over: done, leave: left, again: resting, error: failed, note: {{append: {{notes: event.text}}}}}}
          left: {{}}
          done: {{final: true}}
          failed: {{final: true, outcome: failed}}
        {rest}
    """)


def test_time_passes_until_it_is_over_and_not_a_moment_less() -> None:
    run = drive(waiting("for: 2h"))
    assert (run.status, run.head.lease, run.head.wake_ms) == (Status.RUNNING, None, NEW_YEAR_MS + 2 * HOUR_MS)
    assert run.advance(hours=2, milliseconds=-1).status is Status.RUNNING
    assert run.advance(milliseconds=1).status is Status.DONE
    assert story(run.history) == ["created created >resting", "event over resting>done"]


@pytest.mark.parametrize(
    ("until", "given", "hours"),
    [
        ("data.at", {"at": "2026-01-02"}, 24),
        ("data.at", {"at": "2026-01-01T03:00:00Z"}, 3),
        ("data.at", {"at": "2026-01-01t03:00:00z"}, 3),
        ("data.at", {"at": "2026-01-01T03:00:00"}, 3),
        ("data.at", {"at": "2026-01-01T03:00:00+02:00"}, 1),
        ("data.at", {"at": "2026-01-01 00:30:00"}, 0.5),
        ("data.ms", {"ms": NEW_YEAR_MS + 5 * HOUR_MS}, 5),
        ('"2026-01-0" + string(1 + 1)', {}, 24),
        ("data.ms + 3600000", {"ms": NEW_YEAR_MS}, 1),
    ],
)
def test_until_is_a_date_a_datetime_or_milliseconds(until: str, given: dict[str, Any], hours: float) -> None:
    run = drive(waiting(f"until: '{until}'"), data=given)
    assert run.head.wake_ms == NEW_YEAR_MS + hours * HOUR_MS
    assert run.advance(hours=hours).status is Status.DONE


@pytest.mark.parametrize("past", ["'2025-12-31'", "'0001-01-01'", "1", "-5"])
def test_what_is_past_is_over_at_once(past: str) -> None:
    assert drive(waiting(f'until: "{past}"')).status is Status.DONE


def test_nobody_waits_beyond_the_last_year_that_there_is() -> None:
    run = drive(waiting("until: data.ms"), data={"ms": 2**62})
    assert (run.status, run.head.wake_ms) == (Status.RUNNING, 253_402_300_799_999)


@pytest.mark.parametrize(("at", "shown"), [("tomorrow", "'tomorrow'"), (None, "null"), ("", "''")])
def test_what_is_no_moment_is_an_error(at: str | None, shown: str) -> None:
    run = drive(waiting("until: data.at"), data={"at": at})
    assert run.agent.error is not None
    assert run.agent.error["message"] == (
        f"`until: data.at` gives {shown}, and must give a date, a datetime, or milliseconds since 1970"
    )


def test_an_expression_that_fails_is_one_too() -> None:
    run = drive(waiting("until: 1 / data.ms"), data={"ms": 0})
    assert run.agent.error is not None
    assert "divi" in run.agent.error["message"]


def test_what_is_remembered_of_nobody_is_nothing() -> None:
    run = drive(waiting("until: 'user.since == null ? \"2026-01-01T01:00:00Z\" : user.since'"))
    assert run.head.wake_ms == NEW_YEAR_MS + HOUR_MS


def test_events_happen_meanwhile_and_do_not_begin_it_anew() -> None:
    run = drive(waiting("for: 2h")).advance(hours=1)
    assert run.send("note", text="x").agent.delivery == "applied"
    assert (run.data["notes"], run.head.wake_ms) == (["x"], NEW_YEAR_MS + 2 * HOUR_MS)
    assert run.send("leave").state == "left"


def test_entering_the_state_again_does() -> None:
    run = drive(waiting("for: 2h")).advance(hours=1).send("again")
    assert run.head.wake_ms == NEW_YEAR_MS + 3 * HOUR_MS


def test_timers_of_the_state_go_off_meanwhile() -> None:
    timers = "after: {30m: {append: {notes: '\"half\"'}}, 1h: left}"
    run = drive(waiting("for: 2h", state=timers)).advance(minutes=45)
    assert (run.data["notes"], run.state) == (["half"], "resting")
    assert run.advance(minutes=15).state == "left"


def test_a_timeout_counts_from_the_entry() -> None:
    run = drive(waiting("for: 2h", state="timeout: 90m")).advance(hours=1).send("note", text="x")
    assert run.advance(minutes=29).status is Status.RUNNING
    assert run.advance(minutes=1).agent.error == {
        "type": "TimeoutError",
        "message": "action 'wait' took longer than 90m",
    }


def test_wall_time_ends_it_when_it_is_over() -> None:
    run = drive(waiting("for: 2h", rest="limits: {wall_time: 1h}")).advance(hours=1)
    assert run.agent.error is not None
    assert run.agent.error["type"] == "BudgetExceeded"


@on_loop
async def test_whatever_process_is_there_goes_on_and_nobody_waits_longer(every_url: str) -> None:
    clock = FakeClock()
    store = open_store(every_url, clock=clock)
    async with Runner(store) as runner:
        agent = await runner.start(waiting("for: 1d"), id="a", drive=False)
        clock.advance(hours=6)
        agent = await runner.resume("a")
        head = await runner.store.head("a")
        assert (agent.status, head.lease, head.wake_ms) == (Status.RUNNING, None, NEW_YEAR_MS + 24 * HOUR_MS)
        assert await store.due(clock.ms, 9) == []
        clock.advance(hours=12)
        await runner.resume("a")  # as after a crash
        assert (await runner.store.head("a")).wake_ms == NEW_YEAR_MS + 24 * HOUR_MS
        clock.advance(hours=6)
        assert await store.due(clock.ms, 9) == ["a"]
        await Worker(runner).run_once()
        assert (await runner.get("a")).status is Status.DONE
        assert (await runner.replay("a")).is_verified


ASKING = """
    data: {name: string?, who: {type: array, items: {type: string}, default: []}, said: string?}
    user: {nick: {type: string, default: you}}
    events: {yes: {}, no: {why: string}, more: {}, skip: {}}
    initial: asking
    states:
      asking:
        do: human.ask
        with: {prompt: "PROMPT", events: [yes, no, more], TO}
        after: {1d: late}
        on:
          yes: done
          no: {target: asking, assign: {name: event.why}}
          more: asking
          skip: done
          error: failed
      late: {final: true}
      done: {final: true}
      failed: {final: true, outcome: failed}
"""


def asking(prompt: str = "Is it {{ data.name }}, {{ user.nick }}?", to: str = "") -> Any:
    return flow(ASKING.replace("PROMPT", prompt).replace(", TO", f", to: {to}" if to else ""))


def test_a_question_is_rendered_with_data_and_user_and_answered() -> None:
    run = drive(asking(), data={"name": "Rex"}, user="ana", remembered={"nick": "Annie"})
    assert (run.status, run.prompt) == (Status.WAITING, "Is it Rex, Annie?")
    assert run.agent.question is not None
    assert list(run.agent.question.events) == ["yes", "no", "more"]
    assert run.answer("yes").state == "done"


def test_without_a_user_it_reads_as_for_one_of_whom_nothing_is_known() -> None:
    assert drive(asking(), data={"name": "Rex"}).prompt == "Is it Rex, you?"


def test_it_is_asked_again_after_an_answer_that_leads_back() -> None:
    run = drive(asking("Is it {{ data.name }}? ({{ visits.asking }})"), data={"name": "Rex"})
    assert run.answer("no", why="Max").prompt == "Is it Max? (2)"
    assert run.answer("more").prompt == "Is it Max? (3)"
    assert [step.event for step in run.history] == ["created", "ask", "no", "ask", "more", "ask"]


def test_it_goes_to_whom_it_is_for() -> None:
    run = drive(asking(to="data.who"), data={"name": "Rex", "who": ["ana", "ben"]})
    assert run.agent.question is not None
    assert run.agent.question.to == ("ana", "ben")
    with pytest.raises(NotAddressee):
        run.answer("yes", by="eve")
    assert run.answer("yes", by="ben").state == "done"


def test_a_question_for_nobody_is_an_error() -> None:
    run = drive(asking(to="data.who"))
    assert run.agent.error is not None
    assert run.agent.error["message"] == ("`to: data.who` gives [], and whom to ask must be a name or a list of names")


def test_a_question_without_words_is_one_too() -> None:
    run = drive(asking("{{ data.said == null ? '' : data.said }}"))
    assert run.agent.error is not None
    assert run.agent.error["message"].startswith("a question needs a text")


def test_timers_and_other_events_of_the_state_go_on() -> None:
    assert drive(asking()).advance(days=1).state == "late"
    run = drive(asking())
    with pytest.raises(IllegalEvent):
        run.answer("skip")
    assert run.send("skip").state == "done"


@on_loop
async def test_the_conversation_is_part_of_the_question(tmp_path: Path) -> None:
    @action
    async def talk(ctx: Context) -> str:
        ctx.conversation.append("user", "Hello.")
        ctx.conversation.append("assistant", "Hello, Rex?")
        return "yes"

    prompt = "{{ conversation.count }}, {{ conversation.last }}, {{ conversation.text }}"
    text = ASKING.replace("PROMPT", prompt).replace(", TO", "").replace("initial: asking", "initial: talking")
    text = text.replace("states:\n", "states:\n      talking: {do: talk, on: {yes: asking}}\n")
    async with Runner(open_store(f"sqlite:///{tmp_path / 'a.db'}"), actions=[talk]) as runner:
        agent = await runner.start(flow(text), id="a")
        assert agent.question is not None
        assert agent.question.prompt == "2, Hello, Rex?, user: Hello.\nassistant: Hello, Rex?"


SCRIPTED = """
    data: {topics: {type: array, default: [a, b]}, found: {type: array, default: []}}
    events: {planned: {}, refund: {amount: integer}, hold: {}, found: {}}
    workflows:
      child:
        workflow: child
        version: 1
        events: {hold: {}}
        initial: start
        states: {start: {on: {hold: done}}, done: {final: true}}
    initial: planning
    states:
      planning: {do: llm.decide, on: {refund: {when: event.amount < 10, target: looking}, hold: done}}
      looking:
        do: workflow.run
        with: {workflow: child, for_each: data.topics, into: found}
        on: {found: resting, error: failed}
      resting: {do: wait, with: {for: 3d}, on: {planned: done}}
      done: {final: true, output: {found: data.found}}
      failed: {final: true, outcome: failed}
"""


def test_built_in_actions_are_scripted_by_their_names_and_those_that_can_do_without() -> None:
    def grown_up(ctx: Context) -> Emission:
        ctx.data.found = [f"{topic}!" for topic in ctx.data.topics]
        return ctx.emit("found")

    script = {"llm.decide": [("refund", {"amount": 5})], "workflow.run": [grown_up]}
    run = drive(flow(SCRIPTED), actions=script)
    assert (run.state, run.data["found"]) == ("resting", ["a!", "b!"])
    assert run.advance(days=3).agent.output == {"found": ["a!", "b!"]}
    assert run.path == ["planning", "looking", "resting", "done"]


def test_a_script_of_a_built_in_action_comes_before_what_it_does() -> None:
    run = drive(flow(SCRIPTED), actions={"llm.decide": ["hold"]})
    assert run.state == "done"
    script = {"llm.decide": [("refund", {"amount": 5})], "workflow.run": ["found"], "wait": ["planned"]}
    assert drive(flow(SCRIPTED), actions=script).state == "done"


def test_the_others_need_one() -> None:
    with pytest.raises(ScriptEnded, match=r"'llm.decide', for which there is no script"):
        drive(flow(SCRIPTED))
    script = {"llm.decide": [("refund", {"amount": 5})]}
    with pytest.raises(ScriptEnded, match=r"state 'looking' calls action 'workflow.run'"):
        drive(flow(SCRIPTED), actions=script)
