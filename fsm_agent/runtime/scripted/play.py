"""One life of an agent, move by move, on the real engine: whatever a person, an action or time may do, in any order.

    life = play("book_flight.yaml", [
        sent("new_task", goal="x"),
        says("step_complete", data={"origin": "SFO"}),
        passes("3d"),
    ])
    assert life.state == "cancelled"

Unlike ``testing.drive`` it can send while an action works. Time stands still but for ``passes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fsm_agent.actions.action import Emission
from fsm_agent.concurrency.sync_driver import finish
from fsm_agent.domain.agent import Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.property import Property
from fsm_agent.domain.state import Duration
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.commands import Act, Acted, Failed, Overdue, Superseded
from fsm_agent.engine.program import Program
from fsm_agent.engine.retries import is_covered
from fsm_agent.errors import MoveImpossible
from fsm_agent.loading.yaml_file import load
from fsm_agent.runtime.attempt import returned_from
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.scripted.agent import ScriptedAgent
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.runtime.scripted.executor import REAL, ScriptedActions, ScriptedExecutor
from fsm_agent.runtime.scripted.moves import Cancels, Fails, Move, Passes, Says, Sent, Unparks
from fsm_agent.runtime.scripted.present import Present
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store


def play(
    workflow: Workflow | str | Path,
    moves: Iterable[Move] = (),
    *,
    data: Mapping[str, Json] | None = None,
    user: str | None = None,
) -> Play:
    """Create an agent and make the moves. Raises ``MoveImpossible`` where an action is to say something and none
    works, and ``Refused`` for an event that is refused."""
    declared = workflow if isinstance(workflow, Workflow) else load(workflow)
    return Play(declared, moves, data=data or {}, user=user)


class Play(ScriptedAgent):
    """One agent and what has become of it. ``then`` makes more moves."""

    def __init__(
        self,
        workflow: Workflow,
        moves: Iterable[Move],
        *,
        data: Mapping[str, Json],
        user: str | None = None,
        present: Present | None = None,
        programs: dict[str, Program] | None = None,
    ) -> None:
        """``present`` is an agent of which a copy goes on, instead of a new one; plays may share ``programs``."""
        clock = FakeClock() if present is None else FakeClock(present.now_ms)
        store = open_store("memory://", clock=clock)
        actions = ScriptedActions({leaf.do: () for leaf in workflow.leaves if leaf.do and leaf.do not in REAL})
        executor = _PlayExecutor(self, clock, store)
        agent_id = "play" if present is None else finish(present.put(store))
        super().__init__(workflow, clock, Runner(store, actions=actions, executor=executor), agent_id, programs)
        self.initial_data = data
        self.moves = list(moves)
        #: as they were given; ``moves`` has what is left of time that has passed in part
        self.given = list(self.moves)
        #: how many of them are made
        self.made = 0
        try:
            if present is None:
                finish(self.runner.start(workflow, data=data, user=user, id=self.agent_id))
        except _OutOfMoves:
            return
        self._go_on()

    def then(self, *moves: Move) -> Play:
        """Make more moves."""
        self.moves += moves
        self.given += moves
        self._go_on()
        return self

    def goes_round(self, moves: Sequence[Move], name: str | Property) -> bool:
        """Make the moves twice: whether an agent may go on so for ever, while what the property wants is still to come.
        It may not if a timer, the end of an action or a limit would end that. Raises ``KeyError``, and whatever
        ``then`` raises."""
        from fsm_agent.runtime.scripted.rounds import is_endless

        return is_endless(self, moves, self.property_of(name).rule)

    def next_move(self) -> Move:
        """The move that comes next. Raises ``_OutOfMoves``."""
        if self.made == len(self.moves):
            raise _OutOfMoves
        return self.moves[self.made]

    def _go_on(self) -> None:
        try:
            while self.made < len(self.moves):
                head = self.head
                if head.status is Status.RUNNING and not head.is_paused:
                    self._resume_work()
                else:
                    self._make(self.next_move())
        except _OutOfMoves:
            return

    def _resume_work(self) -> None:
        """Begin an attempt again that the last moves have left open. Its lease would keep it from that."""
        head = self.head
        if head.lease is not None:
            finish(self.runner.store.release(self.agent_id, head.epoch))
        finish(self.runner.resume(self.agent_id))

    def _make(self, move: Move) -> None:
        """A move while no action works."""
        match move:
            case Says() | Fails():
                agent = self.agent
                raise MoveImpossible(self.made + 1, repr(move), agent.state, str(agent.status))
            case Passes(duration):
                self.made += 1
                self.let_pass(duration.ms)
            case _:
                self.made += 1
                finish(self.deliver(move))

    async def deliver(self, move: Sent | Cancels | Unparks) -> None:
        """Deliver what somebody sends; whoever drives the agent goes on with it."""
        match move:
            case Sent(event, payload, by):
                await self.runner.send(self.agent_id, event, payload, by=by, drive=False)
            case Cancels(by):
                await self.runner.cancel(self.agent_id, by=by, drive=False)
            case Unparks(by):
                await self.runner.unpark(self.agent_id, by=by, drive=False)


class _OutOfMoves(BaseException):
    """The moves have ended while an action works."""


class _PlayExecutor(ScriptedExecutor):
    """Has the moves of a play answer for its actions."""

    def __init__(self, life: Play, clock: FakeClock, store: Store) -> None:
        super().__init__({}, clock, store)
        self._life = life
        #: the last epoch under which work was stopped
        self._stopped_epoch = -1

    def interrupt(self, agent_id: str, epoch: int) -> None:  # noqa: ARG002 - a play has one agent
        self._stopped_epoch = epoch

    async def act(self, command: Act) -> Acted:
        if command.do in REAL:
            return await super().act(command)
        while True:
            reply = await self._made(command, self._life.next_move())
            if self._stopped_epoch > command.head.epoch:
                raise Superseded
            if reply is not None:
                return reply

    async def _made(self, command: Act, move: Move) -> Acted | None:
        """What the action says by a move; ``None`` if the move is somebody else's."""
        match move:
            case Says(event, payload, data):
                self._life.made += 1
                for name, value in data.items():
                    command.data[name] = value
                return returned_from(Emission(event, dict(payload)), None, self._clock.ms, 0)
            case Fails(timeout):
                return self._failed(command, is_timeout=timeout)
            case Passes(duration):
                return self._passed(command, duration)
            case _:
                self._life.made += 1
                await self._life.deliver(move)
                return None

    def _failed(self, command: Act, *, is_timeout: bool) -> Acted:
        if is_timeout and command.timeout_ms is not None:
            failure = self._out_of_time(command, command.timeout_ms)
            if isinstance(failure, Overdue):
                return failure
        else:
            failure = self._failure(command, RuntimeError("as the play says"))
        retry = self._life.workflow.by_path[command.head.state].retry
        is_tried_again = retry and command.attempt < retry.attempts and is_covered(retry, failure)
        self._life.made += not is_tried_again
        return failure

    def _passed(self, command: Act, duration: Duration) -> Acted | None:
        """Time passes while the action works: up to its timeout, or to the timer that ends its work."""
        end_ms = self._clock.ms + duration.ms
        timeout_ms = None if command.timeout_ms is None else command.now_ms + command.timeout_ms
        bounds = [ms for ms in (timeout_ms, command.until_ms) if ms is not None and ms <= end_ms]
        if not bounds:
            self._life.made += 1
            self._clock.ms = end_ms
            return None
        self._clock.ms = max(self._clock.ms, min(bounds))
        self._life.moves[self._life.made] = _passes_ms(end_ms - self._clock.ms)
        if self._clock.ms == command.until_ms:
            return Overdue(self._clock.ms)
        error = TimeoutError(f"action {command.do!r} took longer than {command.timeout_ms} ms")
        return self._failure(command, error, command.timeout_ms or 0, is_timeout=True)

    def _failure(self, command: Act, error: Exception, duration_ms: int = 0, *, is_timeout: bool = False) -> Failed:  # noqa: ARG002 - as it is called
        """Nothing of it is logged: it is what the play says."""
        types = tuple(kind.__name__ for kind in type(error).__mro__ if kind not in (object, BaseException))
        return Failed(types, str(error), self._clock.ms, duration_ms, is_timeout=is_timeout)


def _passes_ms(ms: int) -> Passes:
    return Passes(Duration(f"{ms}ms", ms))
