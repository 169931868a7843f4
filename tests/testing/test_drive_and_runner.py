"""``testing.drive`` and ``Runner`` make one life of one workflow: what is green in a test does not fail in the open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pytest

from fsm_agent import Context, Runner, action, open_store
from fsm_agent.domain.agent import Agent
from fsm_agent.domain.step import Step
from fsm_agent.errors import EffectUnclear, Refused
from fsm_agent.testing import drive
from tests.support.runtime import flow, on_loop

BEGINNING = """
    data:
      n: {type: integer, default: 0, maximum: 5}
      who: string?
      list: {type: array, items: {type: integer}, default: []}
    events: {ok: {}, go: {}, num: {n: {type: integer, maximum: 9}}, no: {}, note: {text: string}}
    initial: working
"""
ENDS = """
      done: {final: true, output: {n: data.n}}
      failed: {final: true, outcome: failed}
      late: {final: true, outcome: cancelled}
"""

#: ``(verb, keywords)``, as both have it: send, answer, cancel, unpark; ``advance`` lets time pass
Act = tuple[str, Mapping[str, Any]]


class Case(NamedTuple):
    """A state ``working`` and those around it; what ``work`` does; and what people do then."""

    state: str
    work: Callable[..., Any] | None = None
    acts: Sequence[Act] = ()
    #: in place of ``work`` under ``drive``, where it would take time
    script: Sequence[Any] | None = None
    rest: str = ""
    limits: str = ""


def doing(what: str = "", on: str = "ok: done, error: failed") -> str:
    return f"do: work, on: {{{on}}}{what and ', '}{what}"


def says(event: Any, **known: Any) -> Callable[..., Any]:
    @action(name="work", **known)
    async def work(ctx: Context) -> Any:
        return event

    return work


def raises(*errors: BaseException, then: Any = "ok") -> Callable[..., Any]:
    """Raises one after the other, and names an event then."""

    @action(name="work")
    async def work(ctx: Context) -> Any:
        ctx.data.n = 3
        if ctx.attempt <= len(errors):
            raise errors[ctx.attempt - 1]
        return then

    return work


@action(name="work", inline=True)
def inline(ctx: Context) -> Literal["ok"]:
    ctx.data.n += 1
    ctx.data.list.append(ctx.data.n)
    return "ok"


@action(name="work")
def in_a_thread(ctx: Any, *, depth: int, words: str = "none") -> Literal["ok"]:
    ctx.data.n, ctx.data.who = depth, words
    return "ok"


@action(name="work")
async def spoils(ctx: Context) -> str:
    ctx.data.n = "many"
    return "ok"


@action(name="work")
async def counts_too_far(ctx: Context) -> str:
    ctx.data.n = 7
    return "ok"


@action(name="work")
async def emits(ctx: Context) -> Any:
    return ctx.emit("num", n=4)


@action(name="work")
async def emits_too_much(ctx: Context) -> Any:
    return ctx.emit("num", n=10)


@action(name="work")
async def asks(ctx: Context) -> Any:
    return ctx.ask(f"Number {ctx.data.n}?", events=["num", "no"], to=["ana"])


@action(name="work")
async def asks_for_what_is_not_taken(ctx: Context) -> Any:
    return ctx.ask("Note?", events=["note"])


@action(name="work")
async def hangs(ctx: Context) -> str:
    await asyncio.Event().wait()
    return "ok"


@action(name="work", emits=["ok", "num"])
async def asks_once(ctx: Context) -> Any:
    return ctx.ask("Well?", events=["num"])


def charge(amount: int) -> Mapping[str, int]:
    return {"paid": amount}


def charge_in_vain(amount: int) -> None:
    raise ConnectionError("no line")


def charge_unclearly(amount: int) -> None:
    raise EffectUnclear("the line went dead")


def paying(how: Callable[..., Any], **known: Any) -> Callable[..., Any]:
    @action(name="work")
    async def work(ctx: Context) -> str:
        ctx.data.n = (await ctx.effect("charge", how, 4, **known))["paid"]
        return "ok"

    return work


class Panic(BaseException):
    """As an extension in Rust raises it."""


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError


def send(event: str, *, by: str | None = None, **payload: Any) -> Act:
    return "send", {"event": event, "by": by, "payload": payload}


def answer(event: str | None = None, *, by: str | None = None, **payload: Any) -> Act:
    return "answer", {"event": event, "by": by, "payload": payload}


def unpark(event: str | None = None, **payload: Any) -> Act:
    return "unpark", {"event": event, "payload": payload}


CANCEL: Act = ("cancel", {"by": "op"})
ASK = 'ask: {prompt: "Is it {{ data.n }}?", events: [num, no], to: "\'ana\'"}, on: {num: done, no: failed}'
BACKOFF = "retry: {attempts: 3, backoff: 1ms}"

CASES: dict[str, Case] = {
    "an event": Case(doing(), says("ok")),
    "an inline action that changes data": Case(doing(), inline),
    "an event with a payload": Case(doing(on="num: {target: done, assign: {n: event.n}}"), emits),
    "a payload that is wrong": Case(doing(on="num: done, error: failed"), emits_too_much),
    "an event that is not declared": Case(doing(), says("vanished")),
    "an event that the action does not name": Case(
        doing(on="ok: done, no: done, error: failed"), says("no", emits=["ok"])
    ),
    "an event that it names and nothing declares": Case(doing(), says("gone", emits=["gone"])),
    "an event that its state does not take": Case(doing(), says("note")),
    "no event at all": Case(doing(), says(None)),
    "a number for an event": Case(doing(), says(5)),
    "a failure that nothing takes": Case(doing(on="ok: done"), raises(ValueError("odd"))),
    "a failure that is taken": Case(doing(), raises(ValueError("odd"))),
    "a message that cannot be read": Case(doing(), raises(Mute())),
    "a message that is no Unicode": Case(doing(), raises(ValueError("\ud800"))),
    "a panic": Case(doing(), raises(Panic("of another language"))),
    "an exit": Case(doing(), raises(SystemExit(3))),
    "what was awaited is cancelled": Case(doing(), raises(asyncio.CancelledError())),
    "a TimeoutError of its own": Case(doing(on="ok: done, error: failed, timeout: late"), raises(TimeoutError("mine"))),
    "a TimeoutError of its own in time": Case(
        doing("timeout: 1h", on="ok: done, error: failed, timeout: late"), raises(TimeoutError("mine"))
    ),
    "a TimeoutError of its own that is tried again": Case(
        doing(f"timeout: 1h, {BACKOFF}", on="ok: done, timeout: late"), raises(*[TimeoutError("mine")] * 2)
    ),
    "time that is out": Case(
        doing("timeout: 20ms", on="ok: done, error: failed, timeout: late"), hangs, script=[TimeoutError()]
    ),
    "time that is out and is an error": Case(doing("timeout: 20ms"), hangs, script=[TimeoutError()]),
    "time that is out twice": Case(
        doing("timeout: 10ms, retry: {attempts: 2, backoff: 1ms}"), hangs, script=[TimeoutError()] * 2
    ),
    "a timer that is due before the time is out": Case(
        doing("timeout: 1h, after: {20ms: late}"), hangs, script=[TimeoutError()]
    ),
    "a retry that helps": Case(doing(BACKOFF), raises(ValueError("a"), KeyError("b"))),
    "retries that do not": Case(doing(BACKOFF), raises(*[ValueError("a")] * 3)),
    "a retry for something else": Case(doing(BACKOFF.replace("3,", "3, on: [OSError],")), raises(KeyError("b"))),
    "a retry for a base class": Case(doing(BACKOFF.replace("3,", "3, on: [OSError],")), raises(ConnectionError("b"))),
    "an internal event of the action": Case(
        doing(on="ok: {assign: {n: data.n + 1}}, note: {assign: {who: event.text}}, go: done"), says("ok"),
        [send("note", text="x"), send("ok"), send("go")],
    ),
    "a guard that refuses": Case(doing(on="ok: {target: done, when: data.n > 0}, error: failed"), says("ok")),
    "a guard that fails": Case(
        doing(on="ok: {target: done, when: 1 / data.n > 0}, error: failed"), says("ok"), [unpark("ok")]
    ),
    "the second of two guards": Case(doing(on="ok: [{target: failed, when: data.n > 0}, done]"), says("ok")),
    "what is assigned does not fit": Case(
        doing(on="num: {target: done, assign: {n: event.n * 2}}, error: failed"), emits
    ),
    "data of the wrong type": Case(doing(), spoils),
    "data out of bounds": Case(doing(), counts_too_far),
    "what fails changes nothing": Case(doing(), raises(ValueError("x"))),
    "arguments": Case(doing("with: {depth: data.n + 2, words: \"'many'\"}"), in_a_thread),
    "an argument too many": Case(doing("with: {depth: 1, colour: 2}"), in_a_thread),
    "an argument too few": Case(doing("with: {words: \"'x'\"}"), in_a_thread),
    "an argument that cannot be computed": Case(doing("with: {depth: 1 / data.n}"), in_a_thread, [unpark("ok")]),
    "a question": Case(ASK, None, [answer("num", by="ana", n=3)]),
    "a question for somebody else": Case(
        ASK, None, [answer("no", by="eve"), send("no", by="eve"), answer("no", by="ana")]
    ),
    "an answer that is unclear, none, or wrong": Case(
        ASK, None, [answer(by="ana"), answer("note", by="ana"), answer("num", by="ana", n=10), answer("num", by="ana")]
    ),
    "a question that cannot be rendered": Case(
        doing(on="ok: asking, error: failed"), says("ok"),
        rest='asking: {ask: {prompt: "{{ 1 / data.n }}", events: [ok]}, on: {ok: done}}',
    ),
    "a question of an action": Case(
        doing(on="num: {target: done, assign: {n: event.n}}, no: failed"), asks,
        [answer("num", by="eve", n=1), send("go"), answer("num", by="ana", n=1)],
    ),
    "a question of an action that its state does not take": Case(doing(), asks_for_what_is_not_taken),
    "what only the action names": Case(doing(on="ok: done, num: failed"), asks_once, [send("ok"), answer(n=1)]),
    "a built-in question": Case(
        'do: human.ask, with: {prompt: "Well?", events: [ok, no]}, on: {ok: done, no: failed}', None,
        [answer(), answer("ok"), answer("ok")],
    ),
    "a wait": Case(
        "do: wait, with: {for: 2h, emit: ok}, on: {ok: done, note: {assign: {who: event.text}}}", None,
        [send("note", text="x"), send("ok"), ("advance", {"hours": 1}), ("advance", {"hours": 1})],
    ),
    "a timer": Case(
        "on: {ok: done}, after: {1h: late}", None,
        [("advance", {"minutes": 59}), ("advance", {"minutes": 1}), send("ok")],
    ),
    "a timer whose guard refuses": Case(
        "on: {ok: done}, after: {1h: {target: late, when: data.n > 0}}", None, [("advance", {"hours": 2}), send("ok")]
    ),
    "events that are not allowed, unknown, or wrong": Case(
        "on: {ok: done}", None, [send("go"), send("gone"), send("note"), send("ok", x=1), send("ok"), send("ok")]
    ),
    "a cancel": Case("on: {ok: done}", None, [CANCEL, CANCEL]),
    "a cancel that is handled": Case("on: {cancel: late}", None, [CANCEL]),
    "an operator who lets it try again": Case(doing(on="ok: done"), raises(ValueError("x")), [unpark(), unpark()]),
    "an operator who lets something happen": Case(
        doing(on="ok: done"), raises(ValueError("x")), [send("ok"), unpark("go"), unpark("ok")]
    ),
    "an effect": Case(doing(), paying(charge)),
    "an effect that fails": Case(doing(), paying(charge_in_vain)),
    "an effect that may have happened": Case(doing(), paying(charge_unclearly, mode="at_most_once"), [unpark()]),
    "a limit of steps": Case(doing(on="ok: working"), says("ok"), [unpark()], limits="{steps: 4}"),
    "a limit of visits": Case(
        doing(on="ok: working"), says("ok"), [unpark()], limits="{visits: {working: 2}}"
    ),
    "an output that cannot be computed": Case(
        doing(on="ok: over"), says("ok"), rest="over: {final: true, output: {x: 1 / data.n}}"
    ),
}  # fmt: skip


class Clock:
    """Real time, which can be moved on."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


