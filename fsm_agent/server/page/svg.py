"""A diagram inside a page. Only here HTML is taken as it is: Graphviz has made it, and escaped what it says."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Final

import htpy as h
from markupsafe import Markup, escape

from fsm_agent.server.diagrams import Drawing

_ELEMENT: Final = re.compile(r'<g id="([^"]+)" class="([^"]+)"')
#: an edge that crosses a border is drawn in parts, which all have one name
_PART: Final = re.compile(r"--(on|label)$")


def inline(drawing: Drawing, words: str) -> h.Node:
    """The diagram as an element; ``words`` say what it shows to those who do not see it."""
    label = f'<svg role="img" aria-label="{escape(words)}"'
    return h.div(".diagram", tabindex="0", role="region", aria_label="Diagram")[
        Markup(drawing.svg.replace("<svg", label, 1))  # noqa: S704 - see the module
    ]


def marked(drawing: Drawing, words: str, classes: Mapping[str, str]) -> h.Node:
    """The diagram alone, which takes the focus; elements that ``classes`` names by their ids have these classes too."""

    def element(found: re.Match[str]) -> str:
        more = classes.get(_PART.sub("", html.unescape(found[1])))
        return f'<g id="{found[1]}" class="{found[2]} {escape(more)}"' if more else found[0]

    label = f'<svg role="img" tabindex="0" aria-label="{escape(words)}"'
    return Markup(_ELEMENT.sub(element, drawing.svg).replace("<svg", label, 1))  # noqa: S704 - see the module
