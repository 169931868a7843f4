"""Styles and scripts of the page: files beside this module and shared ones, served under names that change with what
is in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from fsm_agent.render.image import adaptive_style
from fsm_agent.server.problems import HttpProblem

_FOLDER: Final = files(__package__) / "assets"
_TYPES: Final[Mapping[str, str]] = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
#: shared with pages that are files
_SHARED: Final = {"picture.js": files("fsm_agent.report.page") / "picture.js"}
#: how one script names another
_IMPORT: Final = re.compile(rb'"\./([a-z_]+\.js)"')
#: a browser may keep a file for a year: another one has another address
_KEPT: Final = "public, max-age=31536000, immutable"


def asset(name: str) -> str:
    """The address of a file."""
    return f"/static/{name}?v={hashlib.sha256(_read(name)).hexdigest()[:12]}"


async def serve_asset(request: Request) -> Response:
    name = request.path_params["name"]
    try:
        content = _read(name)
    except FileNotFoundError:
        problem = HttpProblem(404, "not-found", f"there is no file {name!r}")
        return problem.response(request.url.path)
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers={"Cache-Control": _KEPT})


@cache
def _read(name: str) -> bytes:
    if name not in _names():
        raise FileNotFoundError(name)
    content = _SHARED.get(name, _FOLDER / name).read_bytes()
    if name == "diagram.css":
        return content + adaptive_style().encode()
    return _IMPORT.sub(lambda found: f'"{asset(found[1].decode())}"'.encode(), content)


@cache
def _names() -> frozenset[str]:
    return frozenset(file.name for file in _FOLDER.iterdir() if file.name.rpartition(".")[2] in _TYPES) | {*_SHARED}