def declared(case: Case) -> Any:
    state = f"      working: {{{case.state}}}\n"
    limits = case.limits and f"    limits: {case.limits}\n"
    more = case.rest and f"      {case.rest}\n"
    return flow(f"{BEGINNING}{limits}    states:\n{state}{more}{ENDS}")


def told(case: Case, agent: Agent, steps: Sequence[Step]) -> list[Any]:
    """What must be the same: the agent as it stands, and its history but for times and its id."""

    def said(of: Mapping[str, Any] | None) -> Any:
        # A script that says that the time is out has no line that waited; the action in the open has.
        return {name: value for name, value in of.items() if name != "place"} if of and case.script else of

    question = agent.question and (agent.question.prompt, agent.question.to, sorted(agent.question.events))
    now = [
        agent.state,
        str(agent.status),
        agent.version,
        said(agent.error),
        dict(agent.data),
        agent.output,
        agent.allowed,
        question,
    ]
    story = [
        (step.version, str(step.kind), step.event, said(step.payload), step.source, step.target,
         step.delta.to_json(), step.by, step.reason)
        for step in steps
    ]  # fmt: skip
    return [now, story]


async def in_the_open(case: Case) -> list[Any]:
    clock = Clock()
    found: list[Any] = []
    async with Runner(open_store("memory://", clock=clock), actions=[case.work] if case.work else []) as runner:
        agent = await runner.start(declared(case), id="a")
        found.append(told(case, agent, await runner.history("a")))
        for verb, given in case.acts:
            try:
                await _act(runner, clock, verb, dict(given))
            except Refused as refused:
                found.append((type(refused).__name__, str(refused)))
            found.append(told(case, await runner.get("a"), await runner.history("a")))
    return found


