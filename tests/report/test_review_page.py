"""The page of a review, in a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from fsm_agent.domain.finding import Place
from fsm_agent.loading.yaml_file import load
from fsm_agent.report.page.review import review_pages
from fsm_agent.report.review import WorkflowReview
from tests.support.browser import visit
from tests.support.reviews import HOSTILE, hostile, hostile_review, reviewed, short

EXAMPLE = Path("examples/review")


def refunds() -> WorkflowReview:
    """A guard that got lost, among other changes."""
    before, after = (load(EXAMPLE / side / "refunds.yaml") for side in ("before", "after"))
    review = reviewed(before, after, file="workflows/refunds.yaml")
    line = _text().splitlines().index("  deciding:") + 1
    return replace(review, places={("deciding", ""): Place("workflows/refunds.yaml", line, 3)})


def _text() -> str:
    return (EXAMPLE / "after" / "refunds.yaml").read_text(encoding="utf-8")


def page_in(folder: Path, review: WorkflowReview, text: str = "") -> Path:
    ((name, page),) = review_pages(review, text)
    file = folder / name
    file.write_text(page, encoding="utf-8")
    return file


@pytest.mark.long
@pytest.mark.parametrize("dark", [False, True])
def test_a_reader_goes_from_a_number_to_its_state(tmp_path: Path, *, dark: bool) -> None:
    with visit(page_in(tmp_path, refunds(), _text()), dark=dark) as seen:
        assert seen.text("#headline") == "✗ four_eyes is violated."
        headings = seen.evaluate("[...document.querySelectorAll('#lists > h2')].map(each => each.textContent)")
        assert headings[0] == "What must hold", "what is broken is told first"
        seen.click(".row button:has-text('④')")
        assert seen.text("#state h2") == "deciding"
        assert seen.text("#state pre").startswith("deciding:\n  ask:")
        assert "the guard event.by != data.clerk is gone" in seen.text("#state")
        seen.click("#p0-state-paying")
        assert seen.text("#state h2") == "paying"
        assert "+ approve [event.by != data.clerk]" in seen.text("#state table")
        seen.click("#state button.link:has-text('escalated')")
        assert seen.text("#state h2") == "escalated"


@pytest.mark.long
def test_the_numbers_of_the_picture_are_rows_of_the_list(tmp_path: Path) -> None:
    with visit(page_in(tmp_path, refunds(), _text())) as seen:
        drawn = set(re.findall("[①-⑳]", seen.evaluate("document.querySelector('main svg').textContent")))
        listed = set(re.findall("[①-⑳]", seen.text("#lists")))
        assert drawn <= listed
        assert len(listed) == len(refunds().difference.rows)  # type: ignore[union-attr]


@pytest.mark.long
def test_the_slider_goes_from_before_to_after(tmp_path: Path) -> None:
    shown = "['.added', '.removed'].map(each => getComputedStyle(document.querySelector('svg ' + each)).opacity)"
    with visit(page_in(tmp_path, refunds(), _text())) as seen:
        for place, opacity in (("50", ["1", "1"]), ("0", ["0", "1"]), ("100", ["1", "0"])):
            seen.page.fill("#slider", place)
            assert seen.evaluate(shown) == opacity


@pytest.mark.long
def test_hostile_text_is_text(tmp_path: Path) -> None:
    review = hostile_review()
    with visit(page_in(tmp_path, replace(review, name="hostile"), HOSTILE)) as seen:
        assert seen.evaluate("document.querySelectorAll('aside b, main b, aside a').length") == 0
        seen.evaluate("choose('state-idle')")
        assert "</script><b>x</b>" in seen.text("aside")
        assert "\u202e" not in seen.text("aside")
    (_, page), *_ = review_pages(reviewed(None, hostile(is_new=True)), HOSTILE)
    assert (page.count("</script>"), page.count("<b>")) == (2, 0)


def test_a_workflow_within_has_a_page_of_its_own() -> None:
    old, new = (replace(short("outer"), workflows={"inner": short("inner", target=each)}) for each in ("busy", "done"))
    assert [name for name, _ in review_pages(reviewed(old, new), "")] == ["outer.html", "outer.inner.html"]


@pytest.mark.long
def test_a_new_workflow_is_shown_as_it_is(tmp_path: Path) -> None:
    with visit(page_in(tmp_path, reviewed(None, short()))) as seen:
        assert seen.text("#headline") == "✗ busy_first is violated."
        assert seen.evaluate("document.getElementById('compare').offsetParent") is None
        assert "✗ busy_first: violated" in seen.text("#lists")
        seen.click("#p0-state-busy")
        assert seen.text("#state h2") == "busy"
