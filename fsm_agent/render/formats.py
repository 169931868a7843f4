"""Formats by name. A renderer is a function from graph to text; a new one is one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import RenderFailed
from fsm_agent.render.dot import to_dot
from fsm_agent.render.graph import Graph, graph_of
from fsm_agent.render.image import ImageFormat, render_image
from fsm_agent.render.mermaid import to_mermaid
from fsm_agent.render.overlay import Overlay

Renderer: TypeAlias = Callable[[Graph, Overlay | None], bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """How a picture is made, and how files with it end."""

    suffix: str
    render: Renderer


def _text(render: Callable[[Graph, Overlay | None], str]) -> Renderer:
    return lambda graph, overlay: render(graph, overlay).encode()


def _image(name: ImageFormat) -> Renderer:
    return lambda graph, overlay: render_image(to_dot(graph, overlay), name)


FORMATS: Final[Mapping[str, Format]] = {
    "svg": Format(".svg", _image("svg")),
    "png": Format(".png", _image("png")),
    "pdf": Format(".pdf", _image("pdf")),
    "dot": Format(".dot", _text(to_dot)),
    "mermaid": Format(".mmd", _text(to_mermaid)),
}


def draw(workflow: Workflow, format: str, *, overlay: Overlay | None = None) -> bytes:  # noqa: A002
    """The picture of a workflow; DOT and Mermaid are UTF-8 text, and the same bytes every time.

    Raises ``RenderFailed`` for an unknown format, and where an image cannot be made.
    """
    if format not in FORMATS:
        raise RenderFailed(f"unknown format {format!r}{did_you_mean(format, FORMATS)}; there are {listed(FORMATS)}")
    graph = graph_of(workflow) if overlay is None else graph_of(workflow, overlay.notes)
    if overlay is not None and overlay.remark:
        graph = replace(graph, remarks=(*graph.remarks, overlay.remark))
    return FORMATS[format].render(graph, overlay)