async def _act(runner: Runner, clock: Clock, verb: str, given: dict[str, Any]) -> None:
    match verb:
        case "advance":
            clock.ahead_ms += given.get("hours", 0) * 3_600_000 + given.get("minutes", 0) * 60_000
            head = await runner.store.head("a")
            if head.wake_ms is not None and head.wake_ms <= clock():
                await runner.resume("a")
        case "answer":
            await runner.answer("a", given.pop("payload"), **given)
        case _:
            await getattr(runner, verb)("a", **given)


def under_test(case: Case) -> list[Any]:
    script = case.script if case.script is not None else case.work
    run = drive(declared(case), actions={"work": script} if script is not None else {})
    found: list[Any] = [told(case, run.agent, run.history)]
    for verb, given in case.acts:
        try:
            payload = given.get("payload", {})
            getattr(run, verb)(**{name: value for name, value in given.items() if name != "payload"}, **payload)
        except Refused as refused:
            found.append((type(refused).__name__, str(refused).replace(run.agent.id, "a")))
        found.append(told(case, run.agent, run.history))
    return found


@pytest.mark.parametrize("name", CASES)
@on_loop
async def test_a_life_under_test_is_the_life_in_the_open(name: str) -> None:
    case = CASES[name]
    assert under_test(case) == await in_the_open(case)
