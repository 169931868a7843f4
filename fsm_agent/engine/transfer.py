"""An agent as it is after its move to a newer definition: status, counts, timers, question, data. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from fsm_agent.agent import ArmedTimer, Head, Problem, Status
from fsm_agent.engine.live import Live, step_weight
from fsm_agent.engine.route import Route, Stranding
from fsm_agent.errors import DataInvalid, ExpressionFailed
from fsm_agent.jsontypes import Json
from fsm_agent.machine import Scene
from fsm_agent.state import State
from fsm_agent.step import Delta
from fsm_agent.workflow import Workflow, lineage

#: why an agent is parked whose state does something else now
ACTION_CHANGED: Final = "ActionChanged"


@dataclass(frozen=True)
class Transfer:
    """One agent on its way from the workflow ``old`` to the leaf in which it goes on, with the data it has there."""

    route: Route
    old: Workflow
    live: Live
    leaf: State
    values: Mapping[str, Json]

    @property
    def version(self) -> int:
        return self.live.head.version + 1

    @cached_property
    def delta(self) -> Delta:
        """Fields to set and to remove. What JSON tells apart is different: true is not 1, and 1 is not 1.0."""
        old, new = self.live.folded.values, self.values
        changed = {name: value for name, value in new.items() if name not in old or repr(old[name]) != repr(value)}
        return Delta(set=changed, remove=tuple(name for name in old if name not in new))

    @cached_property
    def head(self) -> Head:
        """The head after the step. Raises ``Stranding`` where the newer definition fails on the data."""
        head, leaf, program = self.live.head, self.leaf, self.route.program
        scene = Scene(self.values, {}, self.visits)
        try:
            asked = program.asked(leaf, scene)
            output = program.entry_values(leaf.output, scene) if leaf.output else None
        except (ExpressionFailed, DataInvalid) as error:
            raise Stranding(f"state `{leaf.path}` cannot be entered: {error}") from None
        moved = head._replace(
            workflow_version=program.workflow.version,
            definition=program.workflow.hash,
            state=leaf.path,
            version=self.version,
            updated_ms=self.live.now_ms,
            visits=self.visits,
            timers=() if leaf.final else self.timers,
            asked=asked,
            output=output,
            unfolded=head.unfolded + step_weight(self.delta),
        )
        return _ended(moved, leaf) if leaf.final else self._working(moved)

    @cached_property
    def visits(self) -> Mapping[str, int]:
        """Counts go with the states; those of states that have become one are added up."""
        counted: dict[str, int] = {}
        for path, count in self.live.head.visits.items():
            place, _ = self.route.place(path)
            counted[place] = counted.get(place, 0) + count
        return counted

    @cached_property
    def armed(self) -> Mapping[tuple[str, int], ArmedTimer]:
        """What runs before the move, by what it is called after: new path, and length in ms."""
        return {self._named[timer.state, timer.label]: timer for timer in self.live.head.timers}

    @cached_property
    def timers(self) -> tuple[ArmedTimer, ...]:
        """Those of the newer definition. One that was declared before goes on, unless it has had its turn."""
        timers: list[ArmedTimer] = []
        had = set(self._named.values())
        for path in lineage(self.leaf.path):
            for timer in self.route.program.state(path).after:
                key = (path, timer.duration.ms)
                if key in self.armed:
                    timers.append(ArmedTimer(path, timer.duration.text, self.armed[key].due_ms))
                elif key not in had:
                    timers.append(ArmedTimer(path, timer.duration.text, self.live.now_ms + timer.duration.ms))
        return tuple(timers)

    @cached_property
    def _named(self) -> Mapping[tuple[str, str], tuple[str, int]]:
        """Every timer that the older definition declares here: old path and label -> new path and length in ms."""
        return {
            (path, timer.duration.text): (self.route.place(path)[0], timer.duration.ms)
            for path in lineage(self.live.head.state)
            for timer in self.old.by_path[path].after
        }

    def _working(self, moved: Head) -> Head:
        """The same action goes on under its activation; any other waits for an operator, under a new one."""
        before, leaf = self.old.by_path[self.live.head.state], self.leaf
        is_parked = moved.status is Status.PARKED
        if leaf.do is None:
            status = Status.PARKED if is_parked else Status.WAITING
            return moved._replace(status=status, activation=0, attempts=0, retry_ms=None)
        if _work(before) == _work(leaf):
            return moved
        keeps = is_parked and moved.problem is not None and moved.problem.type != ACTION_CHANGED
        problem = moved.problem if keeps else self._why_parked(before)
        anew = moved._replace(activation=self.version, attempts=0, retry_ms=None)
        return anew._replace(status=Status.PARKED, problem=problem)

    def _why_parked(self, before: State) -> Problem:
        leaf = self.leaf
        did = "nothing" if before.do is None else repr(before.do)
        if before.do == leaf.do:
            did = "so with other arguments"
        version, since = self.route.program.workflow.version, self.live.head.workflow_version
        message = (
            f"state {leaf.path!r} does {leaf.do!r} in version {version}, and did {did} in version {since}; "
            "`unpark --retry` begins it"
        )
        return Problem(ACTION_CHANGED, message)


def _ended(moved: Head, leaf: State) -> Head:
    """The end to which a migration says that the agent comes."""
    return moved._replace(
        status=Status(leaf.outcome), activation=0, attempts=0, retry_ms=None, problem=None, is_exempt=False
    )


def _work(state: State) -> str:
    """What a state does, and with which arguments."""
    return json.dumps([state.do, dict(state.with_)], sort_keys=True)
