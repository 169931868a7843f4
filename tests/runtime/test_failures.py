"""A failed action leaves a trace: in the log, in its agent, in the history, and never with what is secret."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_agent import BlockingContext, Context, Runner, Status, action, open_store
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.actions.tracebacks import place_of, shown_path, trace_of
from fsm_agent.cli.views.failures import why_of
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.problem import Problem, Retrying
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.testing import drive
from fsm_agent.testing.contract.fixtures import keep_definitions
from fsm_agent.testing.contract.leases import LeasesContract
from tests.support.runtime import flow, on_loop

ONCE = flow("""
    data: {secret: {type: string, default: nothing}}
    events: {ok: {}}
    initial: working
    states:
      working: {do: work, on: {ok: done, error: failed}}
      done: {final: true}
      failed: {final: true, outcome: failed}
""")
AGAIN = flow("""
    events: {ok: {}}
    initial: working
    states:
      working: {do: work, retry: {attempts: 4, backoff: 1h}, timeout: 1h, on: {ok: done}}
      done: {final: true}
""")
HERE = "tests/runtime/test_failures.py"


def line_of(text: str) -> int:
    """Where ``text`` stands in this file, the first time but for this call."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line and "line_of(" not in line)


def helper(secret: str) -> None:
    raise LookupError(f"nothing under {secret}")  # the helper


@action(name="work")
async def work(ctx: Context) -> str:
    secret = ctx.data.secret
    helper(secret)
    return "ok"


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[logging.LogRecord]]:
    """What is logged of failed actions."""
    caplog.set_level(logging.INFO, "fsm_agent")
    return lambda: [record for record in caplog.records if getattr(record, "action", "") == "action_failed"]


def is_kept(word: bytes, folder: Path) -> bool:
    """Whether a word stands in any file of a folder."""
    return any(word in each.read_bytes() for each in folder.iterdir())


async def failed(action_: Any, *, store: Any = None, workflow: Any = ONCE) -> Agent:
    async with Runner(store or open_store("memory://"), actions=[action_]) as runner:
        return await runner.start(workflow, id="a", data={"secret": "rosebud"} if workflow is ONCE else None)


@on_loop
async def test_an_error_says_in_which_line_of_the_users_code_it_happened() -> None:
    agent = await failed(work)
    place = f"{HERE}:{line_of('# the helper')}"
    assert agent.error == {"type": "LookupError", "message": "nothing under rosebud", "place": place}


@on_loop
async def test_so_does_one_in_a_thread() -> None:
    @action(name="work")
    def blocking(ctx: BlockingContext) -> str:
        helper(ctx.data.secret)
        return "ok"

    assert (await failed(blocking)).error["place"] == f"{HERE}:{line_of('# the helper')}"  # type: ignore[index]


@on_loop
async def test_what_a_library_raises_is_told_where_the_user_called_it() -> None:
    @action(name="work")
    async def parsing(ctx: Context) -> str:
        re.compile("(")  # the call
        return "ok"

    assert (await failed(parsing)).error["place"] == f"{HERE}:{line_of('# the call')}"  # type: ignore[index]


@on_loop
async def test_an_attempt_that_ran_out_of_time_says_what_it_waited_for() -> None:
    @action(name="work")
    async def waiting(ctx: Context) -> str:
        await asyncio.Event().wait()  # the wait
        return "ok"

    hasty = flow("""
        initial: working
        states: {working: {do: work, timeout: 10ms, on: {}}}
    """)
    agent = await failed(waiting, workflow=hasty)
    assert agent.error is not None
    assert (agent.error["type"], agent.error["place"]) == ("TimeoutError", f"{HERE}:{line_of('# the wait')}")


@on_loop
async def test_the_step_of_an_error_has_type_message_and_place() -> None:
    async with Runner(open_store("memory://"), actions=[work]) as runner:
        await runner.start(ONCE, id="a")
        step = (await runner.history("a"))[-1]
        assert step.payload["place"] == f"{HERE}:{line_of('# the helper')}"
        assert (await runner.replay("a")).is_verified


