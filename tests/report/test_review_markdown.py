"""A review as Markdown: it fits where it stands, and whatever a workflow says comes out as text."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads
from fsm_agent.render.formats import draw
from fsm_agent.report.markdown_text import fenced
from fsm_agent.report.review import Concern, Review
from fsm_agent.report.review_markdown import marker, to_markdown
from fsm_agent.report.sections import COMMENT, SUMMARY, Room, Section, Weight, fitted
from tests.support.reviews import HOSTILE, findings, hostile_review, review_of, reviewed, short, with_findings

ADDRESS = "https://example.org/runs/7"


def parsed(markdown: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(markdown)


def tables(markdown: str) -> list[list[int]]:
    """Of each table the number of cells in each of its rows."""
    found: list[list[int]] = []
    for token in parsed(markdown):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append(0)
        elif token.type in ("th_open", "td_open"):
            found[-1][-1] += 1
    return found


def many(count: int) -> Review:
    before, now = short(), short(version=2, target="done")
    one = reviewed(before, now)
    return review_of(*(replace(one, name=f"w{number}", file=f"workflows/w{number}.yaml") for number in range(count)))


def large(states: int) -> Workflow:
    lines = "".join(f"  s{n}: {{on: {{go: s{n + 1}}}}}\n" for n in range(states))
    head = f"workflow: large\nversion: 1\nevents: {{go: {{}}}}\ninitial: s0\nstates:\n{lines}"
    return loads(f"{head}  s{states}: {{final: true}}\n")


def test_what_fits_is_told_whole() -> None:
    report = to_markdown(many(1))
    assert "left out" not in report
    assert report.index("## ✗ `short` breaks `busy_first`") < report.index("#### ✗ `busy_first` is violated")
    (block,) = (each.content for each in parsed(report) if each.content.startswith("<details>"))
    assert html.unescape(block).startswith(
        "<details><summary>A test that fails until this is mended (<code>t/test_x.py</code>)</summary>"
    )


@pytest.mark.parametrize("count", [45, 120])
def test_a_comment_is_never_longer_than_it_may_be_and_says_where_the_rest_is(count: int) -> None:
    review = many(count)
    report = to_markdown(review, artifact=ADDRESS)
    assert len(report) <= COMMENT.most
    assert report.startswith(f"{marker('workflows')}\n## ✗ ")
    assert re.search(r"^> \d+ parts of this report are left out here", report.splitlines()[-1])
    assert f"[the files of this review](<{ADDRESS}>)" in report.splitlines()[-1]
    assert "#### ✗ `busy_first` is violated" in report
    assert [token.type for token in parsed(report)].count("fence") == report.count("\n```python\n") + report.count(
        "\n```mermaid\n"
    )
    assert all(len(set(rows)) == 1 for rows in tables(report))
    summary = to_markdown(review, room=SUMMARY, artifact=ADDRESS)
    assert len(summary.encode()) <= SUMMARY.most
    assert len(summary) > len(report)


def test_tests_are_left_out_before_pictures_and_pictures_before_what_is_broken() -> None:
    whole = to_markdown(many(1))
    seen = []
    for most in range(len(whole), 300, -50):
        report = to_markdown(many(1), room=Room(most, len))
        seen.append(tuple(word in report for word in ("def test_busy_first", "```mermaid", "1. idle → done")))
    assert list(dict.fromkeys(seen)) == [
        (True, True, True),
        (False, True, True),
        (False, False, True),
        (False, False, False),
    ]


def test_the_last_section_of_a_kind_is_left_out_first() -> None:
    sections = [Section("head", Weight.HEADING), *(Section(f"part {n}", Weight.CHANGES) for n in range(9))]
    assert fitted(sections, Room(35, len), lambda count: f"{count} gone") == "head\n\npart 0\n\npart 1\n\n7 gone\n"


def test_a_long_list_goes_on_in_tables_that_may_be_left_out() -> None:
    review = review_of(with_findings(reviewed(None, short()), *findings(2_000)))
    report = to_markdown(review)
    assert len(report) <= COMMENT.most
    assert report.count("| ✗ error | FSM301 |") % 50 == 0
    assert report.count("| ✗ error | FSM301 |") > 500


def test_a_picture_too_large_for_mermaid_is_named_instead() -> None:
    drawn = to_markdown(review_of(reviewed(None, large(499))), room=SUMMARY)
    assert "```mermaid" in drawn
    assert len(draw(large(500), "mermaid")) < 50_000
    told = to_markdown(review_of(reviewed(None, large(500))), room=SUMMARY)
    assert "```mermaid" not in told
    assert "The picture is too large for this place (501 edges)" in told


def test_no_line_of_code_ends_its_block() -> None:
    text = "a\n```\n````\n# b"
    (block,) = parsed(fenced(text, "python"))
    assert (block.type, block.content) == ("fence", f"{text}\n")


@pytest.mark.parametrize("name", ["--> <script>", "a--b---", "-", "x\ny", "\u202e--!>"])
def test_no_name_ends_the_hidden_line(name: str) -> None:
    (token,) = parsed(marker(name))
    assert (token.type, token.content) == ("html_block", marker(name))
    assert marker(name).count("-->") == 1
    assert "--" not in marker(name).removeprefix("<!--").removesuffix("-->")
    assert "\n" not in marker(name)


def test_whatever_a_workflow_says_comes_out_as_text_and_every_table_keeps_its_cells() -> None:
    review = hostile_review()
    assert (review.concern, len(review.broken)) == (Concern.UNREADABLE, 1)
    report = to_markdown(replace(review_of(review, review), name=HOSTILE, base=HOSTILE), artifact=f"x {HOSTILE}")
    assert "\u202e" not in report
    tokens = parsed(report)
    assert all(len(set(rows)) == 1 for rows in tables(report))
    blocks = [token.content for token in tokens if token.type == "html_block"]
    known = r"<!-- fsm-agent review: .* -->|<details><summary>[^<]*<code>[^<]*</code>\)</summary>|</details>"
    assert [block for block in blocks if not re.fullmatch(known, block.strip())] == []
    inline = [child for token in tokens for child in token.children or ()]
    tags = {child.content for child in inline if child.type == "html_inline"}
    assert tags <= {"<code>", "</code>", "<br>"}
    assert not [child for child in inline if child.type in ("image", "em_open")]
    links = [child.attrs["href"] for child in inline if child.type == "link_open"]
    assert all(str(link).startswith("x") for link in links)
    assert "@ana" not in re.sub(r"`[^`\n]*`|^```.*?^```", "", report, flags=re.DOTALL | re.MULTILINE)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert not [heading for heading in headings if heading.strip() == "h"]
