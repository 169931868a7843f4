"""The work that takes time: actions, backoffs, and the leases that are kept alive meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, Protocol

from fsm_agent.actions.action import Emission
from fsm_agent.actions.calling import call
from fsm_agent.actions.context import Context
from fsm_agent.actions.registry import Actions
from fsm_agent.agent import Head, Lease, moment
from fsm_agent.engine.effects import Act, Acted, Emitted, Failed, Missing, Overdue, Superseded
from fsm_agent.engine.session import LEASE_MS, RENEW_MS
from fsm_agent.errors import ActionError, FsmAgentError, StoreError
from fsm_agent.jsontypes import Json
from fsm_agent.processes import this_process
from fsm_agent.stores.base import Store

logger = logging.getLogger("fsm_agent")

#: Errors that no repetition mends.
_NEVER_RETRIED: Final = (FsmAgentError,)


class Hands(Protocol):
    """What takes time: calling actions, and waiting."""

    async def act(self, effect: Act) -> Acted:
        """Call an action once; raises ``Superseded`` if the agent is taken over meanwhile."""

    async def sleep(self, head: Head, until_ms: int) -> int:
        """Wait until the store's clock shows ``until_ms``; returns what it shows then."""

    def interrupt(self, agent_id: str) -> None:
        """Stop what runs for an agent, if anything does here."""

    async def settled(self, agent_id: str) -> None:
        """Wait until nothing runs for an agent here."""

    async def close(self) -> None:
        """Stop whatever goes on in the background."""


@dataclass(slots=True)
class _Shift:
    """One agent that this process drives now."""

    head: Head
    task: asyncio.Task[Any]
    is_interrupted: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def interrupt(self) -> None:
        self.is_interrupted = True
        self.task.cancel()


class Performing:
    """Runs actions and waits, each within a shift; renews the leases of all shifts; stops them on request."""

    def __init__(self, store: Store, actions: Actions) -> None:
        self._store = store
        self._actions = actions
        self._shifts: dict[str, _Shift] = {}
        self._beat: asyncio.TimerHandle | None = None
        self._renewals: set[asyncio.Task[None]] = set()

    async def act(self, effect: Act) -> Acted:
        """Call an action once, within its time."""
        try:
            action = self._actions.find(effect.do)
        except ActionError as error:
            return Missing(str(error), await self._store.now())
        head, now_ms = effect.head, await self._store.now()
        context = Context(
            agent_id=head.id,
            state=head.state,
            data=effect.data,
            attempt=effect.attempt,
            activation=head.activation,
            visits=head.visits,
            now=moment(now_ms),
        )
        began, time = perf_counter(), _allowance(effect, now_ms)
        timer = asyncio.timeout(time)
        try:
            returned = await self._on_shift(head, self._within(timer, call(action, context, effect.arguments), time))
        except TimeoutError as error:
            if not timer.expired():
                return self._failed(error, await self._store.now(), began)
            return await self._out_of_time(effect, began)
        except Superseded:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an action raises is a fact for the rules
            return self._failed(error, await self._store.now(), began)
        return _emitted(returned, action.signature.emits, await self._store.now(), _ms_since(began))

    @staticmethod
    async def _within(timer: asyncio.Timeout, work: Any, time: float | None) -> Any:
        if time is None:
            return await work
        async with timer:
            return await work

    async def _out_of_time(self, effect: Act, began: float) -> Acted:
        now_ms = await self._store.now()
        if effect.until_ms is not None and now_ms >= effect.until_ms:
            return Overdue(now_ms)
        message = f"action {effect.do!r} took longer than {effect.timeout_ms} ms"
        return Failed(("TimeoutError",), message, now_ms, _ms_since(began), is_timeout=True)

    @staticmethod
    def _failed(error: Exception, now_ms: int, began: float) -> Failed:
        types = tuple(kind.__name__ for kind in type(error).__mro__ if kind not in (object, BaseException))
        message = str(error) or type(error).__name__
        logger.info("action failed: %s", types[0], extra={"action": "action_failed"})
        return Failed(types, message, now_ms, _ms_since(began), is_retryable=not isinstance(error, _NEVER_RETRIED))

    async def sleep(self, head: Head, until_ms: int) -> int:
        """Wait until the store's clock shows ``until_ms``; returns what it shows then."""
        while (now_ms := await self._store.now()) < until_ms:
            await self._on_shift(head, asyncio.sleep((until_ms - now_ms) / 1000))
        return now_ms

    async def _on_shift(self, head: Head, work: Any) -> Any:
        """Await ``work`` while the lease is kept; raises ``Superseded`` if somebody else takes the agent over."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines run in tasks
        shift = self._shifts[head.id] = _Shift(head, task)
        if self._beat is None:
            self._beat = task.get_loop().call_later(RENEW_MS / 1000, self._renew_soon)
        try:
            return await work
        except asyncio.CancelledError:
            if not shift.is_interrupted:
                await self._store.release(head.id, head.epoch)
                raise
            task.uncancel()
            raise Superseded from None
        finally:
            if self._shifts.get(head.id) is shift:
                del self._shifts[head.id]
            shift.ended.set()

    def interrupt(self, agent_id: str) -> None:
        """Stop what runs for an agent, if anything does here."""
        if (shift := self._shifts.get(agent_id)) is not None:
            shift.interrupt()

    async def settled(self, agent_id: str) -> None:
        """Wait until nothing runs for an agent here."""
        while (shift := self._shifts.get(agent_id)) is not None and shift.task is not asyncio.current_task():
            await shift.ended.wait()

    def _renew_soon(self) -> None:
        self._beat = None
        if self._shifts:
            loop = asyncio.get_running_loop()
            self._beat = loop.call_later(RENEW_MS / 1000, self._renew_soon)
            task = loop.create_task(self._renew())
            self._renewals.add(task)
            task.add_done_callback(self._renewals.discard)

    async def _renew(self) -> None:
        """Renew every lease; an agent whose epoch has gone on is no longer ours."""
        for shift in list(self._shifts.values()):
            try:
                lease = Lease(this_process(), await self._store.now() + LEASE_MS)
                if not await self._store.renew(shift.head.id, shift.head.epoch, lease):
                    shift.interrupt()
            except StoreError as error:
                logger.warning("a lease could not be renewed: %s", error, extra={"action": "lease_not_renewed"})

    async def close(self) -> None:
        """Stop renewing; what still runs is cancelled with its tasks, and its leases lapse or are released."""
        if self._beat is not None:
            self._beat.cancel()
        for task in list(self._renewals):
            task.cancel()


def _allowance(effect: Act, now_ms: int) -> float | None:
    """Seconds until the attempt's time is out or a timer ends it; ``None`` is no bound."""
    bounds = [] if effect.timeout_ms is None else [effect.timeout_ms]
    if effect.until_ms is not None:
        bounds.append(max(0, effect.until_ms - now_ms))
    return min(bounds) / 1000 if bounds else None


def _ms_since(began: float) -> int:
    return round((perf_counter() - began) * 1000)


def _emitted(returned: Json, emits: frozenset[str] | None, now_ms: int, duration_ms: int) -> Emitted:
    payload: Mapping[str, Json] = {}
    if isinstance(returned, Emission):
        returned, payload = returned.event, returned.payload
    return Emitted(returned, payload, now_ms, duration_ms, emits)