@on_loop
async def test_the_log_has_the_traceback_with_agent_state_action_and_attempt(
    told: Callable[[], list[logging.LogRecord]],
) -> None:
    await failed(work)
    [entry] = told()
    assert entry.levelno == logging.ERROR
    facts = {name: getattr(entry, name) for name in ("action", "agent_id", "state", "do", "attempt")}
    assert facts == {"action": "action_failed", "agent_id": "a", "state": "working", "do": "work", "attempt": 1}
    line = line_of("# the helper")
    assert entry.getMessage().splitlines() == [
        f"action 'work' of agent 'a' failed in state 'working', attempt 1: LookupError: nothing under rosebud "
        f"({HERE}:{line})",
        "Traceback (most recent call last):",
        f'  File "{HERE}", line {line_of("    helper(secret)")}, in work',
        "    helper(secret)",
        f'  File "{HERE}", line {line}, in helper',
        '    raise LookupError(f"nothing under {secret}")  # the helper',
        "LookupError: nothing under rosebud",
    ]
    assert entry.exc_info is None, "or handlers would print what is left out here"


@on_loop
async def test_every_attempt_is_logged(told: Callable[[], list[logging.LogRecord]]) -> None:
    twice = flow("""
        initial: working
        states: {working: {do: work, retry: {attempts: 2, backoff: 1ms}}}
    """)

    @action(name="work")
    async def broken(ctx: Context) -> str:
        raise OSError("no line")

    await failed(broken, workflow=twice)
    assert [entry.attempt for entry in told()] == [1, 2]  # type: ignore[attr-defined]


@on_loop
async def test_an_action_that_is_stopped_since_somebody_else_drives_the_agent_has_not_failed(
    told: Callable[[], list[logging.LogRecord]],
) -> None:
    store = open_store("memory://")

    @action(name="work")
    async def overtaken(ctx: Context) -> str:
        await Runner(store).cancel(ctx.agent_id)
        return await ctx.effect("late", asyncio.sleep, 0, "ok")  # type: ignore[no-any-return]

    agent = await failed(overtaken, store=store)
    assert (agent.status, told()) == ("cancelled", [])


@on_loop
async def test_what_is_sealed_is_in_no_log(tmp_path: Path, told: Callable[[], list[logging.LogRecord]]) -> None:
    @action(name="work")
    async def chained(ctx: Context) -> str:
        try:
            helper(ctx.data.secret)
        except LookupError as error:
            error.add_note(f"note {ctx.data.secret}")
            raise ExceptionGroup(f"all of {ctx.data.secret}", [ValueError(ctx.data.secret)]) from error
        return "ok"

    file = tmp_path / "agents.db"
    store = open_store(f"sqlite:///{file}", keys={"k": b"k" * 32})
    agent = await failed(chained, store=store)
    assert agent.error is not None
    assert "rosebud" in agent.error["message"], "whoever has the key sees it"
    [entry] = told()
    assert "rosebud" not in entry.getMessage()
    for kind in ("LookupError", "ValueError", "ExceptionGroup"):
        assert f"\n{kind}" in entry.getMessage()
    assert not is_kept(b"rosebud", tmp_path)


@on_loop
async def test_why_a_sealed_agent_is_tried_again_is_sealed_too(tmp_path: Path) -> None:
    @action(name="work")
    async def quoting(ctx: Context) -> str:
        raise ValueError("rosebud")

    def opened(**keys: bytes) -> Any:
        return open_store(f"sqlite:///{tmp_path / 'agents.db'}", keys=keys)

    async with Runner(opened(k=b"k" * 32), actions=[quoting]) as runner:
        await runner.start(AGAIN, id="a", drive=False)
        retry = (await runner.resume("a", stay=False)).retry
        assert retry is not None
        assert retry.problem is not None
        assert retry.problem.message == "rosebud"
        assert not is_kept(b"rosebud", tmp_path)
    async with opened(other=b"o" * 32) as store:
        [head] = (await store.list()).heads
        assert head.problem == Problem("ValueError", "", place=retry.problem.place), "a list shows what it can"


