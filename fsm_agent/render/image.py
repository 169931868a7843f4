"""Pictures, by Graphviz: the ``dot`` program where it is on PATH, else the library inside the ``pygraphviz`` wheel."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

from fsm_agent.errors import RenderFailed
from fsm_agent.render.style import DARK

ImageFormat: TypeAlias = Literal["svg", "png", "pdf"]

#: Graphviz draws at 96 dots per inch, which is blurred on most screens.
_PNG_DPI: Final = 144
_STDERR: Final = 2
_SVG_TAG: Final = re.compile(rb"<svg\b[^>]*>")


def render_image(dot: str, format: ImageFormat) -> bytes:  # noqa: A002 - the word that users know
    """Lay DOT out and draw it. An SVG adapts itself to dark pages.

    Raises ``RenderFailed`` if there is no Graphviz, or if Graphviz does not take the text.
    """
    if format == "png":
        dot = dot.replace("{", f"{{\n  dpi={_PNG_DPI};", 1)
    picture = _by_program(dot, format) if shutil.which("dot") else _by_library(dot, format)
    return _adaptive(picture) if format == "svg" else picture


def _by_program(dot: str, format_name: str) -> bytes:
    import graphviz

    try:
        drawn: bytes = graphviz.Source(dot).pipe(format=format_name, quiet=True)
    except graphviz.CalledProcessError as error:
        raise RenderFailed(f"dot could not draw the picture: {_first_line(error.stderr)}") from error
    return drawn


def _by_library(dot: str, format_name: str) -> bytes:
    try:
        import pygraphviz
    except ImportError as error:
        raise RenderFailed(
            f"a {format_name} picture needs Graphviz: install `dot` (package graphviz of your system), "
            "or `pip install 'fsm-agent[diagrams]'`; the formats dot and mermaid need neither"
        ) from error
    try:
        with _without_noise():
            drawn: bytes = pygraphviz.AGraph(string=dot).draw(format=format_name, prog="dot")
    except (ValueError, OSError) as error:
        raise RenderFailed(f"pygraphviz could not draw the picture: {error}") from error
    return drawn


@contextmanager
def _without_noise() -> Iterator[None]:
    """Of what a C library writes to stderr meanwhile, hold back what Fontconfig says of the system's own settings: the
    picture is drawn all the same, and nobody who draws one can help it."""
    sys.stderr.flush()
    try:
        stderr = os.dup(_STDERR)
    except OSError:  # there is none
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            said.seek(0)
            for line in said:
                if not line.startswith(b"Fontconfig "):
                    os.write(_STDERR, line)


def _adaptive(svg: bytes) -> bytes:
    """Let the picture exchange its colours itself on a dark page; ids and classes stay as they are."""
    rules = "".join(
        f'[fill="{light}"]{{fill:{dark}}}[stroke="{light}"]{{stroke:{dark}}}' for light, dark in DARK.items()
    )
    style = f"<style>:root{{color-scheme:light dark}}@media (prefers-color-scheme:dark){{{rules}}}</style>"
    return _SVG_TAG.sub(lambda tag: tag[0] + b"\n" + style.encode(), svg, count=1)


def _first_line(text: bytes | str | None) -> str:
    told = text.decode(errors="replace") if isinstance(text, bytes) else text or ""
    return next(iter(told.strip().splitlines()), "it did not say why")
