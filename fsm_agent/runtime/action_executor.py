"""The work that takes time: actions and backoffs, and the renewal of leases meanwhile."""

from __future__ import annotations

import asyncio
import logging
import math
from time import perf_counter
from typing import Any, NoReturn

from fsm_agent.actions.action import THREAD, Action
from fsm_agent.actions.effects import Effects, Ledger
from fsm_agent.actions.registry import Actions
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.actions.worker_threads import waiting_on
from fsm_agent.concurrency.cancellation import Watched
from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import LEASE_MS, Claimed, Lease, renewal_ms
from fsm_agent.engine.commands import Act, Acted, Missing, Overdue, Superseded
from fsm_agent.errors import ActionError, StoreError
from fsm_agent.runtime.attempt import OutOfTime, attempt, failure_of, refuse_undeclared_writes, returned_from
from fsm_agent.runtime.execution import Execution
from fsm_agent.runtime.processes import this_process
from fsm_agent.stores.base import Store

logger = logging.getLogger("fsm_agent")


class ActionExecutor:
    """Runs actions and waits; each is one execution. Renews the leases of all executions, and stops them on request."""

    def __init__(
        self,
        store: Store,
        actions: Actions,
        surroundings: Surroundings | None = None,
        *,
        lease_ms: int = LEASE_MS,
    ) -> None:
        self._store = store
        self._ledger: Ledger = store
        self._actions = actions
        self._executions: dict[str, Execution] = {}
        self._lease_ms = lease_ms
        self._beat: asyncio.TimerHandle | None = None
        self._renewals: set[asyncio.Task[None]] = set()
        self._is_draining = False
        self._is_closed = False
        self.surroundings = surroundings or Surroundings()

    async def act(self, command: Act) -> Acted:
        """Call an action once, within its time limit."""
        try:
            action = self._actions.find(command.do)
        except ActionError as error:
            return Missing(str(error), await self._store.now())
        wait = waiting_on(asyncio.get_running_loop()) if action.mode is THREAD else None
        effects = Effects(self._ledger, command.head, wait)
        began = perf_counter()
        try:
            returned = await self._called(action, command, effects)
            if action.signature.writes is not None:
                refuse_undeclared_writes(command.do, action.signature, command.data)
        except OutOfTime as error:
            reply = await self._out_of_time(command, action, _ms_since(began), error.__cause__)
        except (Superseded, asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # of a library that panics: each attempt would fail alike
            if isinstance(effects.failure, Superseded | StoreError):  # the action was only told to stop
                raise effects.failure from None
            reply = await self._failed(command, action, error, _ms_since(began))
        else:
            reply = returned_from(returned, action.signature.emits, await self._store.now(), _ms_since(began))
        return reply if effects.failure is None else await effects.judged(reply)

    async def _called(self, action: Action, command: Act, effects: Effects) -> Any:
        """The result of the action; the lease is renewed meanwhile. Raises the errors of the action, ``OutOfTime``, and
        ``Superseded`` if another process takes the agent over."""
        await self._admit(command.head)
        execution = self._begun(command.head)
        first: Any
        try:
            work = attempt(action, command, effects, self.surroundings)
            try:
                first = work.send(None)
            except StopIteration as stop:
                if execution.task.cancelling() == execution.cancelling:
                    return stop.value  # most actions have nothing to wait for
                first = stop
            except BaseException as error:
                first = error
            return await self._watched(
                Watched(work, first, execution.task, execution.cancelling), execution, command.do
            )
        finally:
            effects.close()
            self._end(execution)

    async def _watched(self, work: Watched, execution: Execution, do: str) -> Any:
        """The result of an action that waits. If the action cancels its own task or ends the process, the attempt
        fails, since each other attempt would do the same."""
        cause: BaseException | None = None  # it knows the place of the failure
        try:
            returned = await work
        except asyncio.CancelledError as error:
            cause = error
            if not work.own:
                await self._cancelled(execution, error)
        except SystemExit as error:
            raise RuntimeError(f"action {do!r} told the process to exit with {error.code!r}") from error
        except GeneratorExit as error:
            if execution.is_running:
                raise RuntimeError(f"action {do!r} raised GeneratorExit") from error
            work.own = 0
            raise  # nobody awaits this any more
        else:
            if not work.own:
                return returned
        finally:
            if work.own:
                await self._taken_back(work, execution)
        raise RuntimeError(f"action {do!r} cancelled its own task") from cause

    async def _taken_back(self, work: Watched, execution: Execution) -> None:
        """Undo the cancellation of the task by its own action, but not one by somebody else."""
        await work.take_back()
        if execution.is_cancelled or execution.is_interrupted:
            await self._cancelled(execution)

    async def _failed(
        self, command: Act, action: Action, error: BaseException, duration_ms: int, *, is_timeout: bool = False
    ) -> Acted:
        return failure_of(
            command,
            error,
            await self._store.now(),
            duration_ms,
            function=action.function,
            is_timeout=is_timeout,
            is_sealed=self._store.is_sealed,
            variables=self.surroundings.environment,
        )

    async def _out_of_time(self, command: Act, action: Action, duration_ms: int, cause: BaseException | None) -> Acted:
        if command.until_ms is not None and command.until_ms - command.now_ms <= (command.timeout_ms or math.inf):
            return Overdue(await self.sleep(command.head, command.until_ms))  # clocks differ a little
        error = TimeoutError(f"action {command.do!r} took longer than {command.timeout_ms} ms")
        error.__cause__ = cause
        return await self._failed(command, action, error, duration_ms, is_timeout=True)

    async def sleep(self, head: Head, until_ms: int) -> int:
        """Wait until the store's clock shows ``until_ms``; returns its time then."""
        while (now_ms := await self._store.now()) < until_ms:
            await self._admit(head)
            execution = self._begun(head)
            try:
                await asyncio.sleep((until_ms - now_ms) / 1000)
            except asyncio.CancelledError:
                await self._cancelled(execution)
            finally:
                self._end(execution)
        return now_ms

    async def _cancelled(self, execution: Execution, error: asyncio.CancelledError | None = None) -> NoReturn:
        """Raise the error for a cancelled task. The lease is released if the whole process is to stop."""
        if execution.is_cancelled:
            await self._give_up(execution.head)
            raise asyncio.CancelledError
        if execution.is_interrupted:
            raise Superseded from None
        raise RuntimeError("what the action awaited was cancelled") from error

    def _end(self, execution: Execution) -> None:
        if execution.is_interrupted:
            execution.task.uncancel()
        agent_id = execution.head.id
        if self._executions.get(agent_id) is execution:
            del self._executions[agent_id]
        if execution.ended is not None:
            execution.ended.set()

    async def _admit(self, head: Head) -> None:
        """Release the lease and stop if nothing may begin any more."""
        if self._is_closed:
            await self._give_up(head)
            raise asyncio.CancelledError
        if self._is_draining:
            await self._give_up(head)
            raise Superseded

    def _begun(self, head: Head) -> Execution:
        """A new execution in the present task; raises ``Superseded`` if a later epoch of the agent runs here."""
        executions, agent_id = self._executions, head.id
        known = executions.get(agent_id)
        if known is not None and known.head.epoch > head.epoch:
            raise Superseded
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines run in tasks
        if self._beat is None:
            self._beat = self._next_beat(task.get_loop())
        execution = executions[agent_id] = Execution(head, task, task.cancelling())
        return execution

    async def _give_up(self, head: Head) -> None:
        """Release a lease. If the store fails, the lease runs out later."""
        try:
            await self._store.release(head.id, head.epoch)
        except StoreError as error:
            logger.warning("a lease could not be given up: %s", error, extra={"action": "lease_not_released"})

    def interrupt(self, agent_id: str, epoch: int) -> None:
        """Stop the execution of an agent here, if it has an earlier epoch than ``epoch``."""
        if (execution := self._executions.get(agent_id)) is not None and execution.head.epoch < epoch:
            execution.interrupt()

    async def settled(self, agent_id: str) -> None:
        """Wait until no execution of an agent runs here."""
        while (
            execution := self._executions.get(agent_id)
        ) is not None and execution.task is not asyncio.current_task():
            await execution.ending().wait()

    def _next_beat(self, loop: asyncio.AbstractEventLoop) -> asyncio.TimerHandle:
        return loop.call_later(renewal_ms(self._lease_ms) / 1000, self._renew_soon)

    def _renew_soon(self) -> None:
        self._beat = None
        if self._executions:
            loop = asyncio.get_running_loop()
            self._beat = self._next_beat(loop)
            task = loop.create_task(self._renew())
            self._renewals.add(task)
            task.add_done_callback(self._renewals.discard)

    async def _renew(self) -> None:
        """Renew all leases. If an agent has a new epoch, another process drives it, so its execution is interrupted,
        unless it has ended meanwhile."""
        running = dict(self._executions)
        held = [Claimed(agent_id, execution.head.epoch) for agent_id, execution in running.items()]
        try:
            lease = Lease(this_process(), await self._store.now() + self._lease_ms)
            renewed = set(await self._store.renew_all(held, lease))
        except StoreError as error:
            logger.warning("leases could not be renewed: %s", error, extra={"action": "lease_not_renewed"})
            return
        for agent_id, execution in running.items():
            if agent_id not in renewed and self._executions.get(agent_id) is execution:
                execution.interrupt()

    def drain(self) -> None:
        self._is_draining = True

    async def close(self) -> None:
        """Cancel all executions, and wait until their leases are released. Nothing can begin after that."""
        self._is_closed = True
        if self._beat is not None:
            self._beat.cancel()
        for task in self._renewals:
            task.cancel()
        others = [execution for execution in self._executions.values() if execution.task is not asyncio.current_task()]
        for task in {execution.task for execution in others}:
            task.cancel()
        for ending in [execution.ending() for execution in others]:
            await ending.wait()


def _ms_since(began: float) -> int:
    return round((perf_counter() - began) * 1000)
