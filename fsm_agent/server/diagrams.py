"""Diagrams for the server. To lay one out takes tens of milliseconds, so each is drawn once and kept."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

from fsm_agent.domain.workflow import Workflow
from fsm_agent.render.formats import draw
from fsm_agent.render.graph import graph_of
from fsm_agent.render.overlay import overlay_from_history
from fsm_agent.runtime.agent_reads import workflow_of
from fsm_agent.runtime.replay import agent_at
from fsm_agent.runtime.runner import Runner

#: format -> media type
MEDIA: Final[Mapping[str, str]] = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "dot": "text/vnd.graphviz",
    "mermaid": "text/vnd.mermaid",
}
_MOST_KEPT: Final = 200
_STYLE: Final = re.compile(r"<style>(.*?)</style>\n?", re.DOTALL)
_SIZE: Final = re.compile(r'(?<=<svg) width="([0-9.]+)pt" height="([0-9.]+)pt"')


class Drawing(NamedTuple):
    """A diagram as a part of a page: its style is the page's, since a policy forbids it one of its own."""

    svg: str
    style: str
    #: path of a state -> id of its element
    ids: Mapping[str, str]
    #: points
    width: float


class Drawings:
    """The diagrams that were drawn last, by definition."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, asyncio.Task[Drawing]] = OrderedDict()

    async def of(self, workflow: Workflow) -> Drawing:
        """The diagram of a workflow, without a path. Raises ``RenderFailed``."""
        task = self._kept.get(workflow.hash)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._kept[workflow.hash] = asyncio.create_task(asyncio.to_thread(_drawn, workflow))
        self._kept.move_to_end(workflow.hash)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return await asyncio.shield(task)


def _drawn(workflow: Workflow) -> Drawing:
    return drawing(draw(workflow, "svg").decode(), graph_of(workflow).ids)


def drawing(text: str, ids: Mapping[str, str]) -> Drawing:
    """An SVG file as a part of a page."""
    svg = text[text.index("<svg") :]
    size = _SIZE.search(svg)
    width = float(size[1]) if size else 0.0
    return Drawing(_SIZE.sub("", _STYLE.sub("", svg), count=1), "\n".join(_STYLE.findall(svg)), ids, width)


async def draw_agent(runner: Runner, agent_id: str, name: str, *, at: int | None = None) -> bytes:
    """The picture of an agent's workflow in a format, with the path that it has taken, up to a version. Raises
    ``VersionMissing``, ``RenderFailed``."""
    store = runner.store
    if at is not None:
        agent = (await agent_at(store, agent_id, at))[0]
        workflow, state, progress = await runner.workflow(agent.definition), agent.state, agent.progress
    else:
        head = await store.head(agent_id)
        workflow, state, progress = await workflow_of(store, head), head.state, head.progress
    steps = [step for step in await store.history(agent_id) if at is None or step.version <= at]
    overlay = overlay_from_history(workflow, state, steps, progress=progress)
    return await asyncio.to_thread(lambda: draw(workflow, name, overlay=overlay))
