"""The picture of a difference: its numbers are rows of the list, and nothing of it is quiet that should be loud."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.change.difference import Difference, compare
from fsm_agent.domain.state import State, Transition
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import RenderFailed
from fsm_agent.loading.yaml_file import loads
from fsm_agent.render.difference import DIFFERENCE_FORMATS, draw_difference, picture
from fsm_agent.render.folded_union import SMALL as SMALL_PICTURE
from fsm_agent.render.graph import Cluster, Node, walk
from fsm_agent.render.numbers import circled
from fsm_agent.render.style import DARK
from fsm_agent.render.union import Union
from fsm_agent.render.union_lines import Status
from tests.change.versions import SMALL, edited
from tests.proof.random_properties import example
from tests.support.hypothesis_settings import example_settings

EXPECTED = Path(__file__).parent / "expected"
TONE = """
  checking_tone:
    description: A second model reads what the first has written.
    do: llm.decide
    with: {prompt: "Is this kind and correct? {{ data.reply }}"}
    timeout: 1m
    on:
      answer: {target: answered, assign: {reply: event.text}}
      escalate: {target: handing_over, assign: {why: event.why}}
      error: {target: handing_over, assign: {why: event.message}}

  handing_over:
    ask"""
#: one edit of each kind: a guard, a timer that leads elsewhere, one of another length, a state, an addressee, a name
RICH = (
    ("version: 1", "version: 2"),
    ("event.amount <= 100.0", "event.amount <= 250.0"),
    ("target: handing_over, assign: {why: \"'nobody has decided on the refund for two days'\"}", "target: refunding"),
    ("14d", "7d"),
    ("      written: answered\n", "      written: checking_tone\n"),
    ("\n  handing_over:\n    ask", TONE),
    ("  approving:\n    ask:\n", "  approving:\n    ask:\n      to: \"'shop-lead'\"\n"),
    ("handing_over", "with_a_person"),
    ("rejected: {reason: string}", "rejected: {reason: string, ticket: string}"),
)


@pytest.fixture(scope="module")
def rich() -> Difference:
    return edited("support_triage", *RICH)


def numbers_in(text: str) -> set[int]:
    """The circled numbers of a text."""
    first = ord(circled(1))
    return {ord(each) - first + 1 for each in text if 0 <= ord(each) - first < 20}


def drawn_rows(difference: Difference) -> set[int]:
    return {row.number for row in difference.rows if row.number is not None and row.change.is_drawn}


def text_in(svg: bytes) -> str:
    return " ".join(ET.fromstring(svg).itertext())  # noqa: S314 - our own picture


LEGEND = re.compile(r"① row of the list|in the list alone: [①-⑳]+")


@pytest.mark.parametrize("format_name", ["svg", "dot", "mermaid"])
def test_every_number_in_the_picture_is_a_row_of_the_list(rich: Difference, format_name: str) -> None:
    """And every row that can be drawn has its number there."""
    drawn = draw_difference(rich, format_name)
    text = html.unescape(text_in(drawn) if format_name == "svg" else drawn.decode())
    assert numbers_in(LEGEND.sub("", re.sub(r"\s+", " ", text))) == drawn_rows(rich)
    assert len(drawn_rows(rich)) > 6


@example_settings(60)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_so_it_is_between_any_two_workflows(one: int, other: int) -> None:
    difference = compare(replace(example(one).workflow, must=()), replace(example(other).workflow, must=()))
    assert picture(difference, is_full=True).shown == drawn_rows(difference)


def test_rows_that_no_picture_can_show_are_named_below_the_title(rich: Difference) -> None:
    [hidden] = [row.number for row in rich.rows if row.number is not None and not row.change.is_drawn]
    assert f"in the list alone: {circled(hidden)}" in draw_difference(rich, "dot").decode()


@pytest.mark.parametrize("format_name", ["dot", "mermaid"])
def test_the_text_formats_are_byte_for_byte_what_is_expected(rich: Difference, format_name: str) -> None:
    """``python -m tests.render.test_difference`` writes the files anew; look at what changed before you keep it."""
    expected = EXPECTED / f"difference{DIFFERENCE_FORMATS[format_name].suffix}"
    assert draw_difference(rich, format_name) == expected.read_bytes()


def test_a_picture_of_nothing_new_is_grey_all_over() -> None:
    union = picture(edited("book_flight", ("Books a flight", "Books flights")))
    assert {union.status(item.id) for item in walk(union.graph.items)} == {Status.SAME}
    assert {union.status(edge.id) for edge in union.graph.edges} == {Status.SAME}


def statuses(union: Union) -> dict[str, Status]:
    states = {item.path: union.status(item.id) for item in walk(union.graph.items) if item.path}
    return {path: status for path, status in states.items() if status is not Status.SAME}


def test_each_state_is_marked_by_what_became_of_it(rich: Difference) -> None:
    assert statuses(picture(rich)) == {
        "approving": Status.CHANGED,
        "checking_tone": Status.ADDED,
        "with_a_person": Status.CHANGED,
    }
    assert picture(rich).was == {"state-with_a_person": "handing_over"}


def test_what_was_removed_stands_where_it_stood() -> None:
    gone = edited(
        SMALL,
        ("            - {when: data.amount > 100, target: second}\n", ""),
        (SMALL[SMALL.index("      second:") : SMALL.index("  paid:")], ""),
    )
    union = picture(gone)
    assert statuses(union) == {"review.second": Status.REMOVED}
    [review] = [item for item in union.graph.items if isinstance(item, Cluster)]
    assert [item.name for item in review.items if item.name][-2:] == ["first", "second"]


def test_a_lost_guard_is_not_quiet() -> None:
    difference = edited(SMALL, ("{when: event.by != data.author, target: paid}", "paid"))
    for format_name in ("dot", "mermaid"):
        assert "the guard is gone" in draw_difference(difference, format_name).decode()
    [piece] = [piece for pieces in picture(difference).pieces.values() for piece in pieces if piece.is_guard_lost]
    assert piece.numbers == (1,)


def test_where_agents_begin_otherwise_both_ways_are_drawn() -> None:
    union = picture(edited(SMALL, ("initial: idle", "initial: paid"), ("initial: first", "initial: second")))
    firsts = {(edge.source, edge.target): union.status(edge.id) for edge in union.graph.edges if edge.kind is None}
    assert firsts == {
        ("start", "state-paid"): Status.ADDED,
        ("start", "state-idle"): Status.REMOVED,
        ("start-review", "state-review-second"): Status.ADDED,
        ("start-review", "state-review-first"): Status.REMOVED,
    }
    assert union.shown == {1, 2}


def test_candidates_in_another_order_are_told_at_their_edges() -> None:
    first = "            - {when: data.amount > 100, target: second}\n"
    second = "            - {when: data.amount > 10, target: paid}\n"
    text = SMALL.replace(f"{first}            - paid\n", first + second)
    union = picture(compare(loads(text), loads(text.replace(first + second, second + first))))
    notes = {piece.note for pieces in union.pieces.values() for piece in pieces if piece.status is Status.CHANGED}
    assert notes == {"tried in another place"}


# --------------------------------------------------------------------------- large workflows


def chain(length: int, *, target: str = "s7") -> Workflow:
    """A long row of states, in which one transition differs."""
    states = [State(f"s{place}", on={"go": (Transition(f"s{place + 1}"),)}) for place in range(length)]
    states[5] = states[5]._replace(on={"go": (Transition(target),)})
    return Workflow("w", 1, "s0", (*states, State(f"s{length}", final=True)), events={"go": {}})


def names(union: Union) -> list[str]:
    return [item.name for item in walk(union.graph.items) if isinstance(item, Node) and item.name]


def test_of_a_large_workflow_what_is_far_from_any_change_is_folded() -> None:
    difference = compare(chain(100, target="s6"), chain(100))
    union = picture(difference)
    assert names(union) == ["s5", "s6", "s7", "98 more states"]
    assert sum(union.folded.values()) + 3 == 101
    assert union.shown == drawn_rows(difference)
    assert len(names(picture(difference, is_full=True))) == 101


def test_what_is_folded_keeps_its_ways_in_and_out() -> None:
    union = picture(compare(chain(100, target="s6"), chain(100)))
    ways = {(edge.source, edge.target) for edge in union.graph.edges}
    assert ("folded-workflow", "state-s5") in ways
    assert ("state-s7", "folded-workflow") in ways
    assert (
        len(draw_difference(union.difference, "svg")) < len(draw_difference(union.difference, "svg", is_full=True)) / 4
    )


def test_the_neighbours_of_a_state_that_has_changed_are_drawn() -> None:
    new = chain(100)
    states = tuple(state._replace(do="work") if state.name == "s50" else state for state in new.states)
    assert names(picture(compare(chain(100), replace(new, states=states)))) == ["s49", "s50", "s51", "98 more states"]


def test_a_small_workflow_is_drawn_whole() -> None:
    assert len(names(picture(compare(chain(20, target="s6"), chain(20))))) == 21 <= SMALL_PICTURE


@pytest.mark.parametrize("is_full", [True, False])
def test_the_states_of_a_compound_state_are_folded_inside_it(*, is_full: bool) -> None:
    inner = tuple(State(f"c.s{place}", on={"go": (Transition("end"),)}) for place in range(40))
    compound = State("c", initial="c.s0", states=inner)
    old = Workflow("w", 1, "c", (compound, State("end", final=True)), events={"go": {}})
    changed = (*inner[:9], inner[9]._replace(do="work"), *inner[10:])
    new = replace(old, states=(compound._replace(states=changed), State("end", final=True)))
    union = picture(compare(old, new), is_full=is_full)
    assert sum(union.folded.values()) == (0 if is_full else 39)
    assert draw_difference(union.difference, "svg", is_full=is_full)


# --------------------------------------------------------------------------- hostile text

HOSTILE = '</script><b>&amp; | ] ` "x" \' \\n \\\\ %% {{x}} #59; \u202e]\n```\n--> <!-- *_~$@me'
STRIPPED = "".join(each for each in " ".join(HOSTILE.split()) if each.isprintable())


def hostile() -> Difference:
    def version(number: int) -> Workflow:
        guard = f"data.t == {HOSTILE.encode('unicode_escape').decode()!r}" if number == 1 else None
        first = State(
            "a",
            f"{HOSTILE} {number}",
            do=f"{HOSTILE}{number}",
            with_={HOSTILE: HOSTILE + str(number)},
            on={"go": (Transition("b", guard, {"t": f"{HOSTILE}{number}"}, {}, HOSTILE),)},
        )
        end = State("b", final=True, output={HOSTILE: f"{HOSTILE}{number}"})
        new = State("c", HOSTILE, do=HOSTILE)
        states = (first, end, new) if number == 2 else (first, end)
        return Workflow("w", number, "a", states, data={"t": {"type": "string", "default": HOSTILE}}, events={"go": {}})

    return compare(version(1), version(2))


def test_hostile_text_comes_out_as_text() -> None:
    difference = hostile()
    svg = draw_difference(difference, "svg")
    shown = re.sub(r"\s+", "", text_in(svg))
    assert "</script><b>&amp;|]`" in shown
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()}  # noqa: S314 - our own picture
    assert tags <= {"svg", "style", "g", "title", "polygon", "path", "text", "a", "ellipse", "polyline"}
    mermaid = draw_difference(difference, "mermaid").decode()
    body = mermaid.partition("flowchart TB")[2]
    assert not re.search(r"</?script|<b>|```|<!--|-->.*<!--", body)
    words = {word[0] for line in body.splitlines() if (word := re.match(r"\s+([\w-]+)", line))}
    assert {word.strip() for word in words} <= {
        "state-a",
        "state-b",
        "state-c",
        "start",
        "linkStyle",
        "classDef",
        "class",
    }


def test_every_colour_has_its_counterpart_on_a_dark_page(rich: Difference) -> None:
    used = set(re.findall(r"#[0-9a-f]{6}", draw_difference(rich, "dot").decode()))
    assert used <= set(DARK)


def test_an_unknown_format_is_told_the_known_ones(rich: Difference) -> None:
    with pytest.raises(RenderFailed, match=r"unknown format 'svgg' \(did you mean `svg`\?\); there are svg, png, pdf"):
        draw_difference(rich, "svgg")


if __name__ == "__main__":
    for name in ("dot", "mermaid"):
        file = EXPECTED / f"difference{DIFFERENCE_FORMATS[name].suffix}"
        file.write_bytes(draw_difference(edited("support_triage", *RICH), name))
