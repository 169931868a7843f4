"""The runner: hands that do what the engine asks, and decide nothing.

Every public call is one flow of the engine, performed effect by effect. A flow may be cut between any two effects,
by a crash or by Ctrl-C: what was committed stands, and ``resume`` goes on from there in any process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, assert_never

from fsm_agent.actions.registry import Actions
from fsm_agent.agent import Agent, Head
from fsm_agent.delta import own
from fsm_agent.engine import beginning, intake, operator
from fsm_agent.engine import effects as ask
from fsm_agent.engine.program import Program, model_rule
from fsm_agent.engine.session import Desk, Flow, open_agent
from fsm_agent.identity import checked_id, new_id
from fsm_agent.jsontypes import Json
from fsm_agent.performing import Hands, Performing
from fsm_agent.portrait import portray
from fsm_agent.processes import is_alive, this_process
from fsm_agent.reader import read_agent
from fsm_agent.record import Commit, Creation
from fsm_agent.step import Event, Step
from fsm_agent.stores.base import Store
from fsm_agent.workflow import Workflow

logger = logging.getLogger("fsm_agent")

#: After so many commits in a row the loop gets a turn, so that one busy agent starves nobody.
_STEPS_PER_TURN: Final = 64


class Runner:
    """Drives the agents of one store. Use it as ``async with``; it closes the store that it was given."""

    def __init__(
        self,
        store: Store,
        *,
        actions: Iterable[Callable[..., Any]] | Actions = (),
        modules: Iterable[str] = (),
        observe: Callable[[Head], None] | None = None,
        hands: Hands | None = None,
    ) -> None:
        """``actions`` are functions that ``do:`` may name, ``modules`` those in which names are looked up.

        ``observe`` is called with the head after each commit and before each attempt of an action. ``hands`` call
        actions and wait; tests give their own.
        """
        self.store = store
        self.actions = actions if isinstance(actions, Actions) else Actions(actions, modules=modules)
        self._observe = observe or (lambda _: None)
        self._programs: dict[str, Program] = {}
        #: hashes of definitions that the store is known to keep
        self._saved: set[str] = set()
        self._hands = hands or Performing(store, self.actions)
        self._commits = 0

    async def start(
        self,
        workflow: Workflow,
        event: str | None = None,
        payload: Mapping[str, Json] | None = None,
        *,
        data: Mapping[str, Json] | None = None,
        id: str | None = None,  # noqa: A002 - the word of the interface
        key: str | None = None,
        by: str | None = None,
        drive: bool = True,
    ) -> Agent:
        """Create an agent, with its first event if one is given, and drive it until it waits or ends.

        A repeat with the same ``key`` returns the agent that the first call made (``delivery`` is ``duplicate``).
        With ``drive=False`` a worker takes over. Raises ``Refused``, and then there is no agent.
        """
        agent_id = new_id() if id is None else checked_id(id)
        program = await self._pin(workflow)
        first = _event(event or "created", payload, by, key)
        return await self._call(beginning.start(self._desk(drives=drive), program, agent_id, first, data or {}))

    async def send(
        self,
        agent_id: str,
        event: str,
        payload: Mapping[str, Json] | None = None,
        *,
        key: str | None = None,
        by: str | None = None,
        expect_version: int | None = None,
        drive: bool = True,
    ) -> Agent:
        """Deliver an event, and drive on.

        An event that is illegal now is ``Refused``: nothing is written and the key is not used. One that would not
        leave a state whose action runs is kept until that action ends (``delivery`` is ``queued``), and so is one for
        an agent that moves on faster than it can be read.
        """
        said = _event(event, payload, by, key)
        return await self._call(intake.send(self._desk(drives=drive), agent_id, said, expect_version=expect_version))

    async def answer(
        self,
        agent_id: str,
        payload: Mapping[str, Json] | None = None,
        *,
        event: str | None = None,
        key: str | None = None,
        by: str | None = None,
        expect_version: int | None = None,
        drive: bool = True,
    ) -> Agent:
        """Answer the agent's question, and drive on; ``event`` says which answer, where there are several."""
        own({"by": by, "key": key})
        said = intake.Answer(payload or {}, event, by, key)
        return await self._call(intake.send(self._desk(drives=drive), agent_id, said, expect_version=expect_version))

    async def cancel(self, agent_id: str, *, by: str | None = None, drive: bool = True) -> Agent:
        """Cancel as the workflow declares; where it declares nothing, the agent simply ends cancelled."""
        return await self.send(agent_id, "cancel", by=by, drive=drive)

    async def resume(self, agent_id: str, *, stay: bool = True) -> Agent:
        """Drive an agent that was interrupted, is due or is retrying; one that waits is left as it is.

        With ``stay=False`` a backoff is not waited for. Raises ``LeaseHeld`` if a living process drives it.
        """
        return await self._call(intake.resume(self._desk(stays=stay), agent_id))

    async def unpark(
        self,
        agent_id: str,
        *,
        event: str | None = None,
        payload: Mapping[str, Json] | None = None,
        by: str | None = None,
        drive: bool = True,
    ) -> Agent:
        """Let a parked agent try again, or, with ``event``, let that happen instead. Raises ``NotParked``."""
        said = _event(event or "retry", payload, by)
        return await self._call(operator.unpark_agent(self._desk(drives=drive), agent_id, said, retry=event is None))

    async def get(self, agent_id: str) -> Agent:
        """The agent as it stands."""
        return await read_agent(self.store, agent_id)

    async def history(self, agent_id: str) -> Sequence[Step]:
        """Every step, the first first."""
        return await self.store.history(agent_id)

    async def close(self) -> None:
        """Stop what runs here, give its leases up, and close the store."""
        await self._hands.close()
        await self.store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _desk(self, *, drives: bool = True, stays: bool = True) -> Desk:
        return Desk(this_process(), self._programs.__getitem__, drives=drives, stays=stays)

    async def _pin(self, workflow: Workflow) -> Program:
        if workflow.hash not in self._programs:
            self._programs[workflow.hash] = self._compile(workflow)
        if workflow.hash not in self._saved:
            await self.store.save_workflow(workflow.hash, workflow.to_json())
            self._saved.add(workflow.hash)
        return self._programs[workflow.hash]

    def _compile(self, workflow: Workflow) -> Program:
        model = workflow.model and (workflow.model_class or self.actions.model(workflow.model))
        rule = model_rule(model.model_validate) if model else None
        return Program(workflow, signature=self.actions.signature, model=rule)

    async def _call(self, flow: Flow) -> Agent:
        delivered: intake.Delivered = await self._run(flow)
        live = delivered.live
        if not delivered.is_current:
            await self._hands.settled(live.head.id)
            live, _ = await self._run(open_agent(self._desk(), live.head.id))
        head = live.head
        logger.info("agent %s", head.status, extra={"action": f"agent_{head.status}", "agent_id": head.id})
        return portray(live.program.workflow, head, live.folded.values, delivery=delivered.delivery)

    async def _run(self, flow: Flow) -> Any:
        """Perform a flow to its end. What goes wrong is thrown into it, where the rules stand."""
        reply: Any = None
        error: Exception | None = None
        try:
            while True:
                effect = flow.send(reply) if error is None else flow.throw(error)
                reply, error = None, None
                try:
                    reply = await self._perform(effect)
                except Exception as raised:
                    error = raised
                    await asyncio.sleep(0)  # whoever was faster goes on, so that another try finds a store at rest
        except StopIteration as stop:
            return stop.value
        finally:
            flow.close()

    async def _perform(self, effect: ask.Effect) -> Any:  # noqa: C901, PLR0911, PLR0912 - a branch an effect
        match effect:
            case Commit():
                return await self._commit(effect)
            case ask.Act():
                self._observe(effect.head)
                return await self._hands.act(effect)
            case ask.Now():
                return await self.store.now()
            case ask.Load(agent_id, key):
                return await self._load(agent_id, key)
            case ask.Sleep(head, until_ms):
                self._observe(head)
                return await self._hands.sleep(head, until_ms)
            case ask.Enqueue(agent_id, version, event, fingerprint):
                return await self.store.enqueue(agent_id, version, event, fingerprint)
            case ask.Interrupt(agent_id, epoch):
                return self._hands.interrupt(agent_id, epoch)
            case ask.RecordAttempt(agent_id, epoch, attempts, retry_ms):
                return await self.store.record_attempt(agent_id, epoch, attempts=attempts, retry_ms=retry_ms)
            case ask.Claim(seen, lease):
                return await self.store.claim(seen.id, seen, lease)
            case ask.Release(agent_id, epoch):
                return await self.store.release(agent_id, epoch)
            case ask.IsAlive(holder):
                return is_alive(holder)
            case ask.FindKey(key):
                return await self.store.find_key(key)
            case Creation():
                head = await self.store.create(effect)
                self._observe(effect.head)
                return head
            case _:
                assert_never(effect)

    async def _commit(self, commit: Commit) -> Any:
        committed = await self.store.commit(commit)
        self._observe(commit.head)
        self._commits += 1
        if self._commits % _STEPS_PER_TURN == 0:
            await asyncio.sleep(0)
        return committed

    async def _load(self, agent_id: str, key: str | None) -> Any:
        record = await self.store.load(agent_id, key=key)
        definition = record.head.definition
        if definition not in self._programs:
            self._programs[definition] = self._compile(Workflow.from_json(await self.store.load_workflow(definition)))
        return record


def _event(name: str, payload: Mapping[str, Json] | None, by: str | None, key: str | None = None) -> Event:
    """What somebody said; who it was and the key are text that any store can keep."""
    own({"by": by, "key": key})
    return Event(name, payload or {}, by, key)
