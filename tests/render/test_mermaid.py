"""What Mermaid needs that Graphviz does not."""

from __future__ import annotations

from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.render.graph import graph_of
from fsm_agent.render.mermaid import to_mermaid
from fsm_agent.render.overlay import overlay_from_history
from tests.support.workflows import BOOK_FLIGHT, BOOK_FLIGHT_STEPS, to


def test_a_line_from_inside_a_cluster_to_its_border_ends_at_the_start_dot() -> None:
    inner = (State("a.x", on={"redo": (to("a"),)}),)
    text = to_mermaid(graph_of(Workflow("w", 1, "a", (State("a", initial="a.x", states=inner),))))
    assert 'state-a-x -->|"redo"| start-a\n' in text


def test_the_title_is_one_line_whatever_the_description_holds() -> None:
    text = to_mermaid(graph_of(Workflow("w", 3, "a", (State("a"),), description='"x":\n---\n' + "long " * 100)))
    title = text.splitlines()[1]
    assert title.startswith('title: "w, version 3: \\"x\\": --- long')
    assert title.endswith('…"')


def test_only_edges_that_look_alike_share_a_style() -> None:
    overlay = overlay_from_history(BOOK_FLIGHT, "waiting_feedback", BOOK_FLIGHT_STEPS)
    styles = [line for line in to_mermaid(graph_of(BOOK_FLIGHT), overlay).splitlines() if "linkStyle" in line]
    assert len({line.partition(" stroke")[2] for line in styles}) == len(styles)
    numbers = [int(number) for line in styles for number in line.split()[1].split(",")]
    assert sorted(numbers) == list(range(len(graph_of(BOOK_FLIGHT).edges)))
