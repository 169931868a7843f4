"""The work that takes time: actions, backoffs, and the leases that are kept alive meanwhile."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NoReturn

from fsm_agent.actions.action import THREAD, Action
from fsm_agent.actions.effects import Effects, Ledger
from fsm_agent.actions.registry import Actions
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.actions.worker_threads import waiting_on
from fsm_agent.concurrency.cancellation import Watched
from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import LEASE_MS, RENEW_MS, Lease
from fsm_agent.engine.commands import Act, Acted, Missing, Overdue, Superseded
from fsm_agent.errors import ActionError, StoreError
from fsm_agent.runtime.attempt import OutOfTime, attempt, failure_of, returned_from
from fsm_agent.runtime.processes import this_process
from fsm_agent.stores.base import Store

logger = logging.getLogger("fsm_agent")


@dataclass(slots=True)
class _Execution:
    """One agent that this process drives now."""

    head: Head
    task: asyncio.Task[Any]
    #: how often the task had been told to cancel before
    cancelling: int
    is_interrupted: bool = False
    #: set when somebody waits for the end
    ended: asyncio.Event | None = None

    def interrupt(self) -> None:
        """Cancel the task, unless it is the caller: an action that moves its own agent cannot be stopped in the
        middle of that, and what it returns comes too late anyway."""
        if not self.is_interrupted and self.task is not asyncio.current_task():
            self.is_interrupted = True
            self.task.cancel()

    def ending(self) -> asyncio.Event:
        """Set when the shift ends."""
        self.ended = self.ended or asyncio.Event()
        return self.ended

    @property
    def is_running(self) -> bool:
        """Whether it is the task that is asking; where a coroutine is closed nobody runs it."""
        try:
            return asyncio.current_task() is self.task
        except RuntimeError:
            return False

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody else than us told the task to cancel; if that was earlier, it may strike only now."""
        told = self.task.cancelling()
        return told > self.cancelling + 1 if self.is_interrupted else told > 0


