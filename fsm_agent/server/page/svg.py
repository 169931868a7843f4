"""A diagram inside a page. Only here HTML is taken as it is: Graphviz has made it, and escaped what it says."""

from __future__ import annotations

import htpy as h
from markupsafe import Markup, escape

from fsm_agent.server.diagrams import Drawing


def inline(drawing: Drawing, words: str) -> h.Node:
    """The diagram as an element; ``words`` say what it shows to those who do not see it."""
    label = f'<svg role="img" aria-label="{escape(words)}"'
    return h.div(".diagram", tabindex="0", role="region", aria_label="Diagram")[
        Markup(drawing.svg.replace("<svg", label, 1))  # noqa: S704 - see the module
    ]
