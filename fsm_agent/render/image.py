"""Images by Graphviz: the ``dot`` program if it is on PATH, else the library inside the ``pygraphviz`` wheel."""

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

#: Graphviz's default of 96 dots per inch is blurred on most screens.
_PNG_DPI: Final = 144
_STDERR: Final = 2
_SVG_TAG: Final = re.compile(rb"<svg\b[^>]*>")


def render_image(dot: str, format: ImageFormat) -> bytes:  # noqa: A002 - the word that users know
    """Compute the layout of DOT, and draw it. An SVG adapts itself to dark pages.

    Raises ``RenderFailed`` if Graphviz is missing, or cannot read the text.
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
    except BrokenPipeError as error:  # it has given up before it was given everything
        raise RenderFailed("dot could not read the text of the picture to its end") from error
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
    """Drop the warnings of Fontconfig about the system's settings from stderr: they do not affect the picture, and
    users cannot change them. Other lines are kept."""
    sys.stderr.flush()
    try:
        stderr = os.dup(_STDERR)
    except OSError:  # the process has no stderr
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            written.seek(0)
            for line in written:
                if not line.startswith(b"Fontconfig "):
                    os.write(_STDERR, line)


def adaptive_style() -> str:
    """The style sheet by which the colours of an SVG change on a dark page."""
    rules = "".join(
        f'[fill="{light}"]{{fill:{dark}}}[stroke="{light}"]{{stroke:{dark}}}' for light, dark in DARK.items()
    )
    return f":root{{color-scheme:light dark}}@media (prefers-color-scheme:dark){{{rules}}}"


def _adaptive(svg: bytes) -> bytes:
    """The SVG with colours that change on a dark page; ids and classes stay as they are."""
    style = f"<style>{adaptive_style()}</style>".encode()
    return _SVG_TAG.sub(lambda tag: tag[0] + b"\n" + style, svg, count=1)


def _first_line(text: bytes | str | None) -> str:
    decoded = text.decode(errors="replace") if isinstance(text, bytes) else text or ""
    return next(iter(decoded.strip().splitlines()), "it did not say why")
