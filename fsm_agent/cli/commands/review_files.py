"""The files that ``review`` writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fsm_agent.cli.views import output
from fsm_agent.render.formats import draw
from fsm_agent.report.review import Review, WorkflowReview
from fsm_agent.report.review_markdown import to_markdown
from fsm_agent.report.sections import SUMMARY


def write_reports(folder: Path, review: Review, artifact: str) -> None:
    """``review.md`` has the length of a comment, ``summary.md`` that of the summary of a job; each workflow has its
    pictures and its page."""
    written(folder / "review.md", to_markdown(review, picture_of, artifact=artifact))
    written(folder / "summary.md", to_markdown(review, picture_of, room=SUMMARY, artifact=artifact))
    for each in review.workflows:
        for proof in each.proofs:
            for found in proof.reproductions.values():
                output.say(f"wrote {found.test_path}")
        for name, content in _files(each):
            written(folder / name, content)


def _files(review: WorkflowReview) -> Iterator[tuple[str, str]]:
    """Name and content of the files about one workflow."""
    picture = picture_of(review)
    if picture:
        yield f"{review.name}.mmd", picture
        yield f"{review.name}.svg", _svg_of(review)


def picture_of(review: WorkflowReview) -> str:
    """The Mermaid text of what has changed, or of a new workflow."""
    return "" if review.new is None else draw(review.new, "mermaid").decode()


def _svg_of(review: WorkflowReview) -> str:
    return "" if review.new is None else draw(review.new, "svg").decode()


def written(file: Path, text: str) -> None:
    """Write a file and say so; its folder is made where it is missing."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
    except OSError as error:
        error.filename = str(file)  # the error of a full disk names no file
        raise
    output.say(f"wrote {file}")
