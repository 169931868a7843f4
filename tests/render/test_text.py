"""Text in pictures: it fits, nothing is lost, and nothing of it is taken for syntax."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.render.mermaid_chart import escaped
from fsm_agent.render.text_width import clean, width_of, wrap

SIZE = 10
TEXTS = st.text(max_size=120) | st.text("ab {}._()#:;<>", max_size=120)


@given(TEXTS, st.floats(20, 300))
def test_no_line_is_wider_than_asked_for(text: str, width: float) -> None:
    assert all(width_of(line, SIZE) <= width for line in wrap(text, width=width, size=SIZE))


@given(TEXTS, st.floats(20, 300))
def test_wrapping_loses_nothing_but_space(text: str, width: float) -> None:
    assert "".join("".join(wrap(text, width=width, size=SIZE)).split()) == "".join(clean(text).split())


@given(TEXTS, st.integers(1, 4))
def test_text_beyond_the_last_line_is_replaced_by_an_ellipsis(text: str, most: int) -> None:
    whole, cut = wrap(text, width=60, size=SIZE), wrap(text, width=60, size=SIZE, most=most)
    assert len(cut) <= most
    assert cut == whole if len(whole) <= most else cut[-1].endswith("…")
    assert all(width_of(line, SIZE) <= 60 for line in cut)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("data.amount < 10", ("data.amount <", "10")),
        ("decide_on_application", ("decide_on_", "application")),
        ("Whoever {{ a.b }} pays", ("Whoever", "{{ a.b }} pays")),
        ("{{ data.applicant }}", ("{{", "data.applicant", "}}")),
        ("", ()),
    ],
)
def test_lines_break_at_spaces_then_after_punctuation_and_expressions_last(text: str, lines: tuple[str, ...]) -> None:
    assert wrap(text, width=80, size=SIZE) == lines


def test_control_characters_never_reach_a_picture() -> None:
    assert clean("a\x00b\n\tc \ud800") == "a\N{REPLACEMENT CHARACTER}b c \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("steering", ["\u202a", "\u202e", "\u2066", "\u2069"])
def test_no_character_turns_the_text_around_it(steering: str) -> None:
    assert clean(f"pay {steering}nothing") == "pay \N{REPLACEMENT CHARACTER}nothing"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("to: data.amount", "to#58; data.amount"),
        ("1. first", "1#46; first"),
        ("- item", "#45; item"),
        ("__init__", "#95;#95;init#95;#95;"),
        ("a_b-c.d (1)", "a_b-c.d (1)"),
        ('"<b>" && `x`', "#34;#60;b#62;#34; #38;#38; #96;x#96;"),
        ("%%{init}%%", "#37;#37;#123;init#125;#37;#37;"),
        ("[a](b)", "[a#93;(b)"),
        ("審批 ☃", "審批 ☃"),
    ],
)
def test_mermaid_labels_hold_no_syntax(text: str, safe: str) -> None:
    assert escaped(text) == safe


@given(TEXTS)
def test_mermaid_labels_can_be_read_back(text: str) -> None:
    shown = re.sub(r"#(\d+);", lambda entity: chr(int(entity[1])), escaped(text))
    assert shown == clean(text).replace("\\", "\N{SET MINUS}")
