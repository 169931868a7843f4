"""Tours of a workflow on the real engine: moves for ``play``, with values for which its guards hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from fsm_agent.concurrency.sync_driver import finish
from fsm_agent.data.delta import Folded
from fsm_agent.domain.agent import Head
from fsm_agent.domain.json import Json
from fsm_agent.domain.leaf_transition import LeafTransition
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.replay.taken import taken_by
from fsm_agent.errors import FsmAgentError
from fsm_agent.proof.environment import Knowledge
from fsm_agent.proof.explore import Exploration
from fsm_agent.proof.model import Kind, Model
from fsm_agent.proof.prover import MOST
from fsm_agent.proof.tours import Cover, Goal, Planner, Tour, TourStep, covered, goals
from fsm_agent.runtime.scripted.moves import Cancels, Fails, Move, Says, Sent, passes_ms
from fsm_agent.runtime.scripted.play import Play
from fsm_agent.runtime.scripted.values import Chooser

#: how often a tour is tried with other values
_MOST_TRIES: Final = 24
#: how many ways to one thing are tried
_MOST_WAYS: Final = 6


class PlayedTour(NamedTuple):
    """A tour as it was played: the same moves lead the same way again."""

    moves: tuple[Move, ...]
    #: what the agent is given at its creation
    data: Mapping[str, Json]
    #: what it takes, in order
    transitions: tuple[LeafTransition, ...]

    @property
    def name(self) -> str:
        """What happens, in one word for each step."""
        return ",".join(each.event.replace(" ", "-") for each in self.transitions) or "created"


class Tours(NamedTuple):
    """Tours that together cover a workflow, as far as that is possible."""

    cover: Cover
    tours: tuple[PlayedTour, ...]
    #: what was to be covered
    goals: tuple[Goal, ...]
    #: what no tour covers -> a sentence that says why
    uncovered: Mapping[Goal, str]


def tours(
    workflow: Workflow,
    cover: Cover | str = Cover.TRANSITIONS,
    *,
    signatures: Mapping[str, Signature] | None = None,
    writes: Mapping[str, Collection[str]] | None = None,
    asking: Collection[str] = (),
    most: int = MOST,
) -> Tours:
    """Tours that cover the states, the transitions or the pairs of transitions of a workflow.

    ``signatures``, ``writes`` and ``asking`` say what is known of actions, as for a proof. ``most`` bounds how many
    states are looked at. Raises ``ValueError`` for another ``cover``.
    """
    known = Knowledge(signatures or {}, writes or {}, frozenset(asking))
    return _Search(workflow, Cover(cover), known, most).found()


class _Search:
    """Plans tours, plays them, and keeps those that cover something new."""

    def __init__(self, workflow: Workflow, cover: Cover, known: Knowledge, most: int) -> None:
        self._workflow = workflow
        self._cover = cover
        self._known = known
        self._most = most
        self._chooser = Chooser(workflow)
        self._tours: list[PlayedTour] = []

    def found(self) -> Tours:
        """First for agents that begin with the defaults of their data, then for what is left with other data."""
        first = self._exploration(has_defaults=True)
        wanted = goals(first, self._cover)
        left = self._go(first, wanted, has_defaults=True)
        other = self._exploration(has_defaults=False)
        if left:
            left = self._go(other, left, has_defaults=False)
        reasons = Reasons(other, self._most)
        return Tours(self._cover, self._needed(), wanted, {goal: reasons.why(goal) for goal in left})

    def _exploration(self, *, has_defaults: bool) -> Exploration:
        model = Model(self._workflow, self._chooser.program.machine, self._known, ())
        return Exploration(model, has_defaults=has_defaults, most=self._most)

    def _go(self, exploration: Exploration, left: Collection[Goal], *, has_defaults: bool) -> list[Goal]:
        """Play what is planned, until nothing more can be; what is left then. After a tour that came to no end follows
        a direct one; only what such a one cannot take is given up."""
        planner, is_direct = Planner(exploration, self._cover, left), False
        failures, given_up = Counter[Goal](), list[Goal]()
        while planner.left and (tour := planner.plan(is_direct=is_direct)) is not None:
            attempt = self._played(tour, has_defaults=has_defaults)
            if attempt.is_repeatable:
                self._keep(planner, attempt)
            has_failed = attempt.made < len(tour.steps) or not attempt.is_repeatable
            if has_failed and is_direct and tour.goal is not None:
                planner.avoid(tour.edges[min(attempt.made, len(tour.edges) - 1)])
                failures[tour.goal] += 1
                if failures[tour.goal] == _MOST_WAYS:
                    planner.give_up(tour.goal)
                    given_up.append(tour.goal)
            is_direct = has_failed and not is_direct
        return [*planner.left, *given_up]

    def _keep(self, planner: Planner, attempt: Attempt) -> None:
        """Keep what an attempt covers, if that is something new."""
        played = PlayedTour(tuple(attempt.moves), attempt.data, tuple(attempt.transitions))
        if planner.strike(list(self._covered(played))):
            self._tours.append(played)

    def _covered(self, tour: PlayedTour) -> Iterator[Goal]:
        return covered(tour.transitions, self._workflow.leaf(self._workflow.initial).path, self._cover)

    def _needed(self) -> tuple[PlayedTour, ...]:
        """The tours without those of which others cover all."""
        counts = Counter(goal for tour in self._tours for goal in set(self._covered(tour)))
        kept = []
        for tour in sorted(self._tours, key=lambda each: len(each.moves)):
            its = set(self._covered(tour))
            if all(counts[goal] > 1 for goal in its):
                counts.subtract(its)
            else:
                kept.append(tour)
        return tuple(tour for tour in self._tours if tour in kept)

    def _played(self, tour: Tour, *, has_defaults: bool) -> Attempt:
        """The attempt that comes farthest. Where a step has no values, those before it are made with other ones."""
        self._chooser.hints = {}
        best = Attempt(self._workflow, self._chooser, tour, has_defaults=has_defaults)
        tries = 0
        while best.lacks_values and tries < _MOST_TRIES:
            stuck = best.made
            for hints in islice(self._chooser.variants(tour.steps[stuck]), _MOST_TRIES):
                tries += 1
                self._chooser.hints = hints
                attempt = Attempt(self._workflow, self._chooser, tour, has_defaults=has_defaults)
                if attempt.made > best.made:
                    best = attempt
                    break
            if best.made == stuck:
                break
        return best


class Attempt:
    """A tour on the real engine, as far as it goes."""

    def __init__(self, workflow: Workflow, chooser: Chooser, tour: Tour, *, has_defaults: bool) -> None:
        self._workflow = workflow
        self._chooser = chooser
        self.data = chooser.initial(tour.begins, takes_hints=not has_defaults)
        self.moves: list[Move] = []
        self.transitions: list[LeafTransition] = []
        #: how many steps of the tour were made
        self.made = 0
        #: whether it ends where no values were found for the next step
        self.lacks_values = False
        try:
            life = Play(workflow, (), data=self.data, programs=chooser.programs)
        except FsmAgentError:
            return
        self._told, self._version = life.past.beginning(), 0
        self._new_transitions(life)
        for step in tour.steps:
            if not self._goes(life, step):
                return
            self.made += 1

    @property
    def is_repeatable(self) -> bool:
        """Whether the same moves, made in one go, lead the same way."""
        try:
            return self._again().transitions == self.transitions
        except FsmAgentError:
            return False

    def _again(self) -> Play:
        return Play(self._workflow, self.moves, data=self.data, programs=self._chooser.programs)

    def _goes(self, life: Play, step: TourStep) -> bool:
        """Make a move for a step; whether it leads on as it was foretold."""
        move = self._move(step, life)
        if move is None:
            return False
        try:
            life.then(move)
            found = self._new_transitions(life)
        except FsmAgentError:
            return False
        if life.made < len(life.moves) or found != ([step.transition] if step.transition else []):
            return False
        self.moves.append(move)
        self.transitions += found
        return True

    def _new_transitions(self, life: Play) -> list[LeafTransition]:
        """Those that were taken since this was asked for the last time."""
        found: list[LeafTransition] = []
        for step in finish(life.runner.store.history(life.agent_id, after=self._version)):
            found += taken_by(self._told, step)
            self._told.take(step)
            self._version = step.version
        return found

    def _move(self, step: TourStep, life: Play) -> Move | None:
        """What has to happen for a step; ``None`` if that is not known."""
        head, do = life.head, self._workflow.by_path[step.source].do
        if head.state != step.source:
            return None
        match step.kind:
            case Kind.TIMER:
                due = min((timer.due_ms for timer in head.timers if timer.label == step.event), default=None)
                return None if due is None else passes_ms(due - life.clock.ms)
            case Kind.FAILURE:
                return Fails(timeout=step.event == "timeout")
            case Kind.ACTION if do == "wait":
                return None if head.retry_ms is None else passes_ms(head.retry_ms - life.clock.ms)
            case _:
                return self._event(step, life, head)

    def _event(self, step: TourStep, life: Play, head: Head) -> Move | None:
        aggregate = Aggregate(self._chooser.program, head, Folded(dict(self._told.values)), life.clock.ms)
        choice = self._chooser.choose(step, aggregate)
        self.lacks_values = choice is None
        if choice is None:
            return None
        if step.kind is Kind.ACTION and self._workflow.by_path[step.source].do != "human.ask":
            return Says(step.event, choice.payload, choice.written)
        return Cancels(choice.by) if step.event == "cancel" else Sent(step.event, choice.payload, choice.by)


class Reasons:
    """Why something cannot be covered."""

    def __init__(self, exploration: Exploration, most: int) -> None:
        self._exploration = exploration
        self._most = most
        self._leaves: set[str] = set()
        self._taken: set[LeafTransition] = set()
        #: which transitions may follow right after which
        self._pairs: set[tuple[LeafTransition, LeafTransition]] = set()
        planner = Planner(exploration, Cover.TRANSITIONS, ())
        at = 0
        while at < len(exploration.configurations):
            self._leaves.add(exploration.configurations[at].leaf)
            for edge in exploration.out(at):
                if (name := planner.name(edge)) is not None:
                    self._taken.add(name)
                    self._pairs.update((name, each) for each in self._following(planner, edge.target))
            at += 1

    def _following(self, planner: Planner, at: int) -> Iterator[LeafTransition]:
        """What may be taken next, after timers that nobody takes."""
        queue = [at]
        for number in queue:
            for edge in self._exploration.out(number):
                if (name := planner.name(edge)) is not None:
                    yield name
                elif edge.kind is Kind.TIMER and edge.target not in queue:
                    queue.append(edge.target)

    def why(self, goal: Goal) -> str:
        """A sentence without its subject."""
        if not self._exploration.is_complete:
            return f"the search ended at its bound of {self._most} states"
        match goal:
            case str() if goal not in self._leaves:
                return "no agent comes there"
            case LeafTransition() if goal not in self._taken:
                return self._why_not_taken(goal)
            case (first, second) if goal not in self._pairs:
                whys = [self._why_not_taken(each) for each in (first, second) if each not in self._taken]
                return whys[0] if whys else "the second never follows right after the first"
        return "no way to it could be played on the real engine: no values were found, or something else happens first"

    def _why_not_taken(self, transition: LeafTransition) -> str:
        if transition.leaf not in self._leaves:
            return f"no agent comes to `{transition.leaf}`"
        if transition.event.startswith("after "):
            return "no agent is there when the time has come, or its guard never holds"
        return "its event cannot happen there, its guard never holds, or another candidate is always taken first"
