"""The loop that performs the commands of the engine one by one. It decides nothing.

A crash or Ctrl-C may end a flow between any two commands; what was committed stays.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, assert_never

from fsm_agent.actions.registry import Actions
from fsm_agent.concurrency import event_loop
from fsm_agent.data.limit import DEFAULT_LIMIT, DataLimit
from fsm_agent.data.sealed import refuse_sealed
from fsm_agent.domain.agent import ENDED, Agent, Head
from fsm_agent.domain.agent_view import agent_view
from fsm_agent.domain.lease import LEASE_MS
from fsm_agent.domain.record import Commit, Creation
from fsm_agent.engine import commands, delivery
from fsm_agent.engine.pinned import require_fit
from fsm_agent.engine.transaction import Driver, Flow, open_agent
from fsm_agent.errors import AgentNotFound, Refused
from fsm_agent.runtime.children import ChildDriver
from fsm_agent.runtime.executor import Executor
from fsm_agent.runtime.processes import is_alive, this_process
from fsm_agent.runtime.programs import Programs
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.runtime.telemetry import Telemetry
    from fsm_agent.runtime.wakeups import Wakeups

logger = logging.getLogger("fsm_agent")

#: After so many commits in a row, other tasks get a turn.
_STEPS_PER_TURN: Final = 64


class CommandLoop:
    """Performs the flows of one runner, with its store, clock, actions and leases."""

    def __init__(
        self,
        store: Store,
        actions: Actions,
        executor: Executor,
        *,
        observe: Callable[[Head], None] | None = None,
        data_limit: DataLimit = DEFAULT_LIMIT,
        telemetry: Telemetry | None = None,
        lease_ms: int = LEASE_MS,
        wakeups: Wakeups | None = None,
    ) -> None:
        self._store = store
        self._actions = actions
        self._executor = executor
        self._observe = observe
        self._telemetry = telemetry
        self.lease_ms: Final = lease_ms
        self.programs: Final = Programs(store, actions, data_limit)
        self._wakeups = wakeups
        self._commits = 0
        self.children = ChildDriver(store, self)

    def driver(
        self,
        *,
        drives: bool = True,
        stays: bool = True,
        notifies_parents: bool = True,
        parks_missing: bool = True,
    ) -> Driver:
        """The driver for this process."""
        return Driver(
            this_process(),
            self.programs.compiled.__getitem__,
            drives=drives,
            stays=stays,
            notifies_parents=notifies_parents,
            parks_missing=parks_missing,
            lease_ms=self.lease_ms,
        )

    async def call(self, flow: Flow, *, drives: bool = True, wakes: bool = True) -> Agent:
        """Perform a flow that delivers; returns the agent. With ``drives``, the parent of an ended child is driven
        too. With ``wakes``, others are woken for an agent that is left with work."""
        return await self.concluded(await self.run_request(flow), drives=drives, wakes=wakes)

    async def concluded(self, delivered: delivery.Delivered, *, drives: bool = True, wakes: bool = True) -> Agent:
        """The agent after a flow that delivers. See ``call``."""
        agent = await self.view(delivered, wakes=wakes)
        if drives and agent.parent is not None and agent.status in ENDED:
            await self.children.drive_parent(agent.parent.id)
        return agent

    async def view(self, delivered: delivery.Delivered, *, wakes: bool = True) -> Agent:
        """The agent after a call. With ``wakes``, others are woken for it if it is left with work."""
        aggregate = delivered.aggregate
        if not delivered.is_current:
            await self._executor.settled(aggregate.head.id)
            aggregate, _ = await self.run(open_agent(self.driver(), aggregate.head.id))
        head = aggregate.head
        facts = {"action": f"agent_{head.status}", "agent_id": head.id, "workflow": head.workflow, "state": head.state}
        logger.info("agent %s", head.status, extra=facts)
        if wakes and (head.wake_ms is not None or delivered.delivery == "queued"):
            await self._hand_over(delivered._replace(aggregate=aggregate))
        claimed = aggregate.program.claimed(head)
        return agent_view(
            aggregate.program.workflow, head, aggregate.folded.values, claimed=claimed, delivery=delivered.delivery
        )

    async def _hand_over(self, delivered: delivery.Delivered) -> None:
        from fsm_agent.runtime.wakeups import StoreBell, hand_over

        self._wakeups = self._wakeups or StoreBell(self._store)
        await hand_over(self._wakeups, delivered)

    async def run_request(self, flow: Flow) -> Any:
        """Perform the flow of a caller, whose refusals are recorded."""
        try:
            return await self.run(flow)
        except Refused as error:
            if self._telemetry is not None:
                self._telemetry.refused(error)
            raise

    async def run(self, flow: Flow) -> Any:
        """Perform a flow to its end. Errors of commands are raised inside the flow, where the rules handle them."""
        reply: Any = None
        error: Exception | None = None
        try:
            while True:
                command = flow.send(reply) if error is None else flow.throw(error)
                reply, error = None, None
                try:
                    reply = await self.perform(command)
                except Exception as raised:
                    error = raised
                    await event_loop.give_way()  # let the faster process finish, so that another try succeeds
        except StopIteration as stop:
            return stop.value
        finally:
            flow.close()

    def perform(self, command: commands.Command) -> Awaitable[Any]:
        """Perform a command; await the result for the reply."""
        if isinstance(command, Commit):
            return self._commit(command)
        if isinstance(command, commands.Act):
            if self._observe is not None:
                self._observe(command.head)
            return self._executor.act(command)
        return self._perform_command(command)

    async def _perform_command(self, command: commands.OtherCommand) -> Any:  # noqa: C901, PLR0911, PLR0912 - a branch a command
        match command:
            case commands.Now():
                return await self._store.now()
            case commands.Load(agent_id, key):
                return await self._load(agent_id, key)
            case commands.ReadHistory(agent_id, after, limit):
                return await self._store.history(agent_id, after=after, limit=limit)
            case commands.ReadOrigin(agent_id):
                return await self._store.origin(agent_id)
            case commands.ReadProgram(definition):
                return await self.programs.read(definition)
            case commands.ReadRecord(agent_id):
                return await self._store.load(agent_id)
            case commands.ReadWorkflow(definition):
                return await self.programs.workflow(definition)
            case commands.SaveWorkflow(workflow):
                return await self.programs.save(workflow)
            case commands.Sleep(head, until_ms):
                if self._observe is not None:
                    self._observe(head)
                return await self._executor.sleep(head, until_ms)
            case commands.Enqueue(agent_id, version, event, fingerprint):
                return await self._store.enqueue(agent_id, version, event, fingerprint)
            case commands.Interrupt(agent_id, epoch):
                return self._executor.interrupt(agent_id, epoch)
            case commands.RecordAttempt():
                return await self._record_attempt(command)
            case commands.LogRefusal():
                from fsm_agent.runtime.attempt import log_refusal

                return log_refusal(command, self._actions, is_sealed=self._store.is_sealed)
            case commands.ReadUser(name):
                return await self._store.user(name)
            case commands.CancelChildren(agent_id, activation):
                return await self.children.cancel_children(agent_id, activation)
            case commands.NotifyParent(parent):
                return await self.children.notify_parent(parent)
            case commands.ReadHead(agent_id):
                return await self._head(agent_id)
            case commands.Claim(seen, lease):
                return await self._store.claim(seen.id, seen, lease)
            case commands.Release(agent_id, epoch):
                return await self._store.release(agent_id, epoch)
            case commands.IsAlive(holder):
                return is_alive(holder)
            case commands.ReadEffects(agent_id, activation):
                return await self._store.effects(agent_id, activation=activation)
            case commands.FindKey(key):
                return await self._store.find_key(key)
            case Creation():
                head = await self._store.create(command)
                if self._observe is not None:
                    self._observe(command.head)
                if self._telemetry is not None:
                    self._telemetry.committed(command.head, len(command.steps))
                return head
            case _:
                assert_never(command)

    async def _record_attempt(self, noted: commands.RecordAttempt) -> None:
        agent_id, epoch, attempts, retry_ms, children, problem = noted
        why: dict[str, Any] = {"problem": problem} if problem and self._store.keeps_problems else {}
        await self._store.record_attempt(
            agent_id, epoch, attempts=attempts, retry_ms=retry_ms, children=children, **why
        )

    async def _commit(self, commit: Commit) -> Any:
        committed = await self._store.commit(commit)
        if self._observe is not None:
            self._observe(commit.head)
        if self._telemetry is not None:
            self._telemetry.committed(commit.head, 1)
        self._commits += 1
        if self._commits % _STEPS_PER_TURN == 0:
            await event_loop.give_way()
        return committed

    async def _head(self, agent_id: str) -> Head | None:
        try:
            return await self._store.head(agent_id)
        except AgentNotFound:
            return None

    async def _load(self, agent_id: str, key: str | None) -> Any:
        record = await self._store.load(agent_id, key=key)
        for queued in record.queue:
            refuse_sealed(queued.event.payload)
        program = await self.programs.read(record.head.definition)
        require_fit(program.workflow, record.head)
        return record
