"""Operations of agents and operators on a store, for processes that are killed in the middle of one.

Another process may do the operation again; what is done already stays as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from textwrap import dedent
from typing import Any, Final, NamedTuple

from fsm_agent import Context, Runner, Worker, action
from fsm_agent.domain.agent import Status
from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.state import Duration
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import Refused
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.maintenance.reseal import reseal
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store
from tests.support.parent_workflow import LookUp, parent_workflow
from tests.support.runtime import flow

_TEXT = """
    user: {seen: {type: integer, default: 0}}
    data: {notes: {type: array, default: []}, said: string?}
    merge: {notes: append}
    events: {go: {}, ok: {}, note: {text: string}, tell: {text: string}, end: {}}
    initial: idle
    states:
      idle: {on: {go: working, tell: {assign: {said: event.text}}, note: {append: {notes: event.text}}, end: done}}
      working:
        do: work
        retry: {attempts: 3, backoff: 1s}
        on: {ok: resting, note: {append: {notes: event.text}}, error: broken}
      broken: {ask: {prompt: "What now?", events: [go]}, on: {go: working}}
      resting: {on: {go: working, note: {append: {notes: event.text}}, end: done}}
      done: {final: true}
"""
FIRST: Final = flow(_TEXT)
SECOND: Final = loads(
    "workflow: w\nversion: 2\n"
    + dedent(_TEXT.replace("resting", "asleep") + "    migrations: [{from: 1, states: {resting: asleep}}]\n")
)
_NOW: Final = Duration.parse("0s")
_HOUR_MS: Final = 3_600_000


@action(name="work")
async def work(ctx: Context) -> str:
    """Executes an effect, and saves something of the user, if there is one. The first attempt of ``shaky`` fails."""

    async def pay() -> str:
        return "paid"

    await ctx.effect("pay", pay)
    if ctx.outputs.user is not None:
        ctx.user.seen += 1
    if ctx.agent_id == "shaky" and ctx.attempt == 1:
        raise ConnectionError("the line is bad")
    return "ok"


def make_runner(store: Store) -> Runner:
    return Runner(store, actions=[work, LookUp().as_action()])


class Operation(NamedTuple):
    prepare: Callable[[Runner], Awaitable[object]]
    do: Callable[[Runner], Awaitable[object]]


async def _nothing(runner: Runner) -> None:
    await runner.store.now()


async def _idle(runner: Runner) -> None:
    await runner.start(FIRST, id="a", user="ana", drive=False)


async def _rested(runner: Runner) -> None:
    await runner.start(FIRST, "go", id="a", user="ana", by="ana")


async def _at_work(runner: Runner) -> None:
    await runner.start(FIRST, "go", id="shaky", drive=False)


async def _at_work_with_a_queue(runner: Runner) -> None:
    await _at_work(runner)
    for text in ("one", "two"):
        await runner.send("shaky", "note", {"text": text}, drive=False)


async def _asking(runner: Runner) -> None:
    await runner.start(parent_workflow(), "go", data={"topics": ["ask", "b"]}, id="p")


async def _people(runner: Runner) -> None:
    await _rested(runner)
    await runner.start(FIRST, "go", id="b", by="bob")
    await runner.send("b", "note", {"text": "ana was here"}, by="ana")
    await runner.store.append("room", [Message(Role.USER, "hello", by="ana")])
    await runner.store.save_user(UserRecord("bob", 1, {"seen": 1}, 1))


async def _several(runner: Runner) -> None:
    await _people(runner)
    for name in ("c", "d"):
        await runner.start(FIRST, "end", id=name)


async def _merged(runner: Runner) -> None:
    await _idle(runner)
    await runner.send("a", "note", {"text": "first"}, by="bob")


async def _create(runner: Runner) -> None:
    await runner.start(FIRST, "go", id="a", key="create", user="ana")


async def _step(runner: Runner) -> None:
    await runner.send("a", "go", key="step")


async def _queue(runner: Runner) -> None:
    await runner.send("shaky", "note", {"text": "meanwhile"}, key="queue", drive=False)
    await Worker(runner).run_once()


async def _end_child(runner: Runner) -> None:
    await runner.answer("p.2.1", {"text": "said"}, key="answer")


async def _end_child_apart(runner: Runner) -> None:
    """Answer without driving; a worker finds the child, and tells its parent that it has ended."""
    await runner.answer("p.2.1", {"text": "said"}, key="answer", drive=False)
    await Worker(runner).run_once()


async def _leave_children(runner: Runner) -> None:
    if (await runner.get("p")).status is Status.RUNNING:
        await runner.cancel("p")


async def _forget(runner: Runner) -> None:
    assert (await runner.forget("ana")).left == {}


async def _reseal(runner: Runner) -> None:
    assert (await reseal(runner.store)).left == {}


async def _purge(runner: Runner) -> None:
    await runner.purge(Retention(history=1, finished=_NOW))


async def _rewind(runner: Runner) -> None:
    if not any(step.kind is StepKind.REWOUND for step in await runner.history("shaky")):
        await runner.rewind("shaky", 1)


async def _migrate(runner: Runner) -> None:
    await runner.migrate(SECOND, apply=True)


async def _merge(runner: Runner) -> None:
    await runner.send("a", "note", {"text": "second"}, by="ana", expect_version=1, key="merge")


async def _fork(runner: Runner) -> None:
    await runner.fork("a", id="f", key="fork")


OPERATIONS: Final = {
    "create": Operation(_nothing, _create),
    "step": Operation(_idle, _step),
    "queue and retry": Operation(_at_work, _queue),
    "child's end": Operation(_asking, _end_child),
    "child's end apart": Operation(_asking, _end_child_apart),
    "leave children": Operation(_asking, _leave_children),
    "forget": Operation(_people, _forget),
    "reseal": Operation(_several, _reseal),
    "purge": Operation(_several, _purge),
    "rewind": Operation(_at_work_with_a_queue, _rewind),
    "migrate": Operation(_people, _migrate),
    "merge": Operation(_merged, _merge),
    "fork": Operation(_rested, _fork),
}


async def finish(runner: Runner, clock: FakeClock, operation: Operation) -> list[Any]:
    """Sweep, do the operation again, and sweep until nothing is due. Returns everything that is stored then."""
    await sweep(runner)
    await operation.do(runner)
    for _ in range(3):
        await sweep(runner)
        clock.ms += _HOUR_MS // 60
    return await everything_stored(runner)


async def sweep(runner: Runner) -> None:
    """A sweep of a worker ends; after it nothing is due, and nobody holds a lease."""
    await Worker(runner).run_once()
    store = runner.store
    assert await store.due(await store.now(), 9) == []
    assert [head.id for head in (await store.list(limit=99)).heads if head.lease is not None] == []


async def everything_stored(runner: Runner) -> list[Any]:
    """Everything but times, epochs and snapshots."""
    store = runner.store
    found: list[Any] = []
    for head in (await store.list(limit=99)).heads:
        agent = await runner.get(head.id)
        history = await store.history(head.id)
        steps = [(each.version, each.kind, each.event, dict(each.payload), each.target) for each in history]
        effects = [(each.key, each.result) for each in await store.effects(head.id)]
        found.append((head.id, head.definition, head.state, head.status, head.version, head.children, dict(agent.data)))
        found.append((steps, effects))
        assert (await _replayed(runner, head.id)) is True
    found += [(name, dict((await store.user(name)).values)) for name in await store.users()]
    return found + [[said.content for said in await store.messages(thread)] for thread in await store.threads()]


async def _replayed(runner: Runner, agent_id: str) -> bool:
    try:
        return (await runner.replay(agent_id)).is_verified
    except Refused:
        return False
