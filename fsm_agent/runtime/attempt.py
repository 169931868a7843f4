"""One attempt of an action: its context, its time limit, and the reply that the engine gets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from fsm_agent.actions.action import ASYNC, THREAD, Action, Asking, Emission, Mode, Pause
from fsm_agent.actions.context import ActionFacts, BlockingContext, Context, InlineContext
from fsm_agent.actions.effects import Effects
from fsm_agent.actions.registry import Actions
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.actions.worker_threads import awaited, in_thread
from fsm_agent.data.data import Data, changes
from fsm_agent.domain.json import Json
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.step import NOTHING
from fsm_agent.domain.tuples import from_fields
from fsm_agent.engine.commands import Act, Acted, Asks, Emitted, Failed, LogRefusal, Paused
from fsm_agent.errors import ActionError, FsmAgentError, WriteUndeclared
from fsm_agent.memory.conversation import Written

if TYPE_CHECKING:
    from fsm_agent.actions.tracebacks import Concealment

logger = logging.getLogger("fsm_agent")

_LONGEST_DELAY_S: Final = 3_600.0

_CONTEXTS: Final = {Mode.ASYNC: Context, Mode.THREAD: BlockingContext, Mode.INLINE: InlineContext}


def context_of(command: Act, mode: Mode, effects: Effects, surroundings: Surroundings) -> ActionFacts:
    """The context for the action."""
    head, _, _, data, now_ms, number, _, _, outputs, scope = command
    made, visits = _CONTEXTS[mode], dict(head.visits)  # a copy, so that the action cannot change the head
    facts = (head.id, head.state, data, number, head.activation, visits, now_ms)
    return made(*facts, effects, outputs, scope, surroundings, _write_summary)


async def _write_summary(context: Context, messages: list[dict[str, Json]], max_tokens: int) -> Written:
    """Let a model write a summary; its modules are imported with the first one."""
    from fsm_agent.actions.builtin.llm_summary import summarise

    return await summarise(context, messages, max_tokens)


def attempt(action: Action, command: Act, effects: Effects, surroundings: Surroundings) -> Coroutine[Any, Any, Any]:
    """Call an action within its time limit; await the result. Raises the errors of the action, and ``OutOfTime``."""
    mode, arguments = action.mode, command.arguments
    context = context_of(command, mode, effects, surroundings)
    work: Coroutine[Any, Any, Any]
    if mode is ASYNC:
        work = action.function(context, **arguments)
        if type(work) is not CoroutineType:
            work = awaited(work)
    elif mode is THREAD:  # cancelling does not stop the thread, but its result is dropped
        work = in_thread(lambda: action.function(context, **arguments), f"action {action.name!r}")
    else:
        work = _inline(action, context, arguments)
    if command.timeout_ms is None and command.until_ms is None:
        return work
    return _in_time(work, _allowance(command))


async def _inline(action: Action, context: ActionFacts, arguments: Mapping[str, Json]) -> Any:
    return await awaited(action.function(context, **arguments))


def _allowance(command: Act) -> float:
    """Seconds until the time limit of the attempt, or until a timer ends it."""
    until_ms = None if command.until_ms is None else max(0, command.until_ms - command.now_ms)
    return min(ms for ms in (command.timeout_ms, until_ms) if ms is not None) / 1000


class OutOfTime(Exception):
    """Our own time limit was reached; it differs from a ``TimeoutError`` of the action itself."""


async def _in_time(work: Awaitable[Any], seconds: float) -> Any:
    try:
        async with asyncio.timeout(seconds) as timer:
            return await work
    except TimeoutError as error:
        if timer.expired():
            raise OutOfTime from error.__cause__  # the cancellation, whose traceback shows where the action waited
        raise


def refuse_undeclared_writes(do: str, signature: Signature, data: Data) -> None:
    """Raise ``WriteUndeclared`` if an action wrote a field that it does not declare under ``writes``."""
    if signature.writes is not None and (undeclared := {*changes(data).fields} - signature.writes):
        raise WriteUndeclared(do, undeclared, signature.writes)


def failure_of(
    command: Act,
    error: BaseException,
    now_ms: int,
    duration_ms: int,
    *,
    function: Callable[..., Any] | None = None,
    is_timeout: bool = False,
    is_sealed: bool = False,
    variables: Collection[str] = (),
) -> Failed:
    """The reply for an exception that an action raised; the exception is also logged, with its place. With
    ``is_sealed`` the log does not get its message. Values of the environment variables in ``variables`` are hidden
    everywhere. If the line is unknown, the place of ``function`` is used."""
    from fsm_agent.actions.tracebacks import Concealment, message_of, place_of, place_of_function

    discretion = Concealment(is_sealed, variables)
    known = tuple(kind.__name__ for kind in type(error).__mro__ if kind not in (object, BaseException))
    types = known or (BaseException.__name__,)
    place = place_of(error.__cause__ if is_timeout and error.__cause__ else error)
    if not place and function is not None and not isinstance(error, FsmAgentError):
        place = place_of_function(function)
    failed = Failed(
        types,
        message_of(error, discretion) or types[0],
        now_ms,
        duration_ms,
        is_retryable=not isinstance(error, FsmAgentError) or error.is_retryable,
        is_timeout=is_timeout,
        retry_after_ms=_wanted_delay(error),
        place=place,
    )
    _log(command, error, failed.place, discretion)
    return failed


def _log(command: Act, error: BaseException, place: str, discretion: Concealment) -> None:
    """Log one sentence and the traceback, which is made here, since handlers would show messages and locals."""
    from fsm_agent.actions.tracebacks import said_of, trace_of

    agent_id, state, do, attempt = command.head.id, command.head.state, command.do, command.attempt
    logger.error(
        "action %r of agent %r failed in state %r, attempt %d: %s%s\n%s",
        *(do, agent_id, state, attempt),
        said_of(error, discretion),
        f" ({place})" if place else "",
        trace_of(error, discretion),
        extra={"action": "action_failed", "agent_id": agent_id, "state": state, "do": do, "attempt": attempt},
    )


def log_refusal(refusal: LogRefusal, actions: Actions, *, is_sealed: bool) -> str:
    """Log why the result of an action is refused; returns the place of the action. If the store is sealed, only the
    type of the problem is logged, since its message may quote sealed words."""
    from fsm_agent.actions.tracebacks import place_of_function

    agent_id, state, do, attempt, problem = refusal
    try:
        place = place_of_function(actions.find(do).function)
    except ActionError:
        place = ""
    logger.error(
        "what action %r of agent %r returned in state %r, attempt %d, is refused: %s%s",
        *(do, agent_id, state, attempt),
        problem.type if is_sealed else f"{problem.type}: {problem.message}",
        f" ({place})" if place else "",
        extra={"action": "action_refused", "agent_id": agent_id, "state": state, "do": do, "attempt": attempt},
    )
    return place


def _wanted_delay(error: BaseException) -> int:
    """The delay in milliseconds that a provider asks for before the next request. It is limited."""
    after_s = getattr(error, "after_s", None)
    return 0 if not isinstance(after_s, int | float) else round(min(max(after_s, 0.0), _LONGEST_DELAY_S) * 1000)


def returned_from(returned: Json, emits: frozenset[str] | None, now_ms: int, duration_ms: int) -> Acted:
    """The reply for the result of an action."""
    if type(returned) is str:  # most actions name an event without payload
        return from_fields(Emitted, (returned, {}, now_ms, duration_ms, emits))
    match returned:
        case Asking(prompt, events, to):
            return Asks(prompt, events, to, now_ms, duration_ms)
        case Pause(until_ms):
            return Paused(until_ms, now_ms)
    payload: Mapping[str, Json] = {}
    if isinstance(returned, Emission):
        returned, payload = returned.event, {} if returned.payload is NOTHING else returned.payload
    return Emitted(returned, payload, now_ms, duration_ms, emits)
