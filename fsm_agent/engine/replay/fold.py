"""State = fold(history): an agent's life over again, step by step, from what each step has recorded.

A step says what kind it is, from where to where it led, how many states it entered, what it changed in the data, and
when. The definition that the agent was pinned to then says the rest: entering counts visits, arms timers, puts the
question, begins an activation, gives the output; leaving clears timers; a timer that fired is gone. Guards are not
asked again and assigns not computed again, with one exception: which of several timers with the same duration fired
is told by what their guards say.

Every rule here is the function that made the step in the first place (``aggregate``, ``restore``). What changes without
a version is not in a history and therefore not rebuilt: failed attempts and the time of the next, lease, epoch and
queue, the leave to exceed a limit, and how much a snapshot would save; nor is the event with which an agent was
parked, of which the history has name and payload in the step itself; nor whom it serves, who started it, its labels
and whether it has children. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from fsm_agent.data.delta import Folded, own
from fsm_agent.domain.agent import ArmedTimer, Head
from fsm_agent.domain.decision import Move, Taken, timer_event
from fsm_agent.domain.json import Json
from fsm_agent.domain.problem import why_parked
from fsm_agent.domain.record import Origin
from fsm_agent.domain.state import Transition
from fsm_agent.domain.step import Delta, Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import lineage
from fsm_agent.engine.action_questions import waits
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.attempt_steps import with_totals
from fsm_agent.engine.migration.moved_agent import migrated
from fsm_agent.engine.program import Program
from fsm_agent.engine.questions import rendered, with_id
from fsm_agent.engine.replay.restore import restored
from fsm_agent.engine.steps import cancel, enter, park, stay, unpark, with_progress
from fsm_agent.engine.transaction import started
from fsm_agent.errors import ExpressionFailed, FsmAgentError

#: The kinds of steps that may enter states.


class StepImpossible(FsmAgentError):
    """A step that cannot have happened as it is recorded."""


class Replay:
    """An agent as its history tells it, up to the last step that was taken.

    ``programs`` has every definition of the agent's life by its hash; ``definition`` is the one it began with.
    ``is_guessed`` says that an earlier version of the package wrote the beginning, and did not record what steps
    entered; ``is_erased`` that words are erased, so that no guard can be asked what it said.
    """

    def __init__(
        self,
        agent_id: str,
        definition: str,
        programs: Mapping[str, Program],
        *,
        origin: Origin | None = None,
        is_guessed: bool = False,
        is_erased: bool = False,
    ) -> None:
        self._programs = programs
        program = programs[definition]
        if origin is None:
            head, folded = started(program, agent_id, 0, {}).head, Folded()
        else:
            head, folded = with_id(origin.head, (), origin), Folded(own(dict(origin.values)))
        self.aggregate = Aggregate(program, head._replace(definition=definition), folded, head.updated_ms)
        self.is_guessed = is_guessed
        self.is_erased = is_erased

    @property
    def head(self) -> Head:
        return self.aggregate.head

    @property
    def values(self) -> Mapping[str, Json]:
        return self.aggregate.folded.values

    def take(self, step: Step) -> None:
        """Apply one step. Raises ``StepImpossible``, or the errors of a damaged row."""
        aggregate = self.aggregate
        aggregate.now_ms = step.at_ms
        if step.kind is StepKind.CREATED:
            aggregate.head = aggregate.head._replace(created_ms=step.at_ms)
        fired = self.fired(step)  # by guards that see the data as it was
        aggregate.folded.take(step.version, owned(step.delta))
        after = with_totals(self._after(step, fired), step)
        aggregate.program = self._programs[after.definition]
        aggregate.head = with_progress(aggregate.program, after, self.values)

    def _after(self, step: Step, fired: ArmedTimer | None) -> Head:  # noqa: PLR0911 - a branch a kind
        """The head after a step; the data are so already."""
        aggregate, event = self.aggregate, Event(step.event, step.payload, step.by)
        match step.kind:
            case StepKind.CREATED | StepKind.EVENT:
                return self._moved(step, event, fired)
            case StepKind.UNPARKED:
                return (
                    self._moved(step, event, fired)
                    if self.entered(step)
                    else unpark(aggregate, event, exempt=False).head
                )
            case StepKind.REFUSED | StepKind.ERASED:
                return stay(aggregate, fired, unfolded=0)
            case StepKind.PARKED:
                return park(aggregate, event, why_parked(step)).head
            case StepKind.CANCELLED:
                return cancel(aggregate, event).head
            case StepKind.ASKED:
                return waits(aggregate.head, step)
            case StepKind.REWOUND:
                return restored(self._programs[step.payload["definition"]], aggregate.head, step, self.values)
            case StepKind.FORKED:
                return restored(aggregate.program, aggregate.head._replace(created_ms=step.at_ms), step, self.values)
            case StepKind.MIGRATED:
                return migrated(self._programs[step.payload["to"]], aggregate, step)
            case _:
                assert_never(step.kind)

    def _moved(self, step: Step, event: Event, fired: ArmedTimer | None) -> Head:
        entered = self.entered(step)
        if not entered:
            stayed = stay(self.aggregate, fired, unfolded=0, is_done=step.duration_ms is not None)
            return rendered(self.aggregate.program, stayed, self.values) if step.asks_anew else stayed
        new, old = lineage(step.target), lineage(step.source) if step.source else ()
        shared = len(new) - entered
        move = Move(Transition(step.target), step.target, tuple(reversed(old[shared:])), new[shared:])
        return enter(self.aggregate, move, event, self.values, fired=fired, unfolded=0)

    def entered(self, step: Step) -> int:
        """How many states a step entered. Where it is not recorded, it is that of the first transition with this
        target."""
        if not self.is_guessed or step.entered or not step.kind.facts.follows_transition:
            return step.entered
        if step.source is None:
            return len(lineage(step.target))
        moves = self.aggregate.program.machine.moves(step.source, step.event)
        likely = [len(move.entered) for move in moves if move.target == step.target]
        return likely[0] if likely else int(step.source != step.target)

    def fired(self, step: Step) -> ArmedTimer | None:
        """The timer that made a step: the first of the due timers that leads to the same result."""
        if step.event != "after" or step.kind not in (StepKind.EVENT, StepKind.REFUSED):
            return None
        label = step.payload["after"]
        due = [timer for timer in self.head.timers if timer.label == label and timer.due_ms <= step.at_ms]
        for timer in sorted(due, key=self.aggregate.program.turn):
            if self._would_do(timer, step):
                return timer
        raise StepImpossible(f"no timer {label!r} was due that would have led from {step.source!r} to {step.target!r}")

    def _would_do(self, timer: ArmedTimer, step: Step) -> bool:
        if self.is_erased:
            return step.kind is StepKind.REFUSED or self._may_do(timer, step)
        try:
            decision = self.aggregate.program.decide_timer(
                self.head.state, timer, self.aggregate.context(Event("after", step.payload))
            )
        except ExpressionFailed:
            return False
        if not isinstance(decision, Taken):
            return step.kind is StepKind.REFUSED
        move = decision.move
        is_told = self.is_guessed or step.entered == len(move.entered)
        return step.kind is StepKind.EVENT and move.target == step.target and is_told

    def _may_do(self, timer: ArmedTimer, step: Step) -> bool:
        """Whether the table has this way for a timer, whatever its guards say."""
        moves = self.aggregate.program.machine.moves(self.head.state, timer_event(timer.state, timer.label))
        return any((move.target, len(move.entered)) == (step.target, step.entered) for move in moves)


def owned(delta: Delta) -> Delta:
    """A copy, since what is appended later goes into the very lists that were set before."""
    return Delta(own(dict(delta.set)), delta.remove, own(dict(delta.append)))
