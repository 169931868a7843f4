"""What moving an agent to a newer definition would do to it, decided before anything is done. Pure.

1. An agent that has ended, or is on the definition already, is not touched.
2. Its state must be there, under its old name or the one that a migration gives it; its data, completed by defaults,
   must satisfy the newer schema in full. What a migration could still say is asked for; what no name and no default
   can mend strands the agent.
3. An action goes on only if the state does the same with the same arguments. Any other that the state has now waits,
   parked, for an operator; where the state has none any more, the agent waits for events.
4. Timers of the same state and length keep their due time; new ones run from now; the others are cleared. The
   question is asked anew. What is queued stays queued, and is decided by the newer definition.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from fsm_agent.data.delta import step_weight
from fsm_agent.domain.agent import ENDED
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Duration
from fsm_agent.domain.step import Delta, Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.text import standing
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.migration.compatibility import Gaps, fit_data, fit_state
from fsm_agent.engine.migration.migration_path import Route, Stranding
from fsm_agent.engine.migration.moved_agent import Transfer, places_of
from fsm_agent.engine.steps import require_room
from fsm_agent.errors import DataInvalid, ExpressionFailed

#: what is shown of a value or a question
_LONGEST: Final = 80


class MigrationVerdict(StrEnum):
    """What the move of an agent comes to."""

    UNAFFECTED = "unaffected"
    MOVES = "moves by itself"
    NEEDS_MAPPING = "needs a mapping"
    STRANDED = "stranded"
    #: it would move, but a living process drives it
    DRIVEN = "driven"
    MOVED = "moved"


class MigrationPlan(NamedTuple):
    """What would happen to one agent, and why; ``pending`` is the step, if it can be moved."""

    verdict: MigrationVerdict
    reason: str
    changes: tuple[str, ...] = ()
    pending: PendingStep | None = None


def plan(route: Route, old: Workflow, aggregate: Aggregate, event: Event) -> MigrationPlan:
    """What ``event``, the request to migrate, would do to an agent of the workflow ``old``."""
    if (reason := _why_unaffected(route, aggregate)) is not None:
        return MigrationPlan(MigrationVerdict.UNAFFECTED, reason)
    head, gaps = aggregate.head, Gaps()
    left = route.since(head.workflow_version)
    try:
        leaf = fit_state(left.program.workflow, old, head.state, left.destination(head.state), gaps)
        values = fit_data(left.program, old, left.carried(aggregate.folded.values), gaps)
        if leaf is None or gaps.reasons:
            reason = f"{'; '.join(gaps.reasons)}: {gaps.advice(left, head.workflow_version)}"
            return MigrationPlan(MigrationVerdict.NEEDS_MAPPING, reason)
        transfer = Transfer(
            program=left.program,
            old=old,
            before=head,
            leaf=leaf,
            values=values,
            now_ms=aggregate.now_ms,
            places={path: left.destination(path).path for path in lineage(head.state)},
            visits=_visits(left, head.visits),
        )
        return _moving(transfer, left, aggregate, event)
    except Stranding as error:
        return MigrationPlan(MigrationVerdict.STRANDED, str(error))


def _why_unaffected(route: Route, aggregate: Aggregate) -> str | None:
    head, new = aggregate.head, route.program.workflow
    if head.definition == new.hash:
        return "is on this definition already"
    if head.status in ENDED:
        return f"has ended: it {standing(head.status)}"
    if head.workflow_version > new.version:
        return f"is on version {head.workflow_version}, which is newer"
    return None


def _visits(route: Route, visits: Mapping[str, int]) -> dict[str, int]:
    """Counts go with the states; those of states that have become one are added up."""
    counted: dict[str, int] = {}
    for path, count in visits.items():
        place = route.destination(path).path
        counted[place] = counted.get(place, 0) + count
    return counted


def _moving(transfer: Transfer, route: Route, aggregate: Aggregate, event: Event) -> MigrationPlan:
    head, delta = aggregate.head, _difference(aggregate.folded.values, transfer.values)
    try:
        moved = transfer.head._replace(unfolded=head.unfolded + step_weight(delta))
        require_room(route.program, moved)
    except (ExpressionFailed, DataInvalid) as error:
        raise Stranding(f"state `{transfer.leaf.path}` cannot be entered: {error}") from None
    step = Step(
        version=moved.version,
        kind=StepKind.MIGRATED,
        event=event.name,
        payload=_facts(transfer),
        source=head.state,
        target=moved.state,
        at_ms=aggregate.now_ms,
        delta=delta,
        by=event.by,
        reason=moved.problem.message if moved.problem and moved.problem is not head.problem else None,
    )
    reason = "as `migrations` says" if route.migrations else "its state and its data fit"
    return MigrationPlan(MigrationVerdict.MOVES, reason, tuple(_changes(transfer, delta)), PendingStep(moved, step))


def _facts(transfer: Transfer) -> dict[str, Json]:
    """What the step says of the move, so that a replay can tell it again, and a rewind go back."""
    before, new = transfer.before, transfer.program.workflow
    facts: dict[str, Json] = {
        "from": before.definition,
        "to": new.hash,
        "from_version": before.workflow_version,
        "to_version": new.version,
    }
    if transfer.visits != before.visits:
        facts["visits"] = dict(transfer.visits)
    said = places_of(before.state, transfer.leaf.path)
    if renamed := {path: place for path, place in transfer.places.items() if place != said.get(path, path)}:
        facts["states"] = renamed
    return facts


def _difference(old: Mapping[str, Json], new: Mapping[str, Json]) -> Delta:
    """Fields to set and to remove. What JSON tells apart is different: true is not 1, and 1 is not 1.0."""
    changed = {name: value for name, value in new.items() if name not in old or repr(old[name]) != repr(value)}
    return Delta(set=changed, remove=tuple(name for name in old if name not in new))


def _changes(transfer: Transfer, delta: Delta) -> Iterator[str]:
    """What the step does, in words."""
    head, moved = transfer.before, transfer.head
    for name, value in delta.set.items():
        yield f"data.{name} is set to {_cut(json.dumps(value, ensure_ascii=False))}"
    for name in delta.remove:
        yield f"data.{name} is removed"
    yield from _timer_changes(transfer)
    if moved.asked is not None and not moved.asked.says_the_same(head.asked):
        yield f"the question is {_cut(moved.asked.prompt)}"
    if moved.problem is not None and moved.problem is not head.problem:
        yield f"it is parked, since {moved.problem.message}"
    elif moved.status is not head.status:
        yield f"it {standing(moved.status)} then"
    if head.queued:
        yield f"what is queued ({head.queued}) is decided by the newer definition"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _timer_changes(transfer: Transfer) -> Iterator[str]:
    kept = {(timer.state, Duration.parse(timer.label).ms): timer for timer in transfer.head.timers}
    for key, timer in kept.items():
        how = "goes on" if key in transfer.armed else "runs from now"
        yield f"timer {timer.label} of `{timer.state}` {how}"
    for key, timer in transfer.armed.items():
        if key not in kept:
            yield f"timer {timer.label} of `{timer.state}` is cleared"
