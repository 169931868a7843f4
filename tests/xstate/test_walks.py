"""XState itself takes the same way through an exported machine as the engine does through its workflow."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.machine import Machine
from fsm_agent.loading.yaml_file import load
from fsm_agent.xstate.exporter import export
from fsm_agent.xstate.importer import imported
from tests.support.hypothesis_settings import IS_LONG

from .node import in_xstate
from .random_workflows import Happening, random_walk, random_workflow, walked

GALLERY = sorted((Path(__file__).parents[2] / "workflows").glob("*.yaml"))
WALKS = 20
SEEDS = range(8_000 if IS_LONG else 200)


def task(workflow: Workflow, walks: list[list[Happening]]) -> dict[str, Any]:
    return {
        "machine": export(workflow).machine,
        "walks": [[{"type": _type(workflow, each), "guards": each.holds} for each in walk] for walk in walks],
    }


def _type(workflow: Workflow, each: Happening) -> str:
    """What XState calls the event of a delay."""
    if each.timer is None:
        return each.event
    path, ms = each.timer
    return f"xstate.after.{ms}.{workflow.name}.{path}"


def tried(workflows: list[Workflow], seed: int) -> int:
    """The number of walks, all of which are alike."""
    random = Random(seed)  # noqa: S311 - nothing secret
    machines = [Machine(workflow) for workflow in workflows]
    walks = [
        [random_walk(workflow, machine, random) for _ in range(WALKS)]
        for workflow, machine in zip(workflows, machines, strict=True)
    ]
    theirs = in_xstate([task(workflow, each) for workflow, each in zip(workflows, walks, strict=True)])
    for workflow, machine, ours, found in zip(workflows, machines, walks, theirs, strict=True):
        for walk, there in zip(ours, found, strict=True):
            here = walked(workflow, machine, walk)
            assert here == there, f"{workflow.to_json()}\n{walk}"
    return len(workflows) * WALKS


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_xstate_goes_the_same_way_through_the_gallery(path: Path) -> None:
    assert tried([load(path)], 1) == WALKS


@pytest.mark.parametrize("chunk", range(4))
def test_xstate_goes_the_same_way_through_random_workflows(chunk: int) -> None:
    workflows = [random_workflow(Random(seed)) for seed in SEEDS[chunk::4]]  # noqa: S311
    assert tried(workflows, chunk) == len(SEEDS) // 4 * WALKS
    assert any(export(workflow).flattened for workflow in workflows), "some are too large for one handler of a parent"
    assert any(not export(workflow).flattened for workflow in workflows)


@pytest.mark.parametrize("seed", range(20))
def test_a_workflow_that_comes_back_goes_the_same_way(seed: int) -> None:
    workflow = random_workflow(Random(seed))  # noqa: S311
    _comes_back(workflow, seed)


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_a_workflow_of_the_gallery_that_comes_back_goes_the_same_way(path: Path) -> None:
    _comes_back(load(path), 1)


def _comes_back(workflow: Workflow, seed: int) -> None:
    random = Random(seed)  # noqa: S311
    back = imported(export(workflow).machine)
    machine, again = Machine(workflow), Machine(back.workflow)
    for _ in range(WALKS):
        walk = random_walk(workflow, machine, random)
        there = [_in_import(back.workflow, back.guards, each) for each in walk]
        assert walked(workflow, machine, walk) == walked(back.workflow, again, there), str(back.document)


def _in_import(workflow: Workflow, guards: Any, each: Happening) -> Happening:
    """The same, as the import calls timers and guards."""
    holds = {f"data.{guards[name]}": truth for name, truth in each.holds.items() if name in guards}
    if each.timer is None:
        return each._replace(holds=holds)
    path, ms = each.timer
    [length] = [timer.duration.text for timer in workflow.by_path[path].after if timer.duration.ms == ms]
    return Happening(f"after {length} in {path}", each.timer, holds)
