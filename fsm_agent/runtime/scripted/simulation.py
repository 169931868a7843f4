"""A walk through a workflow without any effect: what may happen next, one move after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fsm_agent.data.delta import Folded
from fsm_agent.dialect.builtin_names import HAS_CHILDREN
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.decision import Move as Decided
from fsm_agent.domain.json import Json
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.leaf_moves import LeafMove, leaf_moves
from fsm_agent.errors import FsmAgentError
from fsm_agent.proof.explore import divided
from fsm_agent.proof.model import Kind, Model
from fsm_agent.proof.tours import TourStep
from fsm_agent.runtime.scripted.moves import Cancels, Fails, Move, Says, Sent, function_name, passes_ms, written_by
from fsm_agent.runtime.scripted.play import Play
from fsm_agent.runtime.scripted.present import Present
from fsm_agent.runtime.scripted.values import Chooser


class Option(NamedTuple):
    """One thing that may happen next."""

    #: ``None`` if no values were found with which it happens
    move: Move | None
    #: what it is, where there is no move
    event: str
    #: the leaf that it leads to; the present one for what stays
    target: str
    #: CEL; of the transition
    guard: str | None = None


class Simulation:
    """A play that can be gone on with and taken back, and that knows what may happen next."""

    def __init__(
        self,
        workflow: Workflow,
        *,
        data: Mapping[str, Json] | None = None,
        user: str | None = None,
        present: Present | None = None,
        signatures: Mapping[str, Signature] | None = None,
    ) -> None:
        """Begin with a new agent, or with a copy of one. ``signatures`` say which events actions may name. Raises
        ``Refused`` for data that do not fit."""
        self._workflow = workflow
        self._data = data or {}
        self._user = user
        self._present = present
        self._chooser = Chooser(workflow)
        self._model = Model(workflow, self._chooser.program.machine, signatures or {}, ())
        self.moves: list[Move] = []
        self.life = self._played()

    def _played(self) -> Play:
        return Play(self._workflow, self.moves, data=self._data, user=self._user, present=self._present)

    def make(self, move: Move) -> None:
        """Make a move. Raises ``Refused``, and leaves the agent as it was."""
        try:
            self.life.then(move)
        except FsmAgentError:
            self.life = self._played()
            raise
        self.moves.append(move)

    def back(self) -> bool:
        """Take the last move back; whether there was one."""
        if not self.moves:
            return False
        self.moves.pop()
        self.life = self._played()
        return True

    # ----------------------------------------------------------------- what may happen

    def options(self) -> list[Option]:
        """What may happen next: what the action at work says, what others send, time."""
        head = self.life.head
        if head.status in ENDED:
            return []
        found: list[Option] = []
        if head.status is not Status.PARKED:
            found += self._of_action(head)
            found += self._of_others(head)
            found += self._of_time(head)
        return [*found, self._cancels(head)]

    def _of_action(self, head: Head) -> Iterator[Option]:
        do = self._workflow.by_path[head.state].do
        if head.status is not Status.RUNNING or do in (None, "wait", "human.ask"):
            return
        here = self._model.surroundings(head.state)
        for event in here.said:
            yield from self._events(head, Kind.ACTION, event)
        for event in here.failures:
            ways = self._ways(head.state, event)
            target = ways[0].move.target if ways else "(parked)"
            yield Option(Fails(timeout=event == "timeout"), event, target)

    def _of_others(self, head: Head) -> Iterator[Option]:
        here = self._model.surroundings(head.state)
        for event in here.sent_at_work if head.status is Status.RUNNING else here.sent:
            if event != "cancel":
                yield from self._events(head, Kind.OUTSIDE, event)

    def _events(self, head: Head, kind: Kind, event: str) -> Iterator[Option]:
        """One option for each candidate, with values with which it is the one that is taken."""
        past = self.life.past
        values = past.at(past.last).folded.values
        for way, knowns in zip(self._ways(head.state, event), self._known(head.state, kind, event), strict=True):
            move: Move | None = None
            for known in knowns:
                aggregate = Aggregate(self._chooser.program, head, Folded(dict(values)), self.life.clock.ms)
                step = TourStep(head.state, kind, event, way.name, known, {})
                move = move or self._move(step, aggregate)
            yield Option(move, event, way.move.target, way.move.transition.when)

    def _known(self, leaf: str, kind: Kind, event: str) -> Iterator[list[Mapping[str, tuple[Json, ...]]]]:
        """For each candidate, what guards must see that it is taken."""
        space = self._model.space
        left = [space.overwritten(space.beginning(has_defaults=False), list(self._workflow.data))]
        for choice in self._model.choices(leaf, kind, event):
            taken, left, _ = divided(choice.split, left)
            yield [space.known(masks) for masks in taken]

    def _move(self, step: TourStep, aggregate: Aggregate) -> Move | None:
        choice = self._chooser.choose(step, aggregate)
        if choice is None:
            return None
        if step.kind is Kind.ACTION:
            return Says(step.event, choice.payload, choice.written)
        return Sent(step.event, choice.payload, choice.by)

    def _of_time(self, head: Head) -> Iterator[Option]:
        now_ms = self.life.clock.ms
        waits_for_children = self._workflow.by_path[head.state].do == HAS_CHILDREN  # it looks at them now and then
        if head.status is Status.RUNNING and head.retry_ms is not None and head.is_paused and not waits_for_children:
            yield Option(passes_ms(head.retry_ms - now_ms), "wait", head.state)
        for timer in sorted(head.timers, key=self._chooser.program.turn):
            event = f"after {timer.label}"
            for way in self._ways(head.state, event)[:1]:
                yield Option(passes_ms(max(0, timer.due_ms - now_ms)), event, *_lead(way.move))

    def _cancels(self, head: Head) -> Option:
        ways = self._ways(head.state, "cancel")
        return Option(Cancels(), "cancel", ways[0].move.target if ways else "(cancelled)")

    def _ways(self, leaf: str, event: str) -> list[LeafMove]:
        return [each for each in leaf_moves(self._chooser.program.machine, leaf) if each.name.event == event]


def _lead(move: Decided) -> tuple[str, str | None]:
    return move.target, move.transition.when


def test_of(file: str, moves: list[Move], life: Play, data: Mapping[str, Json]) -> str:
    """A test that goes the same way, and ends where the walk has ended."""
    lines = "".join(f"            {move!r},\n" for move in moves)
    given = f"        data={dict(data)!r},\n" if data else ""
    given += f"        user={life.head.user!r},\n" if life.head.user else ""
    return f"""from fsm_agent.testing import {", ".join(sorted({"play", *written_by(moves)}))}


def {function_name(life.workflow.name)}() -> None:
    life = play(
        {file!r},
        [
{lines}        ],
{given}    )
    assert (life.state, life.status) == ({life.state!r}, {str(life.status)!r})
"""
