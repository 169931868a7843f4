"""One HTML file that needs nothing else: styles, scripts, pictures and facts are inside it, and a policy forbids it to
ask anybody for more. What comes from a workflow or an agent is JSON, which a script writes as text."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable
from importlib.resources import files
from string import Template
from typing import Final

from fsm_agent.domain.json import Json

_ASSETS: Final = files(__package__)
_STYLE: Final = re.compile(r"<style>(.*?)</style>\n?", re.DOTALL)
_ID: Final = re.compile(r'(?<= id=")')
_SIZE: Final = re.compile(r'(?<=<svg) width="[^"]*" height="[^"]*"')


def page(title: str, name: str, facts: Json, pictures: Iterable[str]) -> str:
    """The page of this ``name``: ``NAME.html`` is its body, ``NAME.css`` and ``NAME.js`` belong to it. ``pictures`` are
    SVG texts; the ids of the first begin with ``p0-``, of the second with ``p1-``."""
    drawn = list(pictures)
    styles = {style: None for svg in drawn for style in _STYLE.findall(svg)}
    style = "\n".join([_asset("page.css"), _asset(f"{name}.css"), *styles])
    script = "\n".join([_asset("page.js"), _asset("picture.js"), _asset(f"{name}.js")])
    body = Template(_asset(f"{name}.html")).substitute(
        pictures="\n".join(_inside(svg, f"p{number}-") for number, svg in enumerate(drawn))
    )
    return Template(_asset("page.html")).substitute(
        policy=f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'",
        title=html.escape(title),
        style=style,
        body=body,
        facts=json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028"),
        script=script,
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """What a policy calls the text of one script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inside(svg: str, prefix: str) -> str:
    """An SVG as a part of a page: its styles are the page's, its size is that of its place, its ids are its own."""
    drawing = _STYLE.sub("", svg[svg.index("<svg") :])
    return f'<div class="picture">{_ID.sub(prefix, _SIZE.sub("", drawing, count=1))}</div>'
