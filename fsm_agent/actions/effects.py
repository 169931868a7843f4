"""The effects of one attempt: what an action does to the world outside through ``ctx.effect``.

The rules are in ``engine.effects``. This module performs them, on the event loop or in the thread of a blocking action.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, assert_never

from fsm_agent.actions.worker_threads import Wait, awaited, in_thread
from fsm_agent.data.delta import own
from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry, EffectMode
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.text import listed
from fsm_agent.engine.commands import Acted, Doubtful, Now, Superseded
from fsm_agent.engine.effects import Begin, Do, End, Probe, Request, once, planned
from fsm_agent.errors import ActionError, AgentNotFound, Conflict, DataInvalid, EffectUnclear, StoreError

#: joins the description of an effect in doubt with the reason
_WHY_BEFORE: Final = "; the attempt before failed"


class Ledger(Protocol):
    """The part of a store that effects need. ``Store`` documents these methods."""

    namespace: str

    async def now(self) -> int: ...

    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]: ...

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]: ...

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None: ...

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool: ...


class EffectCall(NamedTuple):
    """A call that an action asks for, with its arguments as plain JSON."""

    name: str
    function: Callable[..., Any]
    probe: Callable[..., Any] | None
    mode: EffectMode
    given: list[Json]
    named: Mapping[str, Json]

    def sought(self, request: Do | Probe) -> tuple[Callable[..., Any], Callable[[], Any]]:
        """The function or the probe, and a call of it with its arguments, and with the key if it takes one."""
        function = self.probe if isinstance(request, Probe) and self.probe else self.function
        key = {"idempotency_key": request.key} if _takes_key(function) else {}
        return function, lambda: function(*self.given, **{**key, **self.named})


def effect_call(
    name: str,
    function: Callable[..., Any],
    *,
    probe: Callable[..., Any] | None,
    mode: str,
    given: Sequence[Json],
    named: Mapping[str, Json],
) -> EffectCall:
    """The call of an effect; raises ``ActionError`` for arguments that make no sense."""
    if not isinstance(name, str) or not name or not callable(function):
        raise ActionError(f"an effect needs a name and a function, as in `ctx.effect('charge', charge, ...)`: {name!r}")
    if mode not in list(EffectMode):
        raise ActionError(f"effect {name!r} cannot be done in mode {mode!r}; there are {listed(EffectMode)}")
    if (mode == EffectMode.CHECK) is not callable(probe):
        raise ActionError(f"effect {name!r}: mode 'check' needs a `probe`, which is a function, and no other does")
    try:
        own(name, "its name")
        plain = own(list(given), "arguments"), own(dict(named), "arguments")
    except DataInvalid as error:
        raise ActionError(f"effect {name!r} cannot be kept: {listed(error.problems)}") from None
    return EffectCall(name, function, probe, EffectMode(mode), *plain)


class Effects:
    """The effects of one attempt. When the attempt has ended, no effect can begin any more.

    ``wait`` lets the thread of a blocking action run a coroutine on the event loop; ``thread`` calls a plain function.
    """

    __slots__ = ("_head", "_is_closed", "_ledger", "_thread", "_uses", "_wait", "failure")  # every attempt makes one

    def __init__(
        self,
        ledger: Ledger,
        head: Head,
        wait: Wait | None = None,
        *,
        thread: Callable[[Callable[[], Any], str], Awaitable[Any]] = in_thread,
    ) -> None:
        self._ledger = ledger
        self._head = head
        self._wait = wait
        self._thread = thread
        self._uses: dict[str, int] = {}
        self._is_closed = False
        #: the error that decides about the attempt, even if the action catches it
        self.failure: Exception | None = None

    @property
    def read(self) -> Callable[..., Awaitable[Sequence[Message]]]:
        """The function that reads threads."""
        return self._ledger.messages

    async def entry(self) -> Step | None:
        """The step that began this activation; ``None`` if it is no longer stored."""
        steps = await self._ledger.history(self._head.id, after=self._head.activation - 1, limit=1)
        return steps[0] if steps and steps[0].version == self._head.activation else None

    def in_thread(self) -> Wait:
        """How the thread of a blocking action runs a coroutine on the event loop."""
        assert self._wait is not None  # noqa: S101 - the context of a thread comes with a way to wait
        return self._wait

    def fail(self, error: StoreError) -> None:
        """Record an error of the store outside of effects. It is not a failure of the action."""
        self._decide(error)

    def close(self) -> None:
        """Refuse further effects: the action has ended, or nothing waits for it any more."""
        self._is_closed = True

    async def judged(self, reply: Acted) -> Acted:
        """The reply for the engine: ``reply``, unless an effect has failed in a way that an action cannot repair.
        Raises ``Superseded`` and ``StoreError``."""
        match self.failure:
            case None:
                return reply
            case EffectUnclear() as unclear:
                from fsm_agent.actions.tracebacks import place_of

                message = f"{unclear}{await self._why_before(unclear.key)}"
                problem = Problem(type(unclear).__name__, message, place=place_of(unclear))
                return Doubtful(problem, await self._ledger.now())
            case error:
                raise error

    async def _why_before(self, key: str) -> str:
        """Why the previous attempt failed, since it may have left the effect open. Empty if its process just ended, or
        if an operator has settled the effect since."""
        problem, place = self._head.problem, ""
        if problem is not None:
            why, place = f"{problem.type}: {problem.message}", problem.place
        else:
            steps = await self._ledger.history(self._head.id, after=self._head.activation)
            parked = [step for step in steps if step.kind is StepKind.PARKED or step.payload.get("effect") == key]
            if not parked or parked[-1].kind is not StepKind.PARKED:
                return ""
            if "attempt" not in parked[-1].payload:  # it was in doubt at that time too
                _, mark, reason = (parked[-1].reason or "").partition(_WHY_BEFORE)
                return mark + reason
            why, place = parked[-1].reason or "", parked[-1].payload.get("place", "")
        return f"{_WHY_BEFORE}{f' at {place}' if place else ''}: {why}" if why else ""

    async def do(self, effect_call: EffectCall) -> Json:
        """Do an effect on the event loop: a coroutine function is awaited, a plain one runs in a thread."""
        flow, reply = self._flow(effect_call), None
        while True:
            try:
                request = flow.send(reply)
            except StopIteration as stop:
                return stop.value
            if isinstance(request, Do | Probe):
                self._refuse_late(effect_call.name)
                function, call = effect_call.sought(request)
                is_async = inspect.iscoroutinefunction(function)
                reply = await (call() if is_async else self._thread(call, f"effect {effect_call.name!r}"))
            else:
                reply = await self._noted(request)

    def do_blocking(self, effect_call: EffectCall) -> Json:
        """Do an effect in the thread of the action; only the store is asked on the event loop."""
        flow, reply, wait = self._flow(effect_call), None, self._wait
        assert wait is not None  # noqa: S101 - the context of a thread comes with a way to wait
        while True:
            try:
                request = flow.send(reply)
            except StopIteration as stop:
                return stop.value
            if isinstance(request, Do | Probe):
                self._refuse_late(effect_call.name)
                _, call = effect_call.sought(request)
                returned = call()
                reply = wait(awaited(returned)) if inspect.isawaitable(returned) else returned
            else:
                reply = wait(self._noted(request))

    def _flow(self, effect_call: EffectCall) -> Generator[Request, Any, Json]:
        self._refuse_late(effect_call.name)
        use = self._uses[effect_call.name] = self._uses.get(effect_call.name, 0) + 1
        arguments = [effect_call.given, effect_call.named]
        plan = planned(
            self._ledger.namespace, self._head, effect_call.name, use, mode=effect_call.mode, arguments=arguments
        )
        try:
            return (yield from once(self._head.id, plan))
        except EffectUnclear as error:
            self._decide(error)
            raise

    def _decide(self, error: Exception) -> None:
        """Record the error that decides about the attempt. ``Superseded`` stays: another process drives the agent."""
        if not isinstance(self.failure, Superseded):
            self.failure = error

    async def _noted(self, request: Now | Begin | End) -> Any:
        """The reply of the store. If another process has taken the agent over, the action is cancelled."""
        try:
            match request:
                case Now():
                    return await self._ledger.now()
                case Begin(entry, again):
                    self._refuse_late(entry.name)
                    return await self._ledger.begin_effect(self._head.id, entry, again=again)
                case End(entry):
                    return await self._ledger.end_effect(self._head.id, entry)
                case _:
                    assert_never(request)
        except (Conflict, AgentNotFound):
            self._decide(Superseded())
            raise asyncio.CancelledError from None
        except StoreError as error:
            self._decide(error)
            raise

    def _refuse_late(self, name: str) -> None:
        if self._is_closed:
            state = self._head.state
            raise ActionError(f"effect {name!r} comes too late: the action of state {state!r} has ended or was stopped")
        match self.failure:
            case None:
                return
            case Superseded():
                raise asyncio.CancelledError
            case error:
                raise error


def _takes_key(function: Callable[..., Any]) -> bool:
    """Whether the function names the parameter. ``**kwargs`` does not count, since it may be passed on to a function
    without this parameter."""
    try:
        parameter = inspect.signature(function).parameters.get("idempotency_key")
    except (TypeError, ValueError):  # some functions that are written in C have no signature
        return False
    return parameter is not None and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
