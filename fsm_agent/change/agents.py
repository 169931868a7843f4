"""What a change does to agents that live, told from the state that they are in and the schema of their data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fsm_agent.change.quotations import quoted
from fsm_agent.change.state_matches import Renames
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.migration.compatibility import Gaps, fit_fields, fit_state
from fsm_agent.engine.migration.migration_path import Route, Stranding
from fsm_agent.engine.migration.plan import MigrationVerdict
from fsm_agent.engine.program import Program


class Outlook(NamedTuple):
    """What becomes of agents in one state of the old version when they are moved."""

    #: as the old version calls it
    state: str
    verdict: MigrationVerdict
    reason: str
    #: where they go on
    to_state: str | None = None
    #: what else is different for them
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        return {
            "state": self.state,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "to_state": self.to_state,
            "notes": list(self.notes),
        }


def outlooks(old: Workflow, new: Workflow, names: Renames) -> Iterator[Outlook]:
    """One for each state in which agents of the old version may be; ``names`` is what was recognised as renamed."""
    if old.hash == new.hash or old.name != new.name:
        return
    route = Route(Program(new), new.migrations).since(old.version)
    for leaf in old.leaves:
        if not leaf.final:
            yield _outlook(route, old, new, leaf, names)


def _outlook(route: Route, old: Workflow, new: Workflow, leaf: State, names: Renames) -> Outlook:
    if old.version > new.version:
        reason = f"version {old.version} is newer than {new.version}"
        return Outlook(leaf.path, MigrationVerdict.UNAFFECTED, reason)
    gaps = Gaps()
    try:
        place = fit_state(new, old, leaf.path, route.destination(leaf.path), gaps)
        doubts = fit_fields(route, old, gaps)
    except Stranding as error:
        return Outlook(leaf.path, MigrationVerdict.STRANDED, str(error))
    if place is None or gaps.reasons:
        if leaf.path in gaps.states and leaf.path in names:
            gaps.states[leaf.path] = names[leaf.path]
        reason = f"{'; '.join(gaps.reasons)}: {gaps.advice(route, old.version)}"
        return Outlook(leaf.path, MigrationVerdict.NEEDS_MAPPING, reason)
    reason = "as `migrations` says" if route.migrations else "its state and its data fit"
    return Outlook(leaf.path, MigrationVerdict.MOVES, reason, place.path, (*_notes(leaf, place), *doubts))


def _notes(old: State, new: State) -> Iterator[str]:
    if new.do is not None and (old.do, dict(old.with_)) != (new.do, dict(new.with_)):
        yield f"if it is at work it is parked, since {quoted(new.path)} does something else now"
    if old.do is not None and new.do is None:
        yield f"its action ends, since {quoted(new.path)} does nothing now"
    if old.ask != new.ask and new.ask is not None:
        yield "its question is put anew"
    lengths = {timer.duration.ms for timer in old.after}
    for timer in new.after:
        if timer.duration.ms not in lengths:
            yield f"timer {quoted(str(timer.duration))} runs from the move on"