@on_loop
async def test_secrets_of_the_environment_are_struck_out(
    monkeypatch: pytest.MonkeyPatch, told: Callable[[], list[logging.LogRecord]]
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "open sesame")
    monkeypatch.setenv("SHOP_LOGIN", "ana-at-work")
    monkeypatch.setenv("FSM_AGENT_KEYS", "2026a=bm9ib2R5IGtub3dz,2025=c29tZWJvZHk")

    @action(name="work")
    async def quoting(ctx: Context) -> str:
        raise ValueError(
            "with open sesame at postgresql://ana:hunter2@db/x, bm9ib2R5IGtub3dz, Bearer ab12cd34, ana-at-work"
        )

    around = Surroundings(environment=["SHOP_LOGIN"])
    async with Runner(open_store("memory://"), actions=[quoting], surroundings=around) as runner:
        agent = await runner.start(ONCE, id="a")
        assert agent.error is not None
        assert agent.error["message"] == "with *** at postgresql://***@db/x, ***, ***, ***"
        shown = f"{await runner.history('a')} {told()[0].getMessage()}"
    for secret in ("open sesame", "hunter2", "bm9ib2R5IGtub3dz", "ab12cd34", "ana-at-work"):
        assert secret not in shown


def test_what_only_sounds_like_a_secret_stays() -> None:
    said = "unknown key: color of pk_orders, basic validation failed, provided: 7"
    with pytest.raises(ValueError, match=re.escape(said)) as raised:
        raise ValueError(said)
    assert trace_of(raised.value).endswith(f"ValueError: {said}")


def test_no_home_folder_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / "ana"
    monkeypatch.setenv("HOME", str(home))
    file = home / "lib" / "acts.py"
    file.parent.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(file)) == "acts.py", "the working directory is above the home folder"
    monkeypatch.setattr(sys, "path", [str(file.parent.parent), *sys.path])
    assert shown_path(str(file)) == "lib/acts.py"
    (file.parent / "pyproject.toml").touch()
    monkeypatch.chdir(file.parent)
    assert shown_path(str(file)) == "acts.py"
    assert shown_path(str(file.parent / ".venv" / "site-packages" / "shop" / "cart.py")) == "shop/cart.py"


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert place_of(ValueError("scripted")) == ""
    run = drive(ONCE, actions={"work": [ValueError("scripted")]})
    assert run.agent.error == {"type": "ValueError", "message": "scripted"}


def test_a_long_traceback_is_cut_in_the_middle() -> None:
    def down(depth: int) -> None:
        if not depth:
            raise RecursionError("deep")
        down(depth - 1)

    with pytest.raises(RecursionError) as raised:
        down(200)
    told = trace_of(raised.value).splitlines()
    assert "  ... 152 more" in told
    assert len(told) < 110


def test_causes_that_go_round_have_an_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert trace_of(one).count("ValueError") == 2
    assert place_of(one) == ""


@on_loop
async def test_an_action_that_ends_the_process_is_told_where() -> None:
    @action(name="work")
    async def leaving(ctx: Context) -> str:
        sys.exit(3)  # the exit

    assert (await failed(leaving)).error["place"] == f"{HERE}:{line_of('# the exit')}"  # type: ignore[index]


