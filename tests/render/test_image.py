"""Pictures by Graphviz: both ways to it, and hostile text on the way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.state import Ask, State, Transition
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import RenderFailed
from fsm_agent.render import style as palette
from fsm_agent.render.dot import to_dot
from fsm_agent.render.formats import FORMATS, draw
from fsm_agent.render.graph import graph_of, walk
from fsm_agent.render.image import render_image
from fsm_agent.render.overlay import overlay_from_history
from tests.support.hypothesis_settings import example_settings
from tests.support.workflows import BOOK_FLIGHT, BOOK_FLIGHT_STEPS, EXPENSE_APPROVAL, after

WAYS = pytest.mark.parametrize("program", [True, False], ids=["dot", "pygraphviz"])


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.getfixturevalue("program"):
        monkeypatch.setenv("PATH", "")


def identities(svg: bytes) -> set[str]:
    return {element.attrib["id"] for element in ET.fromstring(svg).iter() if "id" in element.attrib}  # noqa: S314 - ours


@WAYS
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("name", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_every_image_format_is_drawn(program: bool, name: str, start: bytes) -> None:
    assert draw(EXPENSE_APPROVAL, name).startswith(start)


@WAYS
@pytest.mark.usefixtures("way")
def test_every_state_and_edge_keeps_its_id_in_svg(program: bool) -> None:
    graph = graph_of(EXPENSE_APPROVAL)
    ids = {item.id for item in walk(graph.items)} | {edge.id for edge in graph.edges}
    assert ids <= identities(draw(EXPENSE_APPROVAL, "svg"))


def test_what_fontconfig_says_of_the_system_is_held_back_and_nothing_else() -> None:
    program = """
import os, sys
from fsm_agent.render.image import render_image
from tests.support.hypothesis_settings import example_settings
import pygraphviz
draw = pygraphviz.AGraph.draw
def drawn(*given, **named):
    os.write(2, b"Graphviz says this\\n")
    return draw(*given, **named)
pygraphviz.AGraph.draw = drawn
sys.stdout.write(render_image("digraph {a}", "svg").decode()[:5])
"""
    known = {**os.environ, "PATH": "", "FONTCONFIG_FILE": "/nowhere", "HOME": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", program], env=known, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("<?xml", "Graphviz says this\n")


@WAYS
@pytest.mark.usefixtures("way")
def test_text_that_graphviz_cannot_read_is_a_clear_error(program: bool) -> None:
    with pytest.raises(RenderFailed, match="could not draw the picture: "):
        render_image("digraph {", "svg")


def test_without_graphviz_the_message_says_what_to_install() -> None:
    code = """
import sys
sys.modules["pygraphviz"] = None
from fsm_agent.render.image import render_image
try:
    render_image("digraph {}", "png")
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], env={"PATH": ""}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("RenderFailed a png picture needs Graphviz: install `dot`")
    assert "'fsm-agent[diagrams]'" in done.stdout


