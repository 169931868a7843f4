"""The files that ``review`` writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from fsm_agent.change.difference import Difference
from fsm_agent.cli.views import output
from fsm_agent.errors import RenderFailed
from fsm_agent.render.difference import draw_difference
from fsm_agent.render.formats import FORMATS, draw
from fsm_agent.report.page.review import review_pages
from fsm_agent.report.review import Review, WorkflowReview
from fsm_agent.report.review_markdown import to_markdown
from fsm_agent.report.sections import SUMMARY


def write_reports(folder: Path, review: Review, artifact: str) -> None:
    """``review.md`` has the length of a comment, ``summary.md`` that of the summary of a job; each workflow has its
    pictures and its page. Where no image can be made, that is said, and all else is written."""
    written(folder / "review.md", to_markdown(review, artifact=artifact))
    written(folder / "summary.md", to_markdown(review, room=SUMMARY, artifact=artifact))
    for each in review.workflows:
        for proof in each.proofs:
            for found in proof.reproductions.values():
                output.say(f"wrote {found.test_path}")
        try:
            for name, content in _files(each):
                written(folder / name, content)
        except RenderFailed as error:
            output.say(f"note: {error}")


def _files(review: WorkflowReview) -> Iterator[tuple[str, str]]:
    """Name and content of the files about one workflow: what needs no image program first."""
    for form in ("mermaid", "svg"):
        for name, drawn in _pictures(review):
            yield f"{name}{FORMATS[form].suffix}", drawn(form).decode()
    if review.new is not None:
        yield from review_pages(review, Path(review.file).read_text(encoding="utf-8"))


def _pictures(review: WorkflowReview) -> Iterator[tuple[str, Callable[[str], bytes]]]:
    """The name of each picture, and what draws it in a format: of the difference and those of embedded workflows, or of
    a new workflow."""
    new = review.new
    if review.difference is not None:
        for name, each in _differences(review.name, review.difference):
            yield name, lambda form, each=each: draw_difference(each, form)  # type: ignore[misc]
    elif new is not None:
        yield review.name, lambda form: draw(new, form)


def _differences(name: str, difference: Difference) -> Iterator[tuple[str, Difference]]:
    """A difference and those of embedded workflows, where anything is drawn."""
    if difference.rows:
        yield name, difference
    for child, each in difference.workflows.items():
        yield from _differences(f"{name}.{child}", each)


def written(file: Path, text: str) -> None:
    """Write a file and say so; its folder is made where it is missing."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
    except OSError as error:
        error.filename = str(file)  # the error of a full disk names no file
        raise
    output.say(f"wrote {file}")