class ActionExecutor:
    """Runs actions and waits, each within a shift; renews the leases of all shifts; stops them on request."""

    def __init__(self, store: Store, actions: Actions, surroundings: Surroundings | None = None) -> None:
        self._store = store
        self._ledger: Ledger = store
        self._actions = actions
        self._shifts: dict[str, _Execution] = {}
        self._beat: asyncio.TimerHandle | None = None
        self._renewals: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self.surroundings = surroundings or Surroundings()

    async def act(self, effect: Act) -> Acted:
        """Call an action once, within its time."""
        try:
            action = self._actions.find(effect.do)
        except ActionError as error:
            return Missing(str(error), await self._store.now())
        wait = waiting_on(asyncio.get_running_loop()) if action.mode is THREAD else None
        outside = Effects(self._ledger, effect.head, wait)
        began = perf_counter()
        try:
            returned = await self._called(action, effect, outside)
        except OutOfTime as error:
            reply = await self._out_of_time(effect, action, _ms_since(began), error.__cause__)
        except (Superseded, asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # of a library that panics, say: it would come back at every attempt
            if isinstance(outside.verdict, Superseded | StoreError):  # the action was only told to stop
                raise outside.verdict from None
            reply = await self._failed(effect, action, error, _ms_since(began))
        else:
            reply = returned_from(returned, action.signature.emits, await self._store.now(), _ms_since(began))
        return reply if outside.verdict is None else await outside.judged(reply)

    async def _called(self, action: Action, effect: Act, outside: Effects) -> Any:
        """What the action returns, while the lease is kept; raises what it raises, ``OutOfTime``, and ``Superseded`` if
        somebody else takes the agent over."""
        if self._is_closed:
            await self._turn_away(effect.head)
        shift = self._begun(effect.head)
        first: Any
        try:
            work = attempt(action, effect, outside, self.surroundings)
            try:
                first = work.send(None)
            except StopIteration as stop:
                if shift.task.cancelling() == shift.cancelling:
                    return stop.value  # most have nothing to wait for
                first = stop
            except BaseException as error:
                first = error
            return await self._watched(Watched(work, first, shift.task, shift.cancelling), shift, effect.do)
        finally:
            outside.close()
            self._end(shift)

    async def _watched(self, work: Watched, shift: _Execution, do: str) -> Any:
        """What the work of an action returns. What it does to its own task or to the process fails the attempt: it
        would do so at every other one too."""
        cause: BaseException | None = None  # it knows where that was
        try:
            returned = await work
        except asyncio.CancelledError as error:
            cause = error
            if not work.own:
                await self._cancelled(shift, error)
        except SystemExit as error:
            raise RuntimeError(f"action {do!r} told the process to exit with {error.code!r}") from error
        except GeneratorExit as error:
            if shift.is_running:
                raise RuntimeError(f"action {do!r} raised GeneratorExit") from error
            work.own = 0
            raise  # nobody awaits this any more
        else:
            if not work.own:
                return returned
        finally:
            if work.own:
                await self._taken_back(work, shift)
        raise RuntimeError(f"action {do!r} cancelled its own task") from cause

    async def _taken_back(self, work: Watched, shift: _Execution) -> None:
        """Undo what the work told its task; somebody else may have told it the same."""
        await work.take_back()
        if shift.is_cancelled or shift.is_interrupted:
            await self._cancelled(shift)

    async def _failed(
        self, effect: Act, action: Action, error: BaseException, duration_ms: int, *, is_timeout: bool = False
    ) -> Acted:
        return failure_of(
            effect,
            error,
            await self._store.now(),
            duration_ms,
            function=action.function,
            is_timeout=is_timeout,
            is_sealed=self._store.is_sealed,
            variables=self.surroundings.environment,
        )

    async def _out_of_time(self, effect: Act, action: Action, duration_ms: int, cause: BaseException | None) -> Acted:
        if effect.until_ms is not None and effect.until_ms - effect.now_ms <= (effect.timeout_ms or math.inf):
            return Overdue(await self.sleep(effect.head, effect.until_ms))  # clocks differ a little
        error = TimeoutError(f"action {effect.do!r} took longer than {effect.timeout_ms} ms")
        error.__cause__ = cause
        return await self._failed(effect, action, error, duration_ms, is_timeout=True)

    async def sleep(self, head: Head, until_ms: int) -> int:
        """Wait until the store's clock shows ``until_ms``; returns what it shows then."""
        while (now_ms := await self._store.now()) < until_ms:
            if self._is_closed:
                await self._turn_away(head)
            shift = self._begun(head)
            try:
                await asyncio.sleep((until_ms - now_ms) / 1000)
            except asyncio.CancelledError:
                await self._cancelled(shift)
            finally:
                self._end(shift)
        return now_ms

    async def _cancelled(self, shift: _Execution, error: asyncio.CancelledError | None = None) -> NoReturn:
        """Raise what it means that the task was cancelled: the lease is given up if the whole process is to stop."""
        if shift.is_cancelled:
            await self._give_up(shift.head)
            raise asyncio.CancelledError
        if shift.is_interrupted:
            raise Superseded from None
        raise RuntimeError("what the action awaited was cancelled") from error

    def _end(self, shift: _Execution) -> None:
        if shift.is_interrupted:
            shift.task.uncancel()
        agent_id = shift.head.id
        if self._shifts.get(agent_id) is shift:
            del self._shifts[agent_id]
        if shift.ended is not None:
            shift.ended.set()

    async def _turn_away(self, head: Head) -> NoReturn:
        """Nothing begins here any more."""
        await self._give_up(head)
        raise asyncio.CancelledError

    def _begun(self, head: Head) -> _Execution:
        """A new shift of the present task; raises ``Superseded`` if a later epoch is at work here already."""
        shifts, agent_id = self._shifts, head.id
        known = shifts.get(agent_id)
        if known is not None and known.head.epoch > head.epoch:
            raise Superseded
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines run in tasks
        if self._beat is None:
            self._beat = task.get_loop().call_later(RENEW_MS / 1000, self._renew_soon)
        shift = shifts[agent_id] = _Execution(head, task, task.cancelling())
        return shift

    async def _give_up(self, head: Head) -> None:
        """Release a lease; one that the store does not let go of runs out."""
        try:
            await self._store.release(head.id, head.epoch)
        except StoreError as error:
            logger.warning("a lease could not be given up: %s", error, extra={"action": "lease_not_released"})

    def interrupt(self, agent_id: str, epoch: int) -> None:
        """Stop what runs for an agent here under an epoch before this one, if anything does."""
        if (shift := self._shifts.get(agent_id)) is not None and shift.head.epoch < epoch:
            shift.interrupt()

    async def settled(self, agent_id: str) -> None:
        """Wait until nothing runs for an agent here."""
        while (shift := self._shifts.get(agent_id)) is not None and shift.task is not asyncio.current_task():
            await shift.ending().wait()

    def _renew_soon(self) -> None:
        self._beat = None
        if self._shifts:
            loop = asyncio.get_running_loop()
            self._beat = loop.call_later(RENEW_MS / 1000, self._renew_soon)
            task = loop.create_task(self._renew())
            self._renewals.add(task)
            task.add_done_callback(self._renewals.discard)

    async def _renew(self) -> None:
        """Renew every lease; an agent whose epoch has gone on is no longer ours, if the shift has not ended by then."""
        for shift in list(self._shifts.values()):
            try:
                lease = Lease(this_process(), await self._store.now() + LEASE_MS)
                is_ours = await self._store.renew(shift.head.id, shift.head.epoch, lease)
                if not is_ours and self._shifts.get(shift.head.id) is shift:
                    shift.interrupt()
            except StoreError as error:
                logger.warning("a lease could not be renewed: %s", error, extra={"action": "lease_not_renewed"})

    async def close(self) -> None:
        """Stop renewing, cancel what still runs, and wait until its leases are given up. Nothing begins after that."""
        self._is_closed = True
        if self._beat is not None:
            self._beat.cancel()
        for task in self._renewals:
            task.cancel()
        others = [shift for shift in self._shifts.values() if shift.task is not asyncio.current_task()]
        for task in {shift.task for shift in others}:
            task.cancel()
        for ending in [shift.ending() for shift in others]:
            await ending.wait()


def _ms_since(began: float) -> int:
    return round((perf_counter() - began) * 1000)
