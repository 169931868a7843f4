"""An agent as it is after its move to a newer definition: status, counts, timers, question. Pure.

The move that is planned and the one that a history tells are the same, so both are worked out here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from fsm_agent.domain.agent import ArmedTimer, Head, Status
from fsm_agent.domain.decision import EvaluationContext
from fsm_agent.domain.json import Json
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.question import Asked
from fsm_agent.domain.state import State
from fsm_agent.domain.step import Step
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.program import Program

#: why an agent is parked whose state does something else now
ACTION_CHANGED: Final = "ActionChanged"


@dataclass(frozen=True)
class Transfer:
    """One agent on its way from the workflow ``old`` to the leaf of ``program`` in which it goes on."""

    program: Program
    old: Workflow
    before: Head
    leaf: State
    #: as they are after the move
    values: Mapping[str, Json]
    now_ms: int
    #: path of its state, or of one round it -> what that is called now; what is not mentioned is called as before
    places: Mapping[str, str]
    visits: Mapping[str, int]
    #: the words that are on record for why it was parked
    reason: str | None = None

    @cached_property
    def head(self) -> Head:
        """The head after the step. Raises ``ExpressionFailed`` and ``DataInvalid`` where the definition fails on the
        data."""
        leaf, workflow, context = self.leaf, self.program.workflow, EvaluationContext(self.values, None, self.visits)
        moved = self.before._replace(
            workflow_version=workflow.version,
            definition=workflow.hash,
            state=leaf.path,
            version=self.before.version + 1,
            updated_ms=self.now_ms,
            visits=self.visits,
            timers=() if leaf.final else self.timers,
            asked=self._asked(context),
            progress=self.program.progress(self.values, self.visits),
            output=self.program.entry_values(leaf.output, context) if leaf.output else None,
        )
        return _ended(moved, leaf) if leaf.final else self._working(moved)

    def _asked(self, context: EvaluationContext) -> Asked | None:
        """What an action has asked stays asked, and what the state asks is put anew. Either is another question now:
        the newer definition says which answers it takes."""
        asked, version = self.before.asked, self.before.version + 1
        if asked and asked.events and not self.leaf.final:
            return asked._replace(id=version)
        return self.program.asked(self.leaf, context, version)

    @cached_property
    def armed(self) -> Mapping[tuple[str, int], ArmedTimer]:
        """What runs before the move, by what it is called after: new path, and length in ms."""
        return {self._named[timer.state, timer.label]: timer for timer in self.before.timers}

    @cached_property
    def timers(self) -> tuple[ArmedTimer, ...]:
        """The timers of the newer definition. One that was declared before goes on, unless it has had its turn."""
        timers: list[ArmedTimer] = []
        had = set(self._named.values())
        for path in lineage(self.leaf.path):
            for timer in self.program.state(path).after:
                key = (path, timer.duration.ms)
                if key in self.armed:
                    timers.append(ArmedTimer(path, timer.duration.text, self.armed[key].due_ms))
                elif key not in had:
                    timers.append(ArmedTimer(path, timer.duration.text, self.now_ms + timer.duration.ms))
        return tuple(timers)

    @cached_property
    def _named(self) -> Mapping[tuple[str, str], tuple[str, int]]:
        """Every timer that the older definition declares here: old path and label -> new path and length in ms."""
        return {
            (path, timer.duration.text): (self.places.get(path, path), timer.duration.ms)
            for path in lineage(self.before.state)
            for timer in self.old.by_path[path].after
        }

    def _working(self, moved: Head) -> Head:
        """The same action goes on under its activation; any other waits for an operator, under a new one."""
        before, leaf = self.old.by_path[self.before.state], self.leaf
        is_parked = moved.status is Status.PARKED
        if leaf.do is None:
            status = Status.PARKED if is_parked else Status.WAITING
            problem = moved.problem if is_parked else None
            return moved._replace(status=status, activation=0, attempts=0, retry_ms=None, problem=problem)
        if _work(before) == _work(leaf):
            return moved
        keeps = is_parked and moved.problem is not None and moved.problem.type != ACTION_CHANGED
        problem = moved.problem if keeps else self._why_parked(before)
        anew = moved._replace(activation=moved.version, attempts=0, retry_ms=None, asked=None)
        return anew._replace(status=Status.PARKED, problem=problem)

    def _why_parked(self, before: State) -> Problem:
        if self.reason is not None:
            return Problem(ACTION_CHANGED, self.reason)
        leaf = self.leaf
        did = "nothing" if before.do is None else repr(before.do)
        if before.do == leaf.do:
            did = "so with other arguments"
        version, since = self.program.workflow.version, self.before.workflow_version
        message = (
            f"state {leaf.path!r} does {leaf.do!r} in version {version}, and did {did} in version {since}; "
            "once the agent is unparked it begins"
        )
        return Problem(ACTION_CHANGED, message)


def migrated(program: Program, aggregate: Aggregate, step: Step) -> Head:
    """The head after ``step``, which pinned the agent to ``program``; ``aggregate`` has the head before it, and the
    data as they are after it."""
    facts = step.payload
    transfer = Transfer(
        program=program,
        old=aggregate.program.workflow,
        before=aggregate.head,
        leaf=program.state(step.target),
        values=aggregate.folded.values,
        now_ms=step.at_ms,
        places=places_of(aggregate.head.state, step.target) | facts.get("states", {}),
        visits=facts.get("visits", aggregate.head.visits),
        reason=step.reason,
    )
    return transfer.head._replace(definition=facts["to"])


def places_of(source: str, target: str) -> dict[str, str]:
    """What a step that says no more tells of names: its state is called what it leads to, the states round it as
    before."""
    return {path: path for path in lineage(source)} | {source: target}


def _ended(moved: Head, leaf: State) -> Head:
    """The end to which a migration says that the agent comes."""
    return moved._replace(
        status=Status(leaf.outcome), activation=0, attempts=0, retry_ms=None, problem=None, is_exempt=False
    )


def _work(state: State) -> str:
    """What a state does, and with which arguments."""
    return json.dumps([state.do, dict(state.with_)], sort_keys=True)