class Shy(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@on_loop
async def test_an_exception_that_cannot_say_what_it_is_fails_its_attempt_all_the_same() -> None:
    @action(name="work")
    async def shy(ctx: Context) -> str:
        raise Shy

    agent = await failed(shy)
    assert agent.error is not None
    assert agent.error["message"] == "its message cannot be read, since __str__ raises RuntimeError"


@on_loop
async def test_an_agent_that_tries_again_says_which_attempt_when_and_why(every_url: str) -> None:
    @action(name="work")
    async def flaky(ctx: Context) -> str:
        if ctx.attempt < 3:
            raise ConnectionError("no line")  # the break
        return "ok"

    clock = FakeClock()
    async with Runner(open_store(every_url, clock=clock), actions=[flaky]) as runner:
        await runner.start(AGAIN, id="a", drive=False)
        for attempt in (2, 3):
            agent = await runner.resume("a", stay=False)
            problem = Problem("ConnectionError", "no line", place=f"{HERE}:{line_of('# the break')}")
            assert (agent.status, agent.error) == ("running", None)
            assert agent.retry is not None
            assert agent.retry == Retrying(attempt, agent.retry.at_ms, problem)
            assert agent.to_json()["retry"]["error"] == problem.to_json()
            assert [each.retry for each in (await runner.list()).agents] == [agent.retry]
            assert (await runner.replay("a")).is_verified
            clock.ms = agent.retry.at_ms or 0
        agent = await runner.resume("a", stay=False)
        assert (agent.status, agent.retry, agent.error) == ("done", None, None)
        assert (await runner.store.head("a")).problem is None


class OlderStore(MemoryStore):
    """Of somebody who has not heard of problems of attempts."""

    keeps_problems = False

    async def record_attempt(  # type: ignore[override]
        self, agent_id: str, epoch: int, *, attempts: int, retry_ms: int | None, children: int | None = None
    ) -> None:
        await super().record_attempt(agent_id, epoch, attempts=attempts, retry_ms=retry_ms, children=children)


@on_loop
async def test_a_store_that_knows_nothing_of_it_is_asked_for_nothing_new() -> None:
    @action(name="work")
    async def flaky(ctx: Context) -> str:
        raise ConnectionError("no line")

    async with Runner(OlderStore(), actions=[flaky]) as runner:
        await runner.start(AGAIN, id="a", drive=False)
        await runner.resume("a", stay=False)
        retry = (await runner.get("a")).retry
        assert retry is not None
        assert (retry.attempt, retry.problem) == (2, None)


def test_the_contract_warns_of_such_a_store() -> None:
    with asyncio.Runner() as loop:
        contract, store = LeasesContract(), OlderStore()
        contract.runner = loop
        loop.run(keep_definitions(store))
        with pytest.warns(UserWarning, match="OlderStore keeps no reason why an action is tried again"):
            contract.test_why_the_last_attempt_failed_is_noted_until_it_is_forgiven(store)


@action(name="work")
async def undeclared(ctx: Context) -> Any:  # the undeclared one
    return ctx.emit("other", word="x")


def _unfit(ctx: Context) -> Any:  # the unfit one
    ctx.data.n = "three"
    return "ok"


@action(name="work")
async def asking_in_vain(ctx: Context) -> Any:  # the one in vain
    return ctx.ask("Well?", events=["nothing"])


@pytest.mark.parametrize("steadily", [True, False])
@pytest.mark.parametrize(
    ("function", "mark", "kind"),
    [
        (undeclared, "# the undeclared one", "IllegalEvent"),
        (action(name="work")(_unfit), "# the unfit one", "DataInvalid"),
        (asking_in_vain, "# the one in vain", "IllegalEvent"),
    ],
    ids=["undeclared", "unfit", "in vain"],
)
@on_loop
async def test_what_an_action_returns_and_may_not_is_logged_with_the_place_of_its_function(
    caplog: pytest.LogCaptureFixture, function: Any, mark: str, kind: str, steadily: bool
) -> None:
    timer = "" if steadily else ", after: {1d: done}"
    workflow = flow(f"""
        data: {{n: integer?}}
        events: {{ok: {{}}}}
        initial: working
        states:
          working: {{do: work, on: {{ok: done}}{timer}}}
          done: {{final: true}}
    """)
    place = f"{HERE}:{line_of(mark)}"
    async with Runner(open_store("memory://"), actions=[function]) as runner:
        agent = await runner.start(workflow, id="a")
        assert agent.error is not None
        assert (agent.status, agent.error["type"], agent.error["place"]) == (Status.PARKED, kind, place)
        [record] = [each for each in caplog.records if getattr(each, "action", "") == "action_refused"]
        facts = ("agent_id", "state", "do", "attempt")
        assert [getattr(record, name) for name in facts] == ["a", "working", "work", 1]
        assert (record.levelno, record.getMessage()) == (
            logging.ERROR,
            f"what action 'work' of agent 'a' returned in state 'working', attempt 1, is refused: {kind}: "
            f"{agent.error['message']} ({place})",
        )
        step = (await runner.history("a"))[-1]
        assert (step.kind, step.payload["place"], why_of(step).endswith(f"({place})")) == (StepKind.PARKED, place, True)
        assert (await runner.replay("a")).is_verified


@on_loop
async def test_of_a_sealed_agent_the_log_is_told_only_what_kind_of_refusal_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Runner(open_store("memory://", keys={"k": b"x" * 32}), actions=[undeclared]) as runner:
        await runner.start(ONCE, id="a")
        [record] = [each for each in caplog.records if getattr(each, "action", "") == "action_refused"]
        assert record.getMessage().endswith(f"is refused: IllegalEvent ({HERE}:{line_of('# the undeclared one')})")


@on_loop
async def test_a_doubt_says_why_the_attempt_before_failed() -> None:
    def charge() -> None:
        raise ConnectionError("reset")  # the charge

    @action(name="work")
    async def paying(ctx: Context) -> str:
        await ctx.effect("charge", charge, mode="at_most_once")  # the effect
        return "ok"

    why = f"; the attempt before failed at {HERE}:{line_of('# the charge')}: ConnectionError: reset"
    for retry in ("retry: {attempts: 2, backoff: 1ms}", ""):
        workflow = flow(f"""
            initial: working
            states:
              working:
                do: work
                {retry}
        """)
        async with Runner(open_store("memory://"), actions=[paying]) as runner:
            agent = await runner.start(workflow, id="a")
            if not retry:
                agent = await runner.unpark("a")
            assert agent.error is not None
            assert (agent.error["type"], agent.error["place"]) == (
                "EffectInDoubt",
                f"{HERE}:{line_of('# the effect')}",
            )
            assert agent.error["message"].endswith(why)
            for _ in range(2):  # as long as it is in doubt
                again = (await runner.unpark("a")).error
                assert again is not None
                assert (again["type"], again["message"].count(why)) == ("EffectInDoubt", 1)
            step = (await runner.history("a"))[-1]
            assert (step.kind, step.payload["place"]) == (StepKind.PARKED, agent.error["place"])
            assert (await runner.replay("a")).is_verified


@on_loop
async def test_of_an_effect_that_somebody_has_settled_the_old_cause_is_told_no_more() -> None:
    calls: list[int] = []

    async def charge() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError("reset")
        raise KeyboardInterrupt  # the process ends

    @action(name="work")
    async def paying(ctx: Context) -> str:
        await ctx.effect("charge", charge, mode="at_most_once")
        return "ok"

    workflow = flow("initial: working\nstates: {working: {do: work}}")
    async with Runner(open_store("memory://"), actions=[paying]) as runner:
        await runner.start(workflow, id="a")
        assert "ConnectionError" in str((await runner.unpark("a")).error)
        [entry] = await runner.effects("a")
        await runner.unpark("a", effect=entry.key, not_done=True, drive=False)
        with pytest.raises(KeyboardInterrupt):
            await runner.resume("a")
        await runner.store.release("a", (await runner.store.head("a")).epoch)
        agent = await runner.resume("a")
        assert agent.error is not None
        assert (agent.error["type"], "before" in agent.error["message"]) == ("EffectInDoubt", False)


@on_loop
async def test_a_rewind_to_a_failure_brings_back_where_it_was() -> None:
    async with Runner(open_store("memory://"), actions=[work]) as runner:
        error = (await runner.start(ONCE, id="a")).error
        assert (await runner.rewind("a", 1)).agent.error != error
        assert (await runner.rewind("a", 2)).agent.error == error
        assert (await runner.replay("a")).is_verified


@on_loop
async def test_where_the_handler_fails_the_place_of_the_action_is_not_told_of_it() -> None:
    careless = flow("""
        data: {secret: {type: string, default: "x"}, n: {type: integer, default: 0}}
        initial: working
        states:
          working: {do: work, on: {error: {target: over, when: "1 / data.n > 0"}}}
          over: {final: true}
    """)
    async with Runner(open_store("memory://"), actions=[work]) as runner:
        agent = await runner.start(careless, id="a")
        assert agent.error is not None
        assert (agent.status, agent.error["type"], "place" in agent.error) == ("parked", "ExpressionFailed", False)
        told = (await runner.replay("a")).agent
        assert told is not None
        assert told.error == agent.error


BUSY = """
workflow: busy
version: 1
data: {n: {type: integer, maximum: 3, default: 3}}
initial: counting
states:
  counting:
    do: count_up
    on:
      counted: done
      error: {assign: {n: data.n + 1}}
  done: {final: true}
events: {counted: {}}
"""


async def count_up(ctx: Context) -> str:
    ctx.data.n += 1
    return "counted"


@on_loop
async def test_the_place_of_a_problem_is_the_same_in_the_history_where_two_errors_read_alike() -> None:
    async with Runner(open_store("memory://"), actions=[count_up]) as runner:
        agent = await runner.start(loads(BUSY), id="one")
        assert agent.status is Status.PARKED
        replayed = await runner.replay("one")
        assert replayed.agent is not None
        assert replayed.agent.error == agent.error