def test_text_formats_need_no_graphviz_bindings() -> None:
    code = """
import sys
from fsm_agent.render.formats import draw
from tests.support.workflows import BOOK_FLIGHT
draw(BOOK_FLIGHT, "dot"), draw(BOOK_FLIGHT, "mermaid")
print({"graphviz", "pygraphviz", "pydantic", "transitions"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_unknown_format_is_named_with_those_there_are() -> None:
    with pytest.raises(RenderFailed) as refused:
        draw(BOOK_FLIGHT, "mermad")
    sentence = "unknown format 'mermad' (did you mean `mermaid`?); there are svg, png, pdf, dot, mermaid"
    assert str(refused.value) == sentence


def test_each_format_has_its_own_suffix() -> None:
    assert [each.suffix for each in FORMATS.values()] == [".svg", ".png", ".pdf", ".dot", ".mmd"]


@pytest.mark.parametrize("overlaid", [False, True])
def test_every_colour_of_an_svg_has_a_counterpart_on_a_dark_page(overlaid: bool) -> None:
    overlay = overlay_from_history(BOOK_FLIGHT, "waiting_feedback", BOOK_FLIGHT_STEPS) if overlaid else None
    style, _, body = draw(BOOK_FLIGHT, "svg", overlay=overlay).decode().partition("</style>")
    assert "@media (prefers-color-scheme:dark)" in style
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', body)) - {"none", "transparent"}
    assert colours <= set(palette.DARK)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast of two ``#rrggbb`` colours."""

    def light(colour: str) -> float:
        channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((light(one), light(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("ink", [palette.INK, palette.MUTED])
@pytest.mark.parametrize("paint", [*palette.NODES.values(), palette.COMPOUND][1:])
def test_text_is_readable_on_every_fill_light_and_dark(paint: palette.Paint, ink: str) -> None:
    assert contrast(ink, paint.fill) >= 4.5
    assert contrast(palette.DARK[ink], palette.DARK[paint.fill]) >= 4.5


def test_what_is_faded_is_still_readable_light_and_dark() -> None:
    assert contrast(palette.FADED_INK, palette.PAPER) >= 4.5
    assert contrast(palette.DARK[palette.FADED_INK], palette.DARK[palette.PAPER]) >= 4.5
    assert contrast(palette.DARK[palette.HERE_INK], palette.DARK[palette.HERE_FILL]) >= 4.5


NASTY = st.text(min_size=1, max_size=30).filter(str.strip) | st.sampled_from(
    [r"\N \\ \" \G", "</TD>&amp;<B>", "a -> b;", "]]>", "]", "{{x}}"]
)


@example_settings(40)
@given(NASTY, NASTY)
def test_no_text_breaks_the_picture_or_escapes_from_it(name: str, text: str) -> None:
    leaf = name.replace(".", "_")
    asking = State(
        leaf,
        description=text,
        ask=Ask(text, (text,), to=text),
        on={text: (Transition("end", text, {text: text}, {text: text}, text),)},
        after=(after("3d", Transition(None, text)),),
    )
    outer = State("outer", initial="outer.in", states=(State("outer.in", do=text, on={text: (Transition("end"),)}),))
    end = State("end", final=True, output={text: text})
    flow = Workflow(text, 1, asking.path, (asking, outer, end), description=text)
    svg = render_image(to_dot(graph_of(flow)), "svg")
    assert {item.id for item in walk(graph_of(flow).items)} <= identities(svg)


@WAYS
@pytest.mark.usefixtures("way")
def test_backslashes_and_markup_in_text_are_shown_as_they_are(program: bool) -> None:
    told = r"\N \\ \l &amp; <b> ]]>"
    svg = draw(Workflow("w", 1, "a", (State("a", description=told),)), "svg")
    texts = [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314
    assert told in [(text or "").replace("\N{NO-BREAK SPACE}", " ") for text in texts]


def test_a_way_back_is_drawn_upward_and_does_not_turn_the_picture_round() -> None:
    dot = to_dot(graph_of(EXPENSE_APPROVAL))
    assert re.search(r'"state-drafting" -> "event-state-review-to-state-drafting--label" \[.*dir="back"', dot)


def test_states_that_are_final_have_two_borders_and_people_a_glyph() -> None:
    dot = to_dot(graph_of(replace(BOOK_FLIGHT, name="w")))
    assert len(re.findall(r'class="state final \w+".*peripheries="2"', dot)) == 3
    assert "☻ waiting_feedback" in dot
    assert re.search(r'class="transition error".*style="dashed"', dot)
    assert re.search(r'class="transition timer".*style="dotted".*after 3d', dot)


@WAYS
@pytest.mark.usefixtures("way")
def test_texts_that_are_longer_than_graphviz_can_read_are_cut(program: bool) -> None:
    told = 'It says "yes" \\ \u00df. ' * 5_000
    states = (
        State("a", description=told, ask=Ask(told, ("go",)), on={"go": (Transition("b"),)}),
        State("b", final=True),
    )
    assert b"It says" in draw(Workflow("w", 1, "a", states, description=told), "svg")
