"""A whole workflow in a test: scripted actions, a virtual clock, no event loop, milliseconds.

    run = drive("book_flight.yaml", actions={"plan_trip": ["plan_ready"], "execute_step": ["needs_input"]})
    run.send("new_task", goal="x")
    run.advance(days=3)
    assert run.state == "cancelled"

It is the real engine, runner and memory store; only the hands are scripted, and time passes when it is told to.
Built-in actions have scripts like any other, by their names; ``wait`` and ``human.ask`` need none.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from fsm_agent.actions.action import THREAD, Action, Emission, describe
from fsm_agent.actions.builtin import built_in
from fsm_agent.actions.context import ActionFacts
from fsm_agent.actions.effects import Effects, Ledger
from fsm_agent.actions.registry import Actions
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.actions.worker_threads import awaited
from fsm_agent.domain.agent import ENDED, Agent, Head, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.step import Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.commands import Act, Acted, Overdue, Superseded
from fsm_agent.errors import Refused
from fsm_agent.loading.yaml_file import load
from fsm_agent.runtime.attempt import context_of, failure_of, returned_from
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.clock import FakeClock
from fsm_agent.testing.own_task import in_own_task

Result = TypeVar("Result")

#: One outcome of an action: an event, an event with its payload, an exception to raise, or a function of the context
#: that gives one of these; a real action is such a function. ``TimeoutError()`` says that the time is out, in a state
#: that declares a ``timeout``; a function that raises it fails like any other.
Outcome: TypeAlias = str | Emission | tuple[str, Mapping[str, Json]] | Exception | Callable[..., Any]
#: The outcomes of one action in order, or a function for every call.
Script: TypeAlias = Iterable[Outcome] | Callable[..., Any]


#: Built-in actions that do what they do without a script: nothing of it is outside.
_REAL: Final = frozenset({"human.ask", "wait"})


class ScriptEnded(AssertionError):
    """An action was called more often than its script says."""


def drive(
    workflow: Workflow | str | Path,
    *,
    actions: Mapping[str, Script] | None = None,
    data: Mapping[str, Json] | None = None,
    user: str | None = None,
    remembered: Mapping[str, Json] | None = None,
) -> Drive:
    """Create an agent of ``workflow`` and drive it until it waits. Raises what ``Runner.start`` raises.

    ``user`` is whom it serves, and ``remembered`` what is known of them before.
    """
    declared = workflow if isinstance(workflow, Workflow) else load(workflow)
    return Drive(declared, actions or {}, data or {}, user=user, remembered=remembered)


class Drive:
    """One agent under test. Each call drives it until it waits, ends or parks."""

    def __init__(
        self,
        workflow: Workflow,
        actions: Mapping[str, Script],
        data: Mapping[str, Json],
        *,
        user: str | None = None,
        remembered: Mapping[str, Json] | None = None,
        url: str = "memory://",
    ) -> None:
        self.workflow = workflow
        self.clock = FakeClock()
        store = open_store(url, clock=self.clock)
        self._runner = Runner(store, actions=ScriptedActions(actions), hands=ScriptedHands(actions, self.clock, store))
        if user is not None and remembered:
            _finish(store.save_user(UserRecord(user, 1, remembered, self.clock.ms)))
        self.agent: Agent = _finish(self._runner.start(workflow, data=data, user=user))

    @property
    def state(self) -> str:
        return self.agent.state

    @property
    def status(self) -> Status:
        return self.agent.status

    @property
    def data(self) -> Mapping[str, Json]:
        return self.agent.data

    @property
    def prompt(self) -> str | None:
        """What the agent asks, if it asks anything."""
        return self.agent.question.prompt if self.agent.question else None

    @property
    def remembered(self) -> Mapping[str, Json]:
        """What is known of whom it serves."""
        user = self.agent.user
        return {} if user is None else _finish(self._runner.store.user(user)).values

    @property
    def history(self) -> Sequence[Step]:
        return _finish(self._runner.history(self.agent.id))

    @property
    def head(self) -> Head:
        """All that is known of the agent but its data: version, visits, armed timers."""
        return _finish(self._runner.store.head(self.agent.id))

    @property
    def path(self) -> list[str]:
        """The states in the order in which they were entered."""
        steps = self.history
        return [step.target for step in steps if step.source != step.target or step.event == "created"]

    def send(self, event: str, *, by: str | None = None, **payload: Json) -> Drive:
        """Deliver an event; raises ``Refused``."""
        return self._follow(self._runner.send(self.agent.id, event, payload, by=by))

    def answer(self, event: str | None = None, *, by: str | None = None, **payload: Json) -> Drive:
        """Answer the question; raises ``Refused``."""
        return self._follow(self._runner.answer(self.agent.id, payload, event=event, by=by))

    def cancel(self, *, by: str | None = None) -> Drive:
        return self._follow(self._runner.cancel(self.agent.id, by=by))

    def unpark(self, event: str | None = None, *, by: str | None = None, **payload: Json) -> Drive:
        return self._follow(self._runner.unpark(self.agent.id, event=event, payload=payload, by=by))

    def _follow(self, work: Coroutine[Any, Any, Agent]) -> Drive:
        """What is refused may still have let due timers fire."""
        try:
            self.agent = _finish(work)
        except Refused:
            self.agent = _finish(self._runner.get(self.agent.id))
            raise
        return self

    def advance(self, **units: float) -> Drive:
        """Let time pass (``days``, ``hours``, ``minutes``, ``seconds``), with everything that falls due in it."""
        end_ms = self.clock.ms + FakeClock(0).advance(**units)
        while (due_ms := self._next_due_ms()) is not None and due_ms <= end_ms:
            self.clock.ms = max(self.clock.ms, due_ms)
            self.agent = _finish(self._runner.resume(self.agent.id))
        self.clock.ms = max(self.clock.ms, end_ms)
        return self

    def _next_due_ms(self) -> int | None:
        return None if self.status in ENDED else self.head.wake_ms


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


class ScriptedHands:
    """Hands that read from a script, and for which waiting is setting the clock."""

    def __init__(self, scripts: Mapping[str, Script], clock: FakeClock, ledger: Ledger) -> None:
        self._scripts = {name: script if callable(script) else iter(script) for name, script in scripts.items()}
        self._clock = clock
        self._ledger = ledger

    async def act(self, command: Act) -> Acted:
        effects = Effects(self._ledger, command.head, wait=_finish, thread=_at_once)
        outcome, emits = self._next(command.do, command.head.state), None
        if callable(outcome):
            emits = describe(outcome).signature.emits
            try:
                outcome = await _called(outcome, command, effects)
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
            return failure_of(command, outcome, self._clock.ms, 0)
        if type(outcome) is tuple:  # what `ctx.emit` and `ctx.ask` make are tuples with names
            event, payload = outcome
            outcome = Emission(event, dict(payload))
        return returned_from(outcome, emits, self._clock.ms, 0)

    def _out_of_time(self, command: Act, timeout_ms: int) -> Acted:
        """The action works until its time is out, or until a timer takes the agent out of its work."""
        if command.until_ms is not None and command.until_ms - command.now_ms <= timeout_ms:
            self._clock.ms = max(self._clock.ms, command.until_ms)
            return Overdue(self._clock.ms)
        self._clock.ms += timeout_ms
        error = TimeoutError(f"action {command.do!r} took longer than {timeout_ms} ms")
        return failure_of(command, error, self._clock.ms, timeout_ms, is_timeout=True)

    def _next(self, do: str, state: str) -> Any:
        script = self._scripts.get(do)
        if script is None and do in _REAL and (known := built_in(do)) is not None:
            return known.function
        if script is None:
            raise ScriptEnded(f"state {state!r} calls action {do!r}, for which there is no script")
        if callable(script):
            return script
        try:
            return next(script)
        except StopIteration:
            raise ScriptEnded(f"the script of action {do!r} has ended, and {state!r} calls it again") from None

    async def sleep(self, head: Head, until_ms: int) -> int:  # noqa: ARG002 - the interface of hands
        self._clock.ms = max(self._clock.ms, until_ms)
        return self._clock.ms

    def interrupt(self, agent_id: str, epoch: int) -> None:
        """Nothing runs in the background here."""

    async def settled(self, agent_id: str) -> None:
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


def _finish(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that waits for nothing but its turn; the memory store and scripted hands never do."""
    while True:
        try:
            work.send(None)
        except StopIteration as stop:
            result: Result = stop.value
            return result
