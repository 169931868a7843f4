"""The page of an agent's life: its workflow, its history to move through, and what changed in each step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Step
from fsm_agent.domain.text import standing
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.render.formats import draw
from fsm_agent.render.graph import graph_of
from fsm_agent.render.overlay import overlay_from_history
from fsm_agent.report.life import Life
from fsm_agent.report.page.document import page


def life_page(life: Life) -> str:
    """The page as HTML. Raises ``RenderFailed`` where the workflow cannot be drawn."""
    name = list(life.definitions.values())[-1].name
    pictures = [draw(workflow, "svg").decode() for workflow in life.definitions.values()]
    return page(f"{name}: {life.id}", "life", _facts(life, name), pictures)


def _facts(life: Life, name: str) -> dict[str, Json]:
    """What the script knows: by definition, the ids of its states, and at which versions each part was touched."""
    facts = life.to_json()
    del facts["definitions"], facts["labels"]  # neither is shown
    return {
        **facts,
        "workflow": name,
        "standing": f"it {standing(life.steps[-1].status)} now" if life.steps else "no step is kept",
        "ids": {each: dict(graph_of(workflow).ids) for each, workflow in life.definitions.items()},
        "turns": {each: _turns(workflow, _until(life, each)) for each, workflow in life.definitions.items()},
    }


def _until(life: Life, definition: str) -> list[Step]:
    """The steps up to the last one that a definition has told."""
    ends = [number for number, told in enumerate(life.steps, 1) if told.definition == definition]
    return [told.step for told in life.steps[: ends[-1]]] if ends else []


def _turns(workflow: Workflow, steps: Sequence[Step]) -> Mapping[str, list[int]]:
    """Id of a node, cluster or edge -> the versions of the steps that took or entered it. Who is inside a compound
    state has entered that, too."""
    turns: dict[str, set[int]] = defaultdict(set)
    for identity, mark in overlay_from_history(workflow, "", steps).marks.items():
        turns[identity].update(mark.turns)
    ids = graph_of(workflow).ids
    for path, identity in ids.items():
        for outer in lineage(path)[:-1]:
            turns[ids[outer]].update(turns[identity])
    return {identity: sorted(versions) for identity, versions in turns.items()}
