"""Whatever happens to an agent, its history tells again what the store said at every version; and tells when it was
tampered with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import assume, given
from hypothesis import event as note
from hypothesis import strategies as st

from fsm_agent.domain.agent_view import agent_view
from fsm_agent.domain.step import Delta, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.replay.history import Past
from fsm_agent.engine.replay.verify import verify
from fsm_agent.runtime.replay import load_past
from tests.support.hypothesis_settings import example_settings

from .agent_recorder import AgentRecorder, view_of
from .random_workflows import OPERATIONS, OUTCOMES, documents

REWINDS_AND_FORKS = st.tuples(st.sampled_from(["rewind", "rewind", "fork"]), st.integers(0, 30))
OPERATION_LISTS = st.lists(st.one_of(OPERATIONS, OPERATIONS, OPERATIONS, REWINDS_AND_FORKS), min_size=4, max_size=20)
SCRIPTS = st.lists(OUTCOMES, min_size=1, max_size=6)


async def _run_and_compare(document: Any, script: Any, operations: Any, url: str) -> list[Past]:
    """Run operations and compare every version with what was recorded; returns the histories of all agents."""
    recorder = AgentRecorder(document, script, url)
    async with recorder.runner as runner:
        await recorder.run(operations)
        pasts = [await load_past(runner.store, agent_id) for agent_id in recorder.ids]
    for agent_id, past in zip(recorder.ids, pasts, strict=True):
        for version in range(past.first, past.last + 1):
            if (agent_id, version) in recorder.seen:
                then = past.at(version)
                told = agent_view(then.program.workflow, then.head, then.folded.values)
                assert view_of(told, then.head) == recorder.seen[agent_id, version]
        assert list(verify(past).mismatches) == []
        for kind in {step.kind for step in past.steps}:
            note(str(kind))
    return pasts


@example_settings(60)
@given(documents(), SCRIPTS, OPERATION_LISTS)
def test_every_version_is_told_again_in_memory(document: Any, script: Any, operations: Any) -> None:
    asyncio.run(_run_and_compare(document, script, operations, "memory://"))


@example_settings(25)
@given(documents(), SCRIPTS, OPERATION_LISTS)
def test_and_in_a_file(document: Any, script: Any, operations: Any) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_run_and_compare(document, script, operations, f"sqlite:///{folder}/agents.db"))


def _last_rewind(steps: Sequence[Step]) -> int:
    """From where on nothing is overwritten as a whole, so that whatever is changed must show."""
    return max((index for index, step in enumerate(steps) if step.kind is StepKind.REWOUND), default=0)


def _append_item(step: Step, past: Past) -> Step | None:
    """One more note, unless all notes are written anew later."""
    if any("notes" in later.delta.set for later in past.steps if later.version > step.version):
        return None
    if "notes" in step.delta.set:
        return step._replace(delta=step.delta._replace(set={**step.delta.set, "notes": [7, 7, 7]}))
    return step._replace(delta=Delta(step.delta.set, append={"notes": [*step.delta.append.get("notes", []), 7]}))


def _change_target(step: Step, past: Past) -> Step:
    leaves = [leaf.path for leaf in past.programs[past.record.head.definition].workflow.leaves]
    return step._replace(target=next(leaf for leaf in leaves if leaf != step.target))


def _change_entered(step: Step, past: Past) -> Step | None:
    """Of a beginning that enters nothing it is said that an earlier version of the package wrote it."""
    return (
        None
        if (step.version, step.entered) == (1, 1)
        else step._replace(entered=step.entered - 1 if step.entered else 1)
    )


def _change_kind(step: Step, past: Past) -> Step:
    return step._replace(kind=StepKind.CANCELLED if step.kind is not StepKind.CANCELLED else StepKind.PARKED)


_CHANGES: dict[str, Any] = {
    "delta": _append_item,
    "target": _change_target,
    "entered": _change_entered,
    "kind": _change_kind,
}


@example_settings(100)
@given(
    documents(), SCRIPTS, OPERATION_LISTS, st.integers(0, 40), st.sampled_from(["delta", "target", "entered", "kind"])
)
def test_a_changed_row_is_noticed(document: Any, script: Any, operations: Any, number: int, part: str) -> None:
    past = asyncio.run(_run_and_compare(document, script, operations, "memory://"))[0]
    open_rows = past.steps[_last_rewind(past.steps) :]
    step = open_rows[number % len(open_rows)]
    changed = _CHANGES[part](step, past)
    assume(changed is not None)
    steps = [changed if each is step else each for each in past.steps]
    note(f"changed: {part}")
    assert verify(replace(past, steps=steps)).mismatches
