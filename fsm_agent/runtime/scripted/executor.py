"""Actions by a script instead of by their functions: the real engine runs them, and time is set, not waited for."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from fsm_agent.actions.action import THREAD, Action, Emission, describe
from fsm_agent.actions.builtin import built_in
from fsm_agent.actions.context import ActionFacts
from fsm_agent.actions.effects import Effects, Ledger
from fsm_agent.actions.registry import Actions
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.actions.worker_threads import awaited
from fsm_agent.concurrency.sync_driver import finish
from fsm_agent.domain.agent import Head
from fsm_agent.domain.json import Json
from fsm_agent.domain.signature import Signature
from fsm_agent.engine.commands import Act, Acted, Failed, Overdue, Superseded
from fsm_agent.runtime.attempt import context_of, failure_of, refuse_undeclared_writes, returned_from
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.runtime.scripted.own_task import in_own_task

#: One outcome of an action: an event, an event with its payload, an exception to raise, or a function of the context
#: that gives one of these; a real action is such a function. ``TimeoutError()`` says that the time is out, in a state
#: that declares a ``timeout``; a function that raises it fails like any other.
Outcome: TypeAlias = str | Emission | tuple[str, Mapping[str, Json]] | Exception | Callable[..., Any]
#: The outcomes of one action in order, or a function for every call.
Script: TypeAlias = Iterable[Outcome] | Callable[..., Any]


#: Built-in actions that do what they do without a script: nothing of it is outside.
REAL: Final = frozenset({"human.ask", "wait"})


class ScriptEnded(AssertionError):
    """An action was called more often than its script says."""


class ScriptedActions(Actions):
    """What is known of actions that are functions; of the others their scripts tell nothing but that they are there."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        super().__init__()
        self._described = {name: describe(script) for name, script in scripts.items() if callable(script)}
        self._scripted = frozenset(scripts)

    def find(self, do: str) -> Action:
        return self._described[do] if do in self._described else super().find(do)

    def signature(self, do: str) -> Signature | None:
        return self._described[do].signature if do in self._described else Signature() if do in self._scripted else None


class ScriptedExecutor:
    """Answers for actions from a script; to wait is to set the clock."""

    def __init__(self, scripts: Mapping[str, Script], clock: FakeClock, ledger: Ledger) -> None:
        self._scripts = {name: script if callable(script) else iter(script) for name, script in scripts.items()}
        self._clock = clock
        self._ledger = ledger

    async def act(self, command: Act) -> Acted:
        effects = Effects(self._ledger, command.head, wait=finish, thread=_at_once)
        outcome, emits = self._next(command.do, command.head.state), None
        if callable(outcome):
            signature = describe(outcome).signature
            emits = signature.emits
            try:
                outcome = await _called(outcome, command, effects)
                refuse_undeclared_writes(command.do, signature, command.data)
            except BaseException as error:
                if _is_the_test_s(error):
                    raise
                told = _told(command.do, error)
                return await effects.judged(failure_of(command, told, self._clock.ms, 0, function=outcome))
            finally:
                effects.close()
        return await effects.judged(self._acted(command, outcome, emits))

    def _acted(self, command: Act, outcome: Any, emits: frozenset[str] | None) -> Acted:
        if isinstance(outcome, TimeoutError) and command.timeout_ms is not None:
            return self._out_of_time(command, command.timeout_ms)
        if isinstance(outcome, Exception):
            return self._failure(command, outcome)
        if type(outcome) is tuple:  # what `ctx.emit` and `ctx.ask` make are tuples with names
            event, payload = outcome
            outcome = Emission(event, dict(payload))
        return returned_from(outcome, emits, self._clock.ms, 0)

    def _out_of_time(self, command: Act, timeout_ms: int) -> Failed | Overdue:
        """The action works until its time is out, or until a timer takes the agent out of its work."""
        if command.until_ms is not None and command.until_ms - command.now_ms <= timeout_ms:
            self._clock.ms = max(self._clock.ms, command.until_ms)
            return Overdue(self._clock.ms)
        self._clock.ms += timeout_ms
        error = TimeoutError(f"action {command.do!r} took longer than {timeout_ms} ms")
        return self._failure(command, error, timeout_ms, is_timeout=True)

    def _failure(self, command: Act, error: Exception, duration_ms: int = 0, *, is_timeout: bool = False) -> Failed:
        return failure_of(command, error, self._clock.ms, duration_ms, is_timeout=is_timeout)

    def _next(self, do: str, state: str) -> Any:
        script = self._scripts.get(do)
        if script is None and do in REAL and (known := built_in(do)) is not None:
            return known.function
        if script is None:
            raise ScriptEnded(f"state {state!r} calls action {do!r}, for which there is no script")
        if callable(script):
            return script
        try:
            return next(script)
        except StopIteration:
            raise ScriptEnded(f"the script of action {do!r} has ended, and {state!r} calls it again") from None

    async def sleep(self, head: Head, until_ms: int) -> int:  # noqa: ARG002 - the interface of executors
        self._clock.ms = max(self._clock.ms, until_ms)
        return self._clock.ms

    def interrupt(self, agent_id: str, epoch: int) -> None:
        """Nothing runs in the background here."""

    async def settled(self, agent_id: str) -> None:
        """Nothing runs in the background here."""

    def drain(self) -> None:
        """Nothing runs in the background here."""

    async def close(self) -> None:
        """Nothing runs in the background here."""


async def _called(function: Callable[..., Any], command: Act, effects: Effects) -> Any:
    """What a function of the context gives; it may be a coroutine. An action gets all that ``with`` gives it, any other
    function what it takes of that."""
    known = describe(function)
    accepts = None if hasattr(function, "action") else known.signature.accepts
    taken = {name: value for name, value in command.arguments.items() if accepts is None or name in accepts}
    context: ActionFacts = context_of(command, known.mode, effects, Surroundings())
    returned = function(context, **taken)
    return await (awaited(returned) if known.mode is THREAD else in_own_task(awaited(returned), command.do))


def _is_the_test_s(error: BaseException) -> bool:
    """Whether it ends the test, and is nothing that an action has failed of: an assertion, what pytest raises to fail
    or to skip, and Ctrl-C."""
    is_pytest_s = type(error).__module__.startswith("_pytest.")
    return is_pytest_s or isinstance(error, AssertionError | Superseded | KeyboardInterrupt)


def _told(do: str, error: BaseException) -> BaseException:
    """An exception of an action as a runner tells of it."""
    match error:
        case SystemExit():
            told = RuntimeError(f"action {do!r} told the process to exit with {error.code!r}")
        case CancelledError():
            told = RuntimeError("what the action awaited was cancelled")
        case GeneratorExit():
            told = RuntimeError(f"action {do!r} raised GeneratorExit")
        case _:
            return error
    told.__cause__ = error  # which knows where that was
    return told


async def _at_once(work: Callable[[], Any], _: str) -> Any:
    """In place of a thread."""
    return await awaited(work())
